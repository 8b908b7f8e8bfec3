package probe_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probe"
)

// site is what the servers of these tests answer.
func site() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Version", "2.0.0")
		_, _ = fmt.Fprintf(w, "%s %s %s by %s: healthy", r.Method, r.Host, r.Header.Get("X-Ask"), r.Proto)
		_, _ = io.Copy(w, r.Body)
	})
	mux.HandleFunc("/teapot", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	mux.Handle("/there", http.RedirectHandler("/ok", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler("http://gone.test/", http.StatusFound))
	mux.Handle("/login", http.RedirectHandler("https://me:pass@gone.test/back?code=s3cret#id_token=s3cret", http.StatusFound))
	mux.Handle("/metadata", http.RedirectHandler("http://169.254.169.254/latest", http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		for block := bytes.Repeat([]byte("x"), 64<<10); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/packed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip") // though nobody has said that it may
		packed := gzip.NewWriter(w)
		_, _ = io.WriteString(packed, "panic")
		_ = packed.Close()
	})
	mux.HandleFunc("/stalls", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "healthy")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/breaks", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "healthy")
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	return mux
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	p, ca := prober(t), authority(t)
	plain := httptest.NewServer(site())
	t.Cleanup(plain.Close)
	secured := httptest.NewUnstartedServer(site())
	secured.TLS = ca.config(t, certificate{names: []string{"up.test", "127.0.0.1"}})
	secured.EnableHTTP2 = true
	secured.Config.ErrorLog = log.New(io.Discard, "", 0)
	secured.StartTLS()
	t.Cleanup(secured.Close)
	clear := httptest.NewUnstartedServer(site())
	clear.Config.Protocols = new(http.Protocols)
	clear.Config.Protocols.SetUnencryptedHTTP2(true)
	clear.Start()
	t.Cleanup(clear.Close)
	_, port, _ := net.SplitHostPort(plain.Listener.Addr().String())
	trust := probe.TLS{CA: ca.pem}
	has := regexp.MustCompile
	passed := want{verdict: api.Passed}
	for _, c := range []struct {
		reason string
		ask    probe.HTTP
		want   want
	}{
		{"it is healthy", probe.HTTP{URL: plain.URL + "/ok", Match: has("healthy")}, passed},
		{"by a name", probe.HTTP{URL: "http://up.test:" + port + "/ok"}, passed},
		{"method, body and headers are sent", probe.HTTP{URL: plain.URL + "/ok", Method: "PUT", Body: "!", Match: has(`^PUT name.test yes by .*!$`),
			Headers: map[string]string{"host": "name.test", "X-Ask": "yes"}}, passed},
		{"a header is there", probe.HTTP{URL: plain.URL + "/ok", Have: map[string]*regexp.Regexp{"x-version": has(`^2\.`)}}, passed},
		{"a status that is wanted", probe.HTTP{URL: plain.URL + "/teapot", Statuses: []probe.StatusRange{{200, 204}, {418, 418}}}, passed},
		{"over TLS, by HTTP/2 of its own accord", probe.HTTP{URL: secured.URL + "/ok", TLS: trust, Match: has("HTTP/2")}, passed},
		{"by HTTP/2, as asked", probe.HTTP{URL: secured.URL + "/ok", TLS: trust, HTTP2: true}, passed},
		{"by HTTP/2 without TLS", probe.HTTP{URL: clear.URL + "/ok", HTTP2: true}, passed},
		{"not verified, as was said", probe.HTTP{URL: secured.URL + "/ok", TLS: probe.TLS{Insecure: true}}, passed},
		{"a redirect is followed", probe.HTTP{URL: plain.URL + "/there", Redirects: probe.SameHost, Match: has("healthy")}, passed},
		{"what is looked for stands in the part that is read", probe.HTTP{URL: plain.URL + "/long", Match: has("^xxx")}, passed},
		{"the caller takes it", probe.HTTP{URL: plain.URL + "/ok", Accept: func(a probe.Answer) error {
			if !a.Whole || a.Status != 200 || !bytes.Contains(a.Body, []byte("healthy")) {
				return errors.New("not as it was sent")
			}
			return nil
		}}, passed},

		{"what is encoded, and need not be read", probe.HTTP{URL: plain.URL + "/packed"}, passed},

		{"another status", probe.HTTP{URL: plain.URL + "/teapot"}, want{api.Failed, probe.Status, "status 418", false}},
		{"a redirect is not followed", probe.HTTP{URL: plain.URL + "/there"}, want{api.Failed, probe.Status, "a redirect to /ok", false}},
		{"a redirect to another host is not followed", probe.HTTP{URL: plain.URL + "/away", Redirects: probe.SameHost},
			want{api.Failed, probe.Status, "a redirect to http://gone.test/", false}},
		{"a redirect that hands over a secret", probe.HTTP{URL: plain.URL + "/login"},
			want{api.Failed, probe.Status, "a redirect to https://gone.test/back that is not followed", false}},
		{"a redirect leads nowhere", probe.HTTP{URL: plain.URL + "/away", Redirects: probe.AnyHost},
			want{api.Failed, probe.Resolve, "cannot resolve gone.test", false}},
		{"a redirect to a metadata service", probe.HTTP{URL: plain.URL + "/metadata", Redirects: probe.AnyHost},
			want{api.Error, probe.Connect, "metadata", false}},
		{"redirects without end", probe.HTTP{URL: plain.URL + "/loop", Redirects: probe.SameHost},
			want{api.Failed, probe.Status, "more than 5 redirects", false}},
		{"a metadata service", probe.HTTP{URL: "http://[fd00:ec2::254]/"}, want{api.Error, probe.Connect, "metadata", false}},
		{"no such header", probe.HTTP{URL: plain.URL + "/ok", Have: map[string]*regexp.Regexp{"X-Version": has(`^1\.`)}},
			want{api.Failed, probe.Status, "no header X-Version", false}},
		{"the body has not what it must", probe.HTTP{URL: plain.URL + "/ok", Match: has("ready")},
			want{api.Failed, probe.Body, "nothing that matches ready", false}},
		{"the body has what it must not", probe.HTTP{URL: plain.URL + "/ok", Avoid: has("healthy")},
			want{api.Failed, probe.Body, "what matches healthy", false}},
		{"longer than is read, and nothing found", probe.HTTP{URL: plain.URL + "/long", Match: has("ready")},
			want{api.Inconclusive, probe.Body, "more are not read", false}},
		{"longer than is read, and nothing bad found", probe.HTTP{URL: plain.URL + "/long", Avoid: has("panic")},
			want{api.Inconclusive, probe.Body, "more are not read", false}},
		{"what is encoded, and must not have something", probe.HTTP{URL: plain.URL + "/packed", Avoid: has("panic")},
			want{api.Inconclusive, probe.Body, "encoded as gzip", false}},
		{"longer than is read, and bad", probe.HTTP{URL: plain.URL + "/long", Avoid: has("xxx")},
			want{api.Failed, probe.Body, "what matches xxx", false}},
		{"the caller does not take it", probe.HTTP{URL: plain.URL + "/ok", Accept: func(probe.Answer) error { return errors.New("not this") }},
			want{api.Failed, probe.Body, "not this", false}},
		{"longer than is read, and the caller would judge", probe.HTTP{URL: plain.URL + "/long", Accept: func(probe.Answer) error { return nil }},
			want{api.Inconclusive, probe.Body, "more are not read", false}},
		{"the body stalls", probe.HTTP{URL: plain.URL + "/stalls"}, want{api.Failed, probe.Body, "no whole answer within 300ms", true}},
		{"the body breaks off", probe.HTTP{URL: plain.URL + "/breaks"}, want{api.Failed, probe.Body, "broke off after 7 bytes", false}},
		{"no answer in time", probe.HTTP{URL: plain.URL + "/slow"}, want{api.Failed, probe.Reply, "no answer within 300ms", true}},
		{"nobody listens", probe.HTTP{URL: "http://" + closed(t)}, want{api.Failed, probe.Connect, "connection refused", false}},
		{"what answers is no HTTP", probe.HTTP{URL: "http://" + answering(t, "220 ready\r\n\r\n")},
			want{api.Failed, probe.Reply, "malformed", false}},
		{"headers of a megabyte", probe.HTTP{URL: "http://" + answering(t, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("x", 1<<20))},
			want{api.Failed, probe.Reply, "exceeded", false}},
		{"it hangs up", probe.HTTP{URL: "http://" + answering(t, "")}, want{api.Failed, probe.Reply, "EOF", false}},
		{"of an unknown authority", probe.HTTP{URL: secured.URL + "/ok"}, want{api.Failed, probe.TLSLayer, "unknown authority", false}},
		{"of another name", probe.HTTP{URL: secured.URL + "/ok", TLS: probe.TLS{CA: ca.pem, ServerName: "down.test"}},
			want{api.Failed, probe.TLSLayer, "not down.test", false}},
		{"no HTTP/2", probe.HTTP{URL: plain.URL + "/ok", HTTP2: true}, want{api.Failed, probe.Reply, "HTTP/2", false}},
		{"no TLS", probe.HTTP{URL: "https://" + plain.Listener.Addr().String(), TLS: trust},
			want{api.Failed, probe.TLSLayer, "TLS handshake", false}},
		{"a name that is not there", probe.HTTP{URL: "http://gone.test"}, want{api.Failed, probe.Resolve, "cannot resolve gone.test", false}},
		{"the resolver fails", probe.HTTP{URL: "http://servfail.test"}, want{api.Error, probe.Resolve, "servfail.test", false}},
		{"no URL", probe.HTTP{URL: "up.test/ok"}, want{api.Error, probe.Question, "not of the form", false}},
		{"a password in the URL is not repeated", probe.HTTP{URL: "http://me:hidden@up.test/ok"},
			want{api.Error, probe.Question, "the URL of up.test has a user", false}},
		{"no method", probe.HTTP{URL: plain.URL, Method: "GET IT"}, want{api.Error, probe.Question, "method", false}},
		{"no authority", probe.HTTP{URL: secured.URL, TLS: probe.TLS{CA: []byte("x")}}, want{api.Error, probe.Question, "no certificate", false}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			c.ask.Within = c.want.within()
			got := p.HTTP(t.Context(), c.ask)
			c.want.test(t, got)
			if strings.Contains(got.Target+got.Message, "hidden") {
				t.Errorf("a password is repeated: %s: %s", got.Target, got.Message)
			}
		})
	}
}

// answering is a port that says something to whoever asks anything, and hangs up.
func answering(t *testing.T, text string) string {
	t.Helper()
	return speaking(t, func(conn net.Conn) {
		if _, err := conn.Read(make([]byte, 4096)); err == nil {
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	})
}

func TestHTTPByIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6: " + err.Error())
	}
	server := &http.Server{Handler: site()}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	got := prober(t).HTTP(t.Context(), probe.HTTP{URL: "http://" + l.Addr().String() + "/ok", Within: short})
	want{verdict: api.Passed}.test(t, got)
	if got.Seen["address"] != l.Addr().String() || got.Seen["status"] != int64(200) {
		t.Errorf("it saw %v", got.Seen)
	}
}

func TestParseStatusRange(t *testing.T) {
	for text, want := range map[string]string{
		"204": "{204 204}", "200-299": "{200 299}", "2xx": "{200 299}", " 5xx ": "{500 599}",
		"": "error", "20": "error", "600": "error", "299-200": "error", "2xx-3xx": "error", "200-": "error", "0xx": "error",
	} {
		got, err := probe.ParseStatusRange(text)
		if said := fmt.Sprint(got); err == nil && said != want || (err != nil) != (want == "error") {
			t.Errorf("%q is %s, %v; want %s", text, said, err, want)
		}
	}
}
