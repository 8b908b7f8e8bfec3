package server_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/hook"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/internal/wire"
)

// followed are sources that forges may send deliveries for. All have one secret.
type followed struct {
	secret string
	broken error         // why the secret cannot be read
	hold   chan struct{} // nudges wait for it; nil: they do not

	mu     sync.Mutex
	asked  int
	nudges []hook.Event
	atOnce int
	most   int // nudges at once
}

func (f *followed) Secret(_ context.Context, source string) (forge.Kind, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.broken != nil {
		return "", "", f.broken
	}
	if source != "infra" {
		return "", "", fault.New(fault.NotFound, "there is no source %s", source)
	}
	return forge.GitHub, f.secret, nil
}

func (f *followed) Nudge(ctx context.Context, _ string, e hook.Event) error {
	f.mu.Lock()
	f.nudges = append(f.nudges, e)
	f.atOnce++
	f.most = max(f.most, f.atOnce)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.atOnce--
		f.mu.Unlock()
	}()
	if f.hold == nil {
		return nil
	}
	select {
	case <-f.hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *followed) told() []hook.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]hook.Event(nil), f.nudges...)
}

// until waits for something that happens elsewhere.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not come to that: %s", what)
		}
	}
}

const hookSecret = "what both of them know"

// delivery is one of GitHub, about a push to main of a commit that ends with a number.
func delivery(source, secret string, number int) *http.Request {
	body := fmt.Sprintf(`{"ref":"refs/heads/main","after":"%040d","repository":{"full_name":"acme/infra"}}`, number)
	return delivered(source, secret, "push", body)
}

func delivered(source, secret, event, body string) *http.Request {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	r := httptest.NewRequest(http.MethodPost, wire.Prefix+"/hooks/"+source, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(m.Sum(nil)))
	return r
}

// hooked is a server that takes deliveries, and what it counts.
func (b *bench) hooked(f *followed, change ...func(*server.Options)) (http.Handler, func(t *testing.T, lines ...string)) {
	b.t.Helper()
	m := metrics.NewServer()
	h := b.handler(append([]func(*server.Options){func(o *server.Options) { o.Hooks, o.Metrics = f, m }}, change...)...)
	return h, func(t *testing.T, lines ...string) {
		t.Helper()
		w := httptest.NewRecorder()
		metrics.Page(nil, m).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		for _, line := range lines {
			if !strings.Contains(w.Body.String(), "\n"+line+"\n") {
				t.Errorf("it does not show %s in\n%s", line, w.Body)
			}
		}
	}
}

func sendTo(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestADeliveryNudges(t *testing.T) {
	b, f := newBench(t), &followed{secret: hookSecret}
	h, shows := b.hooked(f)
	if w := sendTo(h, delivery("infra", hookSecret, 1)); w.Code != http.StatusAccepted || w.Body.Len() != 0 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	until(t, "it is told", b.clock.HasWaiters)
	e := f.told()[0]
	if e.Kind != hook.Push || e.Ref != "refs/heads/main" || e.After != fmt.Sprintf("%040d", 1) || e.Repository != "acme/infra" {
		t.Errorf("%+v", e)
	}
	for _, event := range []string{"ping", "star"} {
		if w := sendTo(h, delivered("infra", hookSecret, event, `{"zen":"x"}`)); w.Code != http.StatusAccepted {
			t.Errorf("%s: %d %s", event, w.Code, w.Body)
		}
		b.clock.Step(time.Minute)
	}
	if n := len(f.told()); n != 1 {
		t.Errorf("what nothing follows from is told: %d", n)
	}
	shows(t, `sluice_server_hooks_total{outcome="taken"} 1`, `sluice_server_hooks_total{outcome="idle"} 1`,
		`sluice_server_hooks_total{outcome="replayed"} 1`, // both bodies are the same
		`sluice_server_nudges_total{outcome="done"} 1`, `sluice_server_requests_total{class="2xx",operation="take-hook"} 3`)
}

// TestReplayedDelivery has somebody send again what he has seen on its way, under an id of his own.
func TestReplayedDelivery(t *testing.T) {
	b, f := newBench(t), &followed{secret: hookSecret}
	h, shows := b.hooked(f)
	if w := sendTo(h, delivery("infra", hookSecret, 1)); w.Code != http.StatusAccepted {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	until(t, "it is told", b.clock.HasWaiters)
	for i := range 4 {
		r := delivery("infra", hookSecret, 1)
		r.Header.Set("X-GitHub-Delivery", fmt.Sprint(i))
		if w := sendTo(h, r); w.Code != http.StatusAccepted {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		b.clock.Step(time.Minute)
	}
	if n := len(f.told()); n != 1 {
		t.Errorf("it is told %d times", n)
	}
	shows(t, `sluice_server_hooks_total{outcome="taken"} 1`, `sluice_server_hooks_total{outcome="replayed"} 4`)
}

// TestTenThousandDeliveries arrive at once while whoever is nudged takes his time.
func TestTenThousandDeliveries(t *testing.T) {
	const many, senders = 10_000, 8
	b, f := newBench(t), &followed{secret: hookSecret, hold: make(chan struct{})}
	h, shows := b.hooked(f)
	var all sync.WaitGroup
	slowest := make([]time.Duration, senders)
	began := time.Now()
	for s := range senders {
		all.Go(func() {
			for i := s; i < many; i += senders {
				at := time.Now()
				if w := sendTo(h, delivery("infra", hookSecret, i)); w.Code != http.StatusAccepted {
					t.Errorf("%d %s", w.Code, w.Body)
					return
				}
				slowest[s] = max(slowest[s], time.Since(at))
			}
		})
	}
	all.Wait()
	t.Logf("%d deliveries in %s, the slowest of the answers in %s", many, time.Since(began), slowest)
	for _, long := range slowest {
		if long > time.Second {
			t.Errorf("an answer takes %s", long)
		}
	}
	if n := len(f.told()); n > 1 {
		t.Errorf("%d nudges while the first is not done", n)
	}
	close(f.hold)
	until(t, "nobody is told any more", func() bool {
		b.clock.Step(2 * time.Second)
		return len(f.told()) >= 2 && !b.clock.HasWaiters()
	})
	if n := len(f.told()); n != 2 || f.most != 1 {
		t.Errorf("%d deliveries are %d nudges, %d at once", many, n, f.most)
	}
	if f.asked > senders {
		t.Errorf("the secret was read %d times", f.asked)
	}
	shows(t, fmt.Sprintf(`sluice_server_hooks_total{outcome="taken"} %d`, many), `sluice_server_nudges_total{outcome="done"} 2`)
}

// TestNudgesAreNotTooOften has a delivery arrive each time that a nudge is done.
func TestNudgesAreNotTooOften(t *testing.T) {
	b, f := newBench(t), &followed{secret: hookSecret}
	h, _ := b.hooked(f)
	for i := range 600 { // a minute of ten each second
		if w := sendTo(h, delivery("infra", hookSecret, i)); w.Code != http.StatusAccepted {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		until(t, "one is told, or waits", b.clock.HasWaiters)
		b.clock.Step(100 * time.Millisecond)
	}
	if n := len(f.told()); n < 10 || n > 35 {
		t.Errorf("in a minute it is told %d times", n)
	}
}

// TestWhoDoesNotProveHimself hears the same whether there is such a source or not.
func TestWhoDoesNotProveHimself(t *testing.T) {
	b, f := newBench(t), &followed{secret: hookSecret}
	h, shows := b.hooked(f)
	unsigned := delivery("infra", hookSecret, 1)
	unsigned.Header.Del("X-Hub-Signature-256")
	bearing := delivery("infra", "guessed", 1)
	bearing.Header.Set("Authorization", "Bearer "+b.token("ann"))
	answers := map[string]string{}
	for reason, r := range map[string]*http.Request{
		"another secret":                 delivery("infra", "guessed", 1),
		"no signature":                   unsigned,
		"a bearer is of no use":          bearing,
		"there is no such source":        delivery("other", hookSecret, 1),
		"there is none, asked again":     delivery("other", "", 1),
		"a name as long as no source's":  delivery(strings.Repeat("a", 300), hookSecret, 1),
		"one that begins like the other": delivery("infr", hookSecret, 1),
	} {
		w := sendTo(h, r)
		answers[reason] = fmt.Sprint(w.Code, w.Header(), w.Body)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", reason, w.Code, w.Body)
		}
	}
	for reason, answer := range answers {
		if answer != answers["another secret"] {
			t.Errorf("%s is answered %s, and another secret %s", reason, answer, answers["another secret"])
		}
	}
	if len(f.told()) > 0 {
		t.Errorf("somebody is told: %v", f.told())
	}
	if strings.Contains(b.log.String(), hookSecret) {
		t.Errorf("the log has the secret: %s", b.log)
	}
	shows(t, `sluice_server_hooks_total{outcome="refused"} 7`)
}

func TestWhoGuessesIsSlowedDown(t *testing.T) {
	b, f := newBench(t), &followed{secret: hookSecret}
	h, _ := b.hooked(f)
	answers := map[int]int{}
	for i := range 1000 {
		source := "infra"
		if i%2 == 0 {
			source = fmt.Sprint("source-", i)
		}
		answers[sendTo(h, delivery(source, fmt.Sprint("guess ", i), i)).Code]++
	}
	if answers[http.StatusUnauthorized] > 60 || answers[http.StatusUnauthorized] < 10 || answers[http.StatusTooManyRequests] < 900 {
		t.Errorf("who guesses 1,000 times hears %v", answers)
	}
	if w := sendTo(h, delivery("infra", hookSecret, 1)); w.Code != http.StatusAccepted {
		t.Errorf("the forge, from the same address, hears %d %s", w.Code, w.Body)
	}
	if lines := strings.Count(b.log.String(), "refused a delivery"); lines > 60 {
		t.Errorf("he fills the log with %d lines", lines)
	}
}

func TestDeliveriesThatAreNotTaken(t *testing.T) {
	b, f := newBench(t), &followed{secret: hookSecret}
	h, shows := b.hooked(f)
	large := delivered("infra", hookSecret, "push", `{"x":"`+strings.Repeat("x", hook.MaxBody)+`"}`)
	unsaid := delivered("infra", hookSecret, "push", `{"x":"`+strings.Repeat("x", hook.MaxBody)+`"}`)
	unsaid.ContentLength = -1
	get := delivery("infra", hookSecret, 1)
	get.Method = http.MethodGet
	further := delivery("infra", hookSecret, 1)
	further.URL.Path += "/more"
	for _, c := range []struct {
		reason string
		r      *http.Request
		code   int
	}{
		{"more than may be", large, http.StatusRequestEntityTooLarge},
		{"more than may be, and it did not say so", unsaid, http.StatusRequestEntityTooLarge},
		{"proven, and no JSON", delivered("infra", hookSecret, "push", "payload=%7B%7D"), http.StatusBadRequest},
		{"another method", get, http.StatusNotFound},
		{"another place", further, http.StatusNotFound},
	} {
		if w := sendTo(h, c.r); w.Code != c.code || w.Header().Get("Content-Type") != wire.ProblemType {
			t.Errorf("%s: %d %s", c.reason, w.Code, w.Body)
		}
	}
	f.mu.Lock()
	f.broken = errors.New("the store at 10.0.0.1 is gone")
	f.mu.Unlock()
	b.clock.Step(time.Minute)
	w := sendTo(h, delivery("infra", hookSecret, 1))
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "10.0.0.1") || !strings.Contains(b.log.String(), "10.0.0.1") {
		t.Errorf("where the secret cannot be read: %d %s; the log: %s", w.Code, w.Body, b.log)
	}
	if len(f.told()) > 0 {
		t.Errorf("somebody is told: %v", f.told())
	}
	shows(t, `sluice_server_hooks_total{outcome="unread"} 3`, `sluice_server_hooks_total{outcome="failed"} 1`)
	if w := sendTo(b.handler(), delivery("infra", hookSecret, 1)); w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("a server that takes no deliveries: %d %v", w.Code, w.Header())
	}
}

func TestANewSecretHoldsSoon(t *testing.T) {
	b, f := newBench(t), &followed{secret: hookSecret}
	h, _ := b.hooked(f)
	if w := sendTo(h, delivery("infra", hookSecret, 1)); w.Code != http.StatusAccepted {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	f.mu.Lock()
	f.secret = "a new one"
	f.mu.Unlock()
	b.clock.Step(11 * time.Second)
	if w := sendTo(h, delivery("infra", "a new one", 2)); w.Code != http.StatusAccepted {
		t.Errorf("the new secret: %d %s", w.Code, w.Body)
	}
	if w := sendTo(h, delivery("infra", hookSecret, 3)); w.Code != http.StatusUnauthorized {
		t.Errorf("the old secret: %d %s", w.Code, w.Body)
	}
}

// TestSlowDeliveries end within a bound, and hold up no others.
func TestSlowDeliveries(t *testing.T) {
	t.Parallel()
	const within, many = time.Second, 100 // of them half are large
	b, f := newBench(t), &followed{secret: hookSecret}
	h, _ := b.hooked(f, func(o *server.Options) { o.HookWithin = within })
	address := serving(t, h, nil)
	began := time.Now()
	var all sync.WaitGroup
	for i := range many {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		length := 60_000
		if i%2 == 0 {
			length = 100_000
		}
		if _, err := fmt.Fprintf(c, "POST %s/hooks/infra HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{", wire.Prefix, length); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			if err := c.SetReadDeadline(began.Add(10 * within)); err != nil {
				t.Error(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Errorf("after %s: %v", time.Since(began), err)
				return
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusRequestTimeout && (length < 100_000 || answer.StatusCode != http.StatusServiceUnavailable) {
				t.Errorf("after %s he who sends %d bytes hears %s", time.Since(began), length, answer.Status)
			}
			if left, err := io.ReadAll(answer.Body); err != nil || answer.Close != true {
				t.Errorf("the connection goes on after %s, %v", left, err)
			}
		})
	}
	r := delivery("infra", hookSecret, 1)
	again, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+r.URL.Path, r.Body)
	if err != nil {
		t.Fatal(err)
	}
	again.Header = r.Header
	again.ContentLength = r.ContentLength
	answer, err := http.DefaultClient.Do(again)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if took := time.Since(began); answer.StatusCode != http.StatusAccepted || took > within {
		t.Errorf("somebody who is not slow hears %s after %s", answer.Status, took)
	}
	all.Wait()
}
