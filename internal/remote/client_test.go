package remote_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/remote"
)

func TestAddressesOfServers(t *testing.T) {
	for address, want := range map[string]bool{
		"https://sluice.example.com": true, "https://10.0.0.1:8443/": true, "http://127.0.0.1:80": true, "http://[::1]:80": true,
		"http://localhost:8080": true, "http://sluice.example.com": false, "http://127.0.0.1.example.com": false, "http://10.0.0.1": false,
		"ftp://localhost": false, "sluice.example.com": false, "": false, "https://": false, "https://u:p@h": false, "https://h?q=1": false,
		"https://h#f": false, "http://localhost@example.com": false,
	} {
		_, err := remote.New(remote.Options{URL: address})
		if (err == nil) != want || err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q: %v, want it to be taken: %v", address, err, want)
		}
	}
}

// asking is a client of whatever answers.
func asking(t *testing.T, answer http.HandlerFunc) *remote.Engine {
	t.Helper()
	web := httptest.NewServer(answer)
	t.Cleanup(web.Close)
	c, err := remote.New(remote.Options{URL: web.URL, Token: func(context.Context) (string, error) { return "secret", nil }})
	if err != nil {
		t.Fatal(err)
	}
	return &remote.Engine{Client: c}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	var followed atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		followed.Store(true)
		fmt.Fprint(w, `{}`)
	}))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		e := asking(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) })
		_, err := e.Greet(t.Context())
		if fault.CodeOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "is no Sluice server") || followed.Load() {
			t.Errorf("%d: %v, followed: %v", status, err, followed.Load())
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, c := range []struct {
		reason string
		answer http.HandlerFunc
		code   fault.Code
		says   string
	}{
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, fault.Internal, "cannot read the answer"},
		{"JSON of another shape", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `[7]`) }, fault.Internal, "cannot read"},
		{"a page of somebody's", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, strings.Repeat("no", 5<<20))
		}, fault.Unreachable, "HTTP 403"},
		{"a problem that is none", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, `{"code":""}`)
		}, fault.Unreachable, "HTTP 418"},
		{"a problem", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"code":"conflict","detail":"it is there"}`)
		}, fault.Conflict, "it is there"},
	} {
		_, err := asking(t, c.answer).Greet(t.Context())
		if fault.CodeOf(err) != c.code || err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s with %q", c.reason, err, c.code, c.says)
		}
	}
}

func TestAnAnswerThatNeverEnds(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	e := asking(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			fmt.Fprint(w, " ")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Millisecond)
		}
	})
	if _, err := e.Greet(ctx); err == nil || ctx.Err() == nil {
		t.Errorf("it ends with %v", err)
	}
}

// TestTriedAgainUnderOneKey has a proxy have no answer at first: what changes something is sent again under the same key.
func TestTriedAgainUnderOneKey(t *testing.T) {
	keys := map[string]int{}
	sent := 0
	e := asking(t, func(w http.ResponseWriter, r *http.Request) {
		keys[r.Header.Get("Idempotency-Key")]++
		if sent++; sent < 3 {
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(w, "<html>bad gateway")
			return
		}
		fmt.Fprint(w, `{"run":{"name":"agent-1"}}`)
	})
	run, err := e.Run(t.Context(), engine.RunRequest{Plan: "abcdef"})
	if err != nil || run.Name != "agent-1" || len(keys) != 1 || keys[""] != 0 || sent != 3 {
		t.Errorf("run %q, %v; %d requests under keys %v", run.Name, err, sent, keys)
	}
}
