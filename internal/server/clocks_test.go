package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/issuertest"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/remote"
	"sluice.dev/sluice/internal/server"
)

// by is a server of the bench whose clock is apart from the issuer's, and from other servers'.
func (b *bench) by(apart time.Duration) http.Handler {
	b.t.Helper()
	l, clock := b.open(), testclock.NewFakeClock(noon.Add(apart))
	tokens, err := authn.New(authn.Config{Issuers: []authn.Issuer{{
		Name: "corp", URL: b.issuer.URL, Audiences: []string{"sluice"}, Kind: authn.People, SubjectClaim: "sub",
	}}}, l, clock.Now)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.handler(func(o *server.Options) {
		o.Guard, o.Clock, o.Requests = server.Known{Tokens: tokens}, clock, l
		o.Engine = engine.New(l, func(context.Context) (*engine.Server, error) {
			return &engine.Server{Temporal: b.temporal, Address: "fake:7233", Namespace: "default"}, nil
		}, engine.Options{Clock: clock, Proven: true})
	})
}

// TestClocksThatAreTenMinutesApart says what a server does whose clock is wrong: one that is behind takes nobody's new token, and its log
// says why; one that is ahead takes tokens until shortly before their end. What was asked for under a key is done once by both.
func TestClocksThatAreTenMinutesApart(t *testing.T) {
	b, body := newKeyed(t)
	behind, ahead := b.by(-10*time.Minute), b.by(10*time.Minute)
	if w := b.ask(behind, "GET", "/whoami", "", b.token("operator")); w.Code != http.StatusUnauthorized {
		t.Errorf("by a server that is behind, a token that is not issued yet: %d %s", w.Code, w.Body)
	}
	if !strings.Contains(b.log.String(), "by iat it counts from") {
		t.Errorf("its log does not say that clocks are apart: %s", b.log)
	}
	ends := b.issuer.Token(map[string]any{"sub": "operator", "exp": noon.Add(5 * time.Minute).Unix()})
	if w := b.ask(ahead, "GET", "/whoami", "", ends); w.Code != http.StatusUnauthorized {
		t.Errorf("by a server that is ahead, a token that has five minutes left: %d %s", w.Code, w.Body)
	}
	old := b.issuer.Token(map[string]any{"sub": "operator", "iat": noon.Add(-time.Hour).Unix(), "exp": noon.Add(time.Hour).Unix()})
	ask := func(h http.Handler, key, path, body string) string {
		r := b.request("POST", path, body, old)
		r.Header.Set("Idempotency-Key", key)
		return b.answer(h, r).Body.String()
	}
	for _, c := range [][2]string{{"/runs", body}, {"/freezes", `{"reason":"stop","inFlight":"Finish"}`}} {
		path, body := c[0], c[1]
		first := ask(ahead, path, path, body)
		for name, h := range map[string]http.Handler{"behind": behind, "in step": b.handler(), "ahead": ahead} {
			if again := ask(h, path, path, body); again != first || !strings.Contains(first, `"name"`) {
				t.Errorf("%s by the server that is %s: %s, and first it was %s", path, name, again, first)
			}
		}
	}
	if b.temporal.started != 1 {
		t.Errorf("%d runs were started", b.temporal.started)
	}
}

// TestACertificateThatIsOver has nobody renew the certificate of a server that runs: it goes on, its log says so, and whoever asks is told
// what is wrong instead of an answer.
func TestACertificateThatIsOver(t *testing.T) {
	b := newBench(t)
	clock := testclock.NewFakeClock(time.Now().Add(-2 * time.Hour))
	cert, key := writeCertificate(t, t.TempDir(), 1, time.Now().Add(-time.Hour))
	own, err := server.OpenCertificate(cert, key, clock, slog.New(slog.NewTextHandler(b.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	address := serving(t, b.handler(), server.TLS(own, nil))
	public, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	asks := func(now time.Time) error {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Time: func() time.Time { return now }, MinVersion: tls.VersionTLS13}}
		defer transport.CloseIdleConnections()
		c, err := remote.New(remote.Options{URL: "https://" + address, HTTP: &http.Client{Transport: transport}, Tries: 1})
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&remote.Engine{Client: c}).Logins(t.Context())
		return err
	}
	if err := asks(clock.Now()); err != nil {
		t.Fatalf("while it counts: %v", err)
	}
	clock.Step(2 * time.Hour)
	if err := asks(clock.Now()); fault.CodeOf(err) != fault.Unreachable || !strings.Contains(fmt.Sprint(err), "certificate has expired") {
		t.Errorf("once it is over: %v", err)
	}
	if !strings.Contains(b.log.String(), "the server's certificate is over") {
		t.Errorf("the log does not say so: %s", b.log)
	}
}

// TestAnIssuerWhoseCertificateIsNotKnown is away: nobody is let in, and the log says why.
func TestAnIssuerWhoseCertificateIsNotKnown(t *testing.T) {
	b := newBench(t)
	private, ca := issuertest.NewPrivate(t, b.clock.Now)
	none, err := access.Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ca   string
		code int
	}{"by nobody's word": {"", http.StatusUnauthorized}, "by its own": {ca, http.StatusOK}} {
		tokens, err := authn.New(authn.Config{Issuers: []authn.Issuer{{
			Name: "corp", URL: private.URL, Audiences: []string{"sluice"}, Kind: authn.People, SubjectClaim: "sub", CAFile: c.ca,
		}}}, b.ledger, b.clock.Now)
		if err != nil {
			t.Fatal(err)
		}
		h := b.handler(func(o *server.Options) {
			o.Guard, o.Grants = server.Known{Tokens: tokens}, func() *access.Grants { return none }
		})
		if w := b.ask(h, "GET", "/whoami", "", private.Token(map[string]any{"sub": "ann"})); w.Code != c.code {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if !strings.Contains(b.log.String(), "certificate") {
		t.Errorf("the log does not say why: %s", b.log)
	}
}
