package server_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// archive is one of a file, as a part of a body.
func archive(t *testing.T, name string, size int64) string {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	if err := files.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(files, zeros{}, size); err != nil {
		t.Fatal(err)
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`"archive":%q`, base64.StdEncoding.EncodeToString(out.Bytes()))
}

type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestBadInput(t *testing.T) {
	b := newBench(t)
	b.bind("all", everything, pipelines.BindingRoles()...)
	h := b.handler()
	whole := b.sent()
	small := archive(t, "x.yaml", 0)
	for _, c := range []struct {
		reason, method, path, body string
		code                       int
	}{
		{"all is well", "POST", "/lint", "{" + whole + "}", 200},
		{"larger than may be", "POST", "/lint", `{"archive":"` + strings.Repeat("A", 25<<20) + `"}`, 413},
		{"a file that unpacks to more than may be", "POST", "/lint", "{" + archive(t, "x.yaml", 17<<20) + `,"paths":["x.yaml"]}`, 400},
		{"a file outside", "POST", "/lint", "{" + archive(t, "../x.yaml", 1) + `,"paths":["x.yaml"]}`, 400},
		{"a file from the root", "POST", "/lint", "{" + archive(t, "/x.yaml", 1) + `,"paths":["x.yaml"]}`, 400},
		{"no archive", "POST", "/lint", `{"archive":"AAAA","paths":["x.yaml"]}`, 400},
		{"a path outside", "POST", "/lint", "{" + small + `,"paths":["../../etc"]}`, 200},
		{"a path from the root", "POST", "/lint", "{" + small + `,"paths":["/etc"]}`, 200},
		{"a field that nobody knows", "POST", "/freezes", `{"inFlight":"Finish","reson":"typo"}`, 422},
		{"a field that nobody knows, further in", "POST", "/freezes", `{"inFlight":"Finish","scope":{"compnent":"a"}}`, 422},
		{"another type", "POST", "/freezes", `{"inFlight":7}`, 422},
		{"another word", "POST", "/freezes", `{"inFlight":"Never"}`, 422},
		{"no JSON", "POST", "/freezes", `{`, 400},
		{"no body", "POST", "/freezes", "", 400},
		{"two bodies", "POST", "/freezes", `{"inFlight":"Finish"}{"inFlight":"Finish"}`, 400},
		{"a number that is none", "GET", "/runs?limit=many", "", 422},
		{"more than may be listed", "GET", "/runs?limit=10001", "", 422},
		{"a query that nobody knows", "GET", "/runs?compnent=agent", "", 422},
		{"a time that is none", "GET", "/changes/c1?since=yesterday", "", 422},
		{"a digest that is none", "GET", "/texts/sha256:0", "", 422},
		{"no command", "POST", "/runs/agent-1/commands/explode", `{}`, 422},
		{"nothing there", "GET", "/nothing", "", 404},
		{"another method", "DELETE", "/runs", "", 404},
	} {
		w := b.ask(h, c.method, c.path, c.body, b.token("all"))
		if w.Code != c.code || c.code != 200 && w.Header().Get("Content-Type") != wire.ProblemType {
			t.Errorf("%s: %d as %s, want %d: %.300s", c.reason, w.Code, w.Header().Get("Content-Type"), c.code, w.Body)
		}
		if strings.Contains(c.reason, "a path") && !strings.Contains(w.Body.String(), "it is outside of what was given") {
			t.Errorf("%s is read: %.300s", c.reason, w.Body)
		}
		for _, name := range []string{"X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy", "Cache-Control"} {
			if w.Header().Get(name) == "" {
				t.Errorf("%s: the answer has no %s", c.reason, name)
			}
		}
	}
	if all, err := b.ledger.ListFreezes(t.Context(), 0); err != nil || len(all) != 0 {
		t.Errorf("bad input has made %v, %v", all, err)
	}
}

func TestAHandlerThatBreaks(t *testing.T) {
	b := newBench(t)
	b.bind("all", everything, pipelines.BindingRoles()...)
	h := b.handler(func(o *server.Options) { o.Engine = nil })
	w := b.ask(h, "GET", "/workers", "", b.token("all"))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "nil") || strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(b.log.String(), "nil pointer") {
		t.Errorf("the log does not say what broke: %s", b.log)
	}
	if w := b.ask(h, "GET", "/whoami", "", b.token("all")); w.Code != http.StatusOK {
		t.Errorf("the server does not go on: %d %s", w.Code, w.Body)
	}
}

func TestWhoAsksTooOften(t *testing.T) {
	b := newBench(t)
	h := b.handler()
	often, other := b.token("often"), b.token("other")
	answers := map[int]int{}
	for range 10_000 {
		w := b.ask(h, "GET", "/whoami", "", often)
		if answers[w.Code]++; w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Fatal("nobody says when to ask again")
		}
	}
	if answers[http.StatusTooManyRequests] < 9_000 || answers[http.StatusOK] < 100 || len(answers) != 2 {
		t.Errorf("somebody who asks 10,000 times at once hears %v", answers)
	}
	if w := b.ask(h, "GET", "/whoami", "", other); w.Code != http.StatusOK {
		t.Errorf("somebody else hears %d", w.Code)
	}
	b.clock.Step(time.Minute)
	if w := b.ask(h, "GET", "/whoami", "", often); w.Code != http.StatusOK {
		t.Errorf("a minute later he hears %d", w.Code)
	}
}

func TestWrongTokensFromOneAddress(t *testing.T) {
	b := newBench(t)
	h := b.handler()
	answers := map[int]int{}
	try := func(token string) int {
		r := b.request("GET", "/whoami", "", token)
		r.RemoteAddr = "192.0.2.1:1"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for range 1_000 {
		answers[try("wrong")]++
	}
	if answers[http.StatusUnauthorized] > 60 || answers[http.StatusUnauthorized] < 10 || answers[http.StatusTooManyRequests] < 900 {
		t.Errorf("who tries 1,000 tokens hears %v", answers)
	}
	b.clock.Step(time.Minute)
	if code := try(b.token("ann")); code != http.StatusOK {
		t.Errorf("a minute later a good token has %d", code)
	}
}

// TestWhoIsSlow has a real server cut off who does not end what he sends.
func TestWhoIsSlow(t *testing.T) {
	t.Parallel()
	address := serving(t, http.NotFoundHandler(), nil)
	for reason, sent := range map[string]string{
		"slow headers":  "GET / HTTP/1.1\r\nHost: x\r\nA: b",
		"large headers": "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("b", 64<<10),
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, sent); err != nil {
				return // it is cut off already
			}
			if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(c)
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() || strings.Contains(string(said), "404") {
				t.Errorf("it is not cut off: %s, %v", said, err)
			}
		})
	}
}

// serving is where a server answers until the test ends.
func serving(t *testing.T, h http.Handler, secure *tls.Config) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener, h, secure, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// writeCertificate writes a certificate and its key that count until a time.
func writeCertificate(t *testing.T, dir string, serial int64, until time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: until.Add(-1000 * time.Hour), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	raw, err := x509.CreateCertificate(rand.Reader, of, of, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: raw}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTheServersOwnCertificate(t *testing.T) {
	b, dir := newBench(t), t.TempDir()
	log := slog.New(slog.DiscardHandler)
	cert, key := writeCertificate(t, dir, 1, noon.Add(-time.Hour))
	if _, err := server.OpenCertificate(cert, key, b.clock, log); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("one that is over: %v", err)
	}
	cert, key = writeCertificate(t, dir, 2, noon.Add(time.Hour))
	own, err := server.OpenCertificate(cert, key, b.clock, log)
	if err != nil {
		t.Fatal(err)
	}
	address := serving(t, b.handler(), server.TLS(own, nil))
	dial := func(version uint16) (int64, error) {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
		if err != nil {
			return 0, err
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
	}
	if _, err := dial(tls.VersionTLS12); err == nil {
		t.Error("TLS 1.2 is spoken")
	}
	if serial, err := dial(tls.VersionTLS13); serial != 2 || err != nil {
		t.Errorf("certificate %d, %v", serial, err)
	}
	writeCertificate(t, dir, 3, noon.Add(2*time.Hour))
	if err := os.Chtimes(cert, noon, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b.clock.Step(time.Minute)
	if serial, err := dial(tls.VersionTLS13); serial != 3 || err != nil {
		t.Errorf("after it was renewed: certificate %d, %v", serial, err)
	}
	writeCertificate(t, dir, 4, noon.Add(3*time.Hour))
	b.clock.Step(time.Minute)
	if serial := own.Leaf().SerialNumber.Int64(); serial != 4 {
		t.Errorf("after it was renewed, and before anybody connects, certificate %d is said to be there", serial)
	}
	if err := os.WriteFile(cert, []byte("half of"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.clock.Step(time.Minute)
	if serial, err := dial(tls.VersionTLS13); serial != 4 || err != nil {
		t.Errorf("while it is half written: certificate %d, %v", serial, err)
	}
}

func TestAnIssuerThatIsAway(t *testing.T) {
	b := newBench(t)
	token := b.token("ann")
	b.issuer.Stop()
	h := b.handler()
	if w := b.ask(h, "GET", "/whoami", "", token); w.Code != http.StatusUnauthorized {
		t.Errorf("while nobody has seen its keys: %d %s", w.Code, w.Body)
	}
	b.issuer.Start()
	b.clock.Step(time.Minute)
	if w := b.ask(h, "GET", "/whoami", "", token); w.Code != http.StatusOK {
		t.Errorf("once it is there: %d %s", w.Code, w.Body)
	}
	b.issuer.Stop()
	if w := b.ask(h, "GET", "/whoami", "", token); w.Code != http.StatusOK {
		t.Errorf("with a key that is known: %d %s", w.Code, w.Body)
	}
	b.issuer.Rotate("RS256")
	if w := b.ask(h, "GET", "/whoami", "", b.token("ann")); w.Code != http.StatusUnauthorized {
		t.Errorf("with a key that nobody knows: %d %s", w.Code, w.Body)
	}
}
