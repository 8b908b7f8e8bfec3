package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

const (
	aliveEvery = 15 * time.Second // a watcher hears that the server is there
	lookEvery  = time.Second      // at a run that is watched
	takenIn    = 10 * time.Second // by a watcher, before he is cut off
	watchedFor = 15 * time.Minute // before a watcher has to say again who he is
)

// news is what there is to see of a run.
type news struct {
	id   string
	text []byte        // of its event, which all who watch are sent
	last bool          // nothing follows
	next chan struct{} // closed once something has followed
	then *news         // what has
}

// feed looks at one run for all who watch it.
type feed struct {
	now      *news
	watchers int
	stop     context.CancelFunc
	ended    chan struct{} // nobody looks any more
}

// feeds are those that somebody watches, by run.
type feeds struct {
	mu     sync.Mutex
	of     map[string]*feed
	engine *engine.Engine
	tick   func() (<-chan time.Time, func()) // when a run is to be looked at
}

// join begins to watch a run. The first of those who do has it looked at; leave ends that with the last one.
func (f *feeds) join(ctx context.Context, run string) (now *news, leave func(), err error) {
	f.mu.Lock()
	of := f.of[run]
	if of == nil {
		// A Temporal that is slow to answer about one run keeps nobody who watches another.
		f.mu.Unlock()
		first, err := f.look(ctx, run)
		if err != nil {
			return nil, nil, err
		}
		f.mu.Lock()
		of = f.of[run]
		if of == nil {
			of = f.begin(ctx, run, first)
		}
	}
	defer f.mu.Unlock()
	of.watchers++
	return of.now, func() {
		f.mu.Lock()
		of.watchers--
		last := of.watchers == 0
		if last {
			delete(f.of, run)
		}
		f.mu.Unlock()
		if last {
			of.stop()
			<-of.ended
		}
	}, nil
}

// begin has a run looked at, from what was seen of it first.
func (f *feeds) begin(ctx context.Context, run string, first *news) *feed {
	looking, stop := context.WithCancel(context.WithoutCancel(ctx))
	of := &feed{now: first, stop: stop, ended: make(chan struct{})}
	f.of[run] = of
	go func() {
		defer close(of.ended)
		f.follow(looking, run, of)
	}()
	return of
}

func (f *feeds) follow(ctx context.Context, run string, of *feed) {
	ticks, stop := f.tick()
	defer stop()
	for !of.now.last {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		next, err := f.look(ctx, run)
		if err != nil || next.id == of.now.id {
			continue // a run outlives a Temporal that is away: what was seen last stays
		}
		f.mu.Lock()
		before := of.now
		of.now, before.then = next, next
		f.mu.Unlock()
		close(before.next)
	}
}

func (f *feeds) look(ctx context.Context, run string) (*news, error) {
	view, err := f.engine.Status(ctx, run)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(view)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot write run %s", run)
	}
	sum := sha256.Sum256(data)
	id := hex.EncodeToString(sum[:16])
	return &news{
		id: id, text: fmt.Appendf(nil, "event: view\nid: %s\ndata: %s\n\n", id, data),
		last: view.Phase.Final() && !view.Ended.IsZero(), next: make(chan struct{}),
	}, nil
}

// watch has a run followed by events: "view" each time that it changes, with its digest as the id, and "end" once nothing follows.
func (s *server) watch(a huma.API, f *feeds) {
	op, needs := wire.Watch, ofRun(s, pipelines.RightView, func(in *wire.Watching) string { return in.Run })
	huma.Register(a, huma.Operation{
		OperationID: op.ID, Method: op.Method, Path: wire.Prefix + op.Path, Summary: op.Says, Tags: []string{op.Tag},
		Description: "Events of a server: `view` with the run as get-run returns it, and `end` after the last. Who comes again with " +
			"Last-Event-ID is not sent what was seen already. `again` says that who watches is to come again, and say who he is.",
		Responses: map[string]*huma.Response{"200": {
			Description: "OK", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, func(ctx context.Context, in *wire.Watching) (*huma.StreamResponse, error) {
		if err := needs.met(ctx, s, in); err != nil {
			return nil, problemOf(err)
		}
		o, err := needs.over(ctx, in)
		if err != nil {
			return nil, problemOf(err)
		}
		now, leave, err := f.join(ctx, in.Run)
		if err != nil {
			return nil, problemOf(err)
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer leave()
			defer s.Metrics.Watches()()
			_, w := humago.Unwrap(hc)
			to := events{w: w, control: http.NewResponseController(w), takenIn: s.TakenIn, may: func() bool {
				a := who(ctx)
				return a.anyone || s.Grants().May(a.Subject, needs.right, o).Allowed
			}}
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("X-Accel-Buffering", "no")
			to.follow(ctx, now, in.Last)
		}}, nil
	})
}

// events writes events to one watcher.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	takenIn time.Duration
	may     func() bool // whether he may see it still
}

func (e events) follow(ctx context.Context, now *news, seen string) {
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	over := time.NewTimer(watchedFor)
	defer over.Stop()
	err := e.write([]byte(": watching\n\n"))
	for err == nil {
		if now.id != seen {
			err = e.write(now.text)
			seen = now.id
		}
		if err == nil && now.last {
			err = errors.Join(e.write([]byte("event: end\ndata: {}\n\n")), context.Canceled)
		}
		if err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-over.C:
			_ = e.write([]byte("event: again\ndata: {}\n\n"))
			return
		case <-alive.C:
			err = e.write([]byte(": \n\n"))
		case <-now.next:
			now = now.then
		}
		if !e.may() {
			return // he comes again, and is told so
		}
	}
}

// write cuts a watcher off who does not take what he is sent.
func (e events) write(text []byte) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(e.takenIn)); err != nil {
		return err
	}
	if _, err := e.w.Write(text); err != nil {
		return err
	}
	return e.control.Flush()
}
