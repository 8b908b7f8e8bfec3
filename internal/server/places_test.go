package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

const (
	large  = 2 << 20 // bytes of a body
	middle = 100 << 10
)

// held is a body that says when it begins to be read, and goes on once it may.
type held struct {
	begun, goOn chan struct{}
	rest        io.Reader
	once        sync.Once
}

// Read implements io.Reader.
func (h *held) Read(p []byte) (int, error) {
	h.once.Do(func() {
		h.begun <- struct{}{}
		<-h.goOn
	})
	return h.rest.Read(p)
}

// padded is a body of so many bytes.
func padded(body string, size int) string { return body + strings.Repeat(" ", size-len(body)) }

// placing is a server in which many send much.
type placing struct {
	*bench
	h           http.Handler
	begun, goOn chan struct{}
	all         sync.WaitGroup
}

func newPlacing(t *testing.T, within time.Duration) *placing {
	b := newBench(t)
	for _, who := range []string{"ann", "bob", "cid", "dan"} {
		b.bind(who, everything, pipelines.RolePlanner)
	}
	return &placing{
		bench: b, h: b.handler(func(o *server.Options) { o.PlaceWithin = within }), begun: make(chan struct{}, 100), goOn: make(chan struct{}),
	}
}

// send has somebody send a body of a size, which ends once all may go on.
func (p *placing) send(who string, size int) {
	text := padded("{"+p.sent()+"}", size)
	r := p.request("POST", "/lint", text, p.token(who))
	r.Body = io.NopCloser(&held{begun: p.begun, goOn: p.goOn, rest: strings.NewReader(text)})
	p.all.Go(func() {
		if w := p.answer(p.h, r); w.Code != http.StatusOK {
			p.t.Errorf("%s, who sends %d bytes, hears %d %s", who, size, w.Code, w.Body)
		}
	})
}

// begins fails the test where not just so many bodies begin to be read.
func (p *placing) begins(reason string, want int) {
	p.t.Helper()
	for i := range want {
		select {
		case <-p.begun:
		case <-time.After(20 * time.Second):
			p.t.Fatalf("%s: %d of %d bodies are read", reason, i, want)
		}
	}
	select {
	case <-p.begun:
		p.t.Errorf("%s: more than %d bodies are read", reason, want)
	case <-time.After(50 * time.Millisecond):
	}
}

func TestManyBodiesAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlacing(t, time.Minute)
	for range 5 {
		p.send("ann", large)
	}
	p.begins("one subject has two places for large bodies", 2)
	p.send("bob", large)
	p.begins("another has places of his own", 1)
	p.send("bob", large)
	p.send("cid", large)
	p.send("cid", large)
	p.begins("all together have six", 3)
	p.send("dan", large)
	p.begins("and no more", 0)
	for range 20 {
		p.send("dan", middle)
	}
	p.begins("smaller ones have places beside them", 16)
	for _, who := range []string{"ann", "dan"} {
		if w := p.ask(p.h, "POST", "/lint", "{"+p.sent()+"}", p.token(who)); w.Code != http.StatusOK {
			t.Errorf("%s sends little meanwhile, and hears %d %s", who, w.Code, w.Body)
		}
	}
	close(p.goOn)
	p.all.Wait()
}

func TestNoPlaceInTime(t *testing.T) {
	t.Parallel()
	p := newPlacing(t, 300*time.Millisecond)
	p.send("ann", large)
	p.send("ann", large)
	p.begins("two places", 2)
	unsaid := p.request("POST", "/lint", "{"+p.sent()+"}", p.token("ann"))
	unsaid.ContentLength = -1
	gone := p.request("POST", "/lint", padded("{}", large), p.token("ann"))
	ctx, stop := context.WithCancel(gone.Context())
	stop()
	for reason, r := range map[string]*http.Request{
		"a large body":                        p.request("POST", "/plans", padded("{}", large), p.token("ann")),
		"a body that does not say its length": unsaid,
		"a body of nobody":                    gone.WithContext(ctx),
	} {
		w := p.answer(p.h, r)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"unreachable"`) {
			t.Errorf("%s: %d %v %s", reason, w.Code, w.Header(), w.Body)
		}
	}
	if w := p.ask(p.h, "POST", "/lint", padded("{"+p.sent()+"}", large), p.token("bob")); w.Code != http.StatusOK {
		t.Errorf("another hears %d %s", w.Code, w.Body)
	}
	close(p.goOn)
	p.all.Wait()
	if w := p.ask(p.h, "POST", "/lint", padded("{"+p.sent()+"}", large), p.token("ann")); w.Code != http.StatusOK {
		t.Errorf("once there are places again: %d %s", w.Code, w.Body)
	}
}

// TestAPlaceIsGivenBack ends requests in each way more often than there are places.
func TestAPlaceIsGivenBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path, body string
		then       error // where the body ends
		want       int
		broken     bool // the engine is
	}{
		"answered":            {path: "/lint", want: http.StatusOK},
		"wrong documents":     {path: "/lint", body: padded(`{"paths":["x"],"archive":"eA=="}`, large), want: http.StatusBadRequest},
		"no JSON":             {path: "/lint", body: padded("{", large), want: http.StatusBadRequest},
		"not let":             {path: "/freezes", body: padded(`{"reason":"stop","inFlight":"Finish"}`, large), want: http.StatusForbidden},
		"nothing is there":    {path: "/nowhere", want: http.StatusNotFound},
		"larger than may be":  {path: "/lint", body: padded("{}", 25<<20), want: http.StatusRequestEntityTooLarge},
		"a fault":             {path: "/lint", broken: true, want: http.StatusInternalServerError},
		"who sent it is gone": {path: "/lint", body: "{", then: io.ErrUnexpectedEOF, want: http.StatusInternalServerError},
		"too slow":            {path: "/lint", body: "{", then: os.ErrDeadlineExceeded, want: http.StatusRequestTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlacing(t, time.Second)
			h := p.h
			if c.broken {
				h = p.handler(func(o *server.Options) { o.PlaceWithin, o.Engine = time.Second, nil })
			}
			if c.body == "" {
				c.body = padded("{"+p.sent()+"}", large)
			}
			for range 7 {
				r := p.request("POST", c.path, c.body, p.token("ann"))
				if c.then != nil {
					r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(c.body), failing{c.then})), large
				}
				w := p.answer(h, r)
				if w.Code != c.want {
					t.Fatalf("he hears %d %.300s", w.Code, w.Body)
				}
				if w.Body.Len() > 10<<10 {
					t.Fatalf("he hears %d bytes", w.Body.Len())
				}
			}
		})
	}
}

type failing struct{ error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) { return 0, f.error }

// TestAPlaceIsGivenBackByConnections has a real server be left by those who send much.
func TestAPlaceIsGivenBackByConnections(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.callers()
	at := serving(t, b.handler(func(o *server.Options) { o.PlaceWithin, o.BodyWithin = 5*time.Second, time.Minute }), nil)
	token := b.token("viewer")
	for range 7 {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(c, "POST %s/lint HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\n\r\n{", wire.Prefix, token, large)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+at+wire.Prefix+"/lint", strings.NewReader(padded("{"+b.sent()+"}", large)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if said, err := io.ReadAll(response.Body); response.StatusCode != http.StatusOK || err != nil {
		t.Errorf("who comes after seven who are gone hears %s %s, %v", response.Status, said, err)
	}
}

// TestWhoPlansKeepsNoPlace has many large plans look at clusters for as long as they like.
func TestWhoPlansKeepsNoPlace(t *testing.T) {
	t.Parallel()
	p := newPlacing(t, time.Minute)
	looking, goOn := make(chan struct{}, 10), make(chan struct{})
	p.temporal.looking = func() {
		looking <- struct{}{}
		<-goOn
	}
	body := padded(`{"component":"agent",`+p.sent()+`}`, large)
	for range 10 {
		r := p.request("POST", "/plans", body, p.token("ann"))
		p.all.Go(func() {
			if w := p.answer(p.h, r); w.Code != http.StatusOK {
				t.Errorf("no plan is made: %d %s", w.Code, w.Body)
			}
		})
	}
	for i := range 10 {
		select {
		case <-looking:
		case <-time.After(20 * time.Second):
			t.Fatalf("%d plans look at clusters, and no other is read", i)
		}
	}
	close(goOn)
	p.all.Wait()
}

// TestNothingIsReadForWhoIsGone has somebody go before he is answered: what changes something is done all the same.
func TestNothingIsReadForWhoIsGone(t *testing.T) {
	t.Parallel()
	p := newPlacing(t, time.Minute)
	for path, want := range map[string]bool{"/lint": false, "/plans": true} {
		ctx, stop := context.WithCancel(t.Context())
		r := p.request("POST", path, `{"component":"agent",`+p.sent()+`}`, p.token("ann")).WithContext(ctx)
		if path == "/lint" {
			r = p.request("POST", path, "{"+p.sent()+"}", p.token("ann")).WithContext(ctx)
		}
		r.Body = io.NopCloser(io.MultiReader(r.Body, ending{stop}))
		w := httptest.NewRecorder()
		p.h.ServeHTTP(w, r)
		if done := w.Code == http.StatusOK; done != want {
			t.Errorf("who is gone from %s had %d %s", path, w.Code, bytes.TrimSpace(w.Body.Bytes()))
		}
	}
}

// ending has whoever sends a body go once it is read.
type ending struct{ gone func() }

// Read implements io.Reader.
func (e ending) Read([]byte) (int, error) {
	e.gone()
	return 0, io.EOF
}
