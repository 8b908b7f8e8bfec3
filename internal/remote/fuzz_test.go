package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/remote"
)

// answers is whatever a server answers.
type answers func(*http.Request) *http.Response

// RoundTrip implements http.RoundTripper.
func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

// fuzzed is a client of a server that answers anything, and never asks again.
func fuzzed(t *testing.T, a answers) *remote.Engine {
	t.Helper()
	c, err := remote.New(remote.Options{
		URL: "https://server", HTTP: &http.Client{Transport: a}, Clock: testclock.NewFakeClock(time.Unix(0, 0)), Tries: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &remote.Engine{Client: c}
}

func answered(r *http.Request, status int, kind string, body io.Reader) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(body), Request: r,
	}
}

// FuzzEvents has somebody who watches be sent anything. He hears no more than there are events of the kind that he hears, in whatever
// pieces they arrive, and is told so where the last one is missing.
func FuzzEvents(f *testing.F) {
	for _, text := range []string{
		"", ": watching\n\n", "event: view\nid: a\ndata: {\"name\":\"agent-1\"}\n\nevent: end\ndata: {}\n\n",
		"event: view\r\nid: a\r\ndata: {}\r\n\r\nevent: again\ndata: {}\n\n", "event: view\ndata: [\n\n", "event: view\nid: a\ndata: {}", "event:view\ndata:{}\n\n",
		"event: end\n\n", "data: {}\n\n", "event: view\ndata: {\"stages\":[{}]}\n\n:\n\nevent: end\n\n", "id\nevent\ndata\n\n",
	} {
		f.Add([]byte(text), uint16(3))
	}
	f.Fuzz(func(t *testing.T, sent []byte, piece uint16) {
		var outcome error
		var heard []engine.View
		for _, size := range []int{len(sent) + 1, int(piece)%64 + 1} {
			var views []engine.View
			ctx, stop := context.WithCancelCause(t.Context())
			asked := 0
			e := fuzzed(t, func(r *http.Request) *http.Response {
				if asked++; asked > 1 {
					stop(errors.New("he asks again"))
				}
				return answered(r, http.StatusOK, "text/event-stream", &pieces{bytes.NewReader(sent), size})
			})
			err := e.Watch(ctx, "agent-1", func(v engine.View, err error) {
				if err != nil {
					stop(err)
				} else if asked == 1 {
					views = append(views, v)
				}
			})
			ended := context.Cause(ctx)
			stop(nil)
			if err == nil && !bytes.Contains(sent, []byte("end")) {
				t.Error("the watch ends, and nobody has said so")
			}
			if err != nil && ended == nil && !fault.CodeOf(err).Known() {
				t.Errorf("it ends with code %q", fault.CodeOf(err))
			}
			if len(views) > bytes.Count(sent, []byte("view")) {
				t.Errorf("%d views are heard", len(views))
			}
			if size <= len(sent) && (len(views) != len(heard) || (err == nil) != (outcome == nil)) {
				t.Errorf("in pieces of %d bytes there are %d views and %v, at once %d and %v", size, len(views), err, len(heard), outcome)
			}
			heard, outcome = views, err
		}
	})
}

// pieces gives at most so many bytes at a time.
type pieces struct {
	from io.Reader
	size int
}

// Read implements io.Reader.
func (p *pieces) Read(to []byte) (int, error) { return p.from.Read(to[:min(len(to), p.size)]) }

// FuzzRefusals has a server refuse with anything. What comes of it is an error of a code that there is, which says something.
func FuzzRefusals(f *testing.F) {
	const problem = "application/problem+json"
	for _, text := range []string{
		"", "{}", "[]", `{"code":"conflict","detail":"it is there"}`, `{"code":"invalid","errors":[{"file":"a","line":1,"column":2,"message":"no"}]}`,
		`{"code":"nonsense","detail":"x"}`, `{"code":"internal"}`, `{"code":7}`, `{"code":"refused","detail":"\u001b[2J"}`, "<html>",
	} {
		f.Add(409, problem, []byte(text))
		f.Add(302, "text/html", []byte(text))
		f.Add(429, problem+"; charset=utf-8", []byte(text))
	}
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte) {
		if status < 300 || status > 999 {
			t.Skip("it is no refusal")
		}
		_, err := fuzzed(t, func(r *http.Request) *http.Response { return answered(r, status, kind, bytes.NewReader(body)) }).Greet(t.Context())
		if err == nil || err.Error() == "" || !fault.CodeOf(err).Known() {
			t.Errorf("%d %s %q is %q of code %q", status, kind, body, err, fault.CodeOf(err))
		}
	})
}
