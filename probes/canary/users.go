package canary

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// Bounds of what users ask.
const (
	patience = 2 * time.Second // of a user, for an answer
	maxOpen  = 50              // requests at a time
	maxRead  = 1 << 10
)

// users ask the application at a steady rate, as if each were another: every request has a connection of its own.
type users struct {
	where func() string // the URL that is asked next; "" where there is nobody to ask
	took  func(time.Duration)

	client *http.Client
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	phase  string
	views  map[string]*view
	broken time.Time // since when nobody was answered; zero while some are
	outage time.Duration
	last   string // what the last who was not answered was told
}

// view is how users saw a phase.
type view struct{ asked, good int }

func (v view) share() float64 { return float64(v.good) / float64(max(1, v.asked)) }

// begin has users ask so many times a second.
func (u *users) begin(ctx context.Context, rate int) {
	ctx, u.stop = context.WithCancel(ctx)
	u.views = map[string]*view{}
	u.client = newClient()
	u.done.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		free := make(chan struct{}, maxOpen)
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			phase := u.now()
			select {
			case free <- struct{}{}:
				u.done.Go(func() {
					defer func() { <-free }()
					began := time.Now()
					text := u.ask()
					u.note(phase, text, time.Since(began))
				})
			default:
				u.note(phase, "too many wait for an answer", 0)
			}
		}
	})
}

// end stops them, and waits until the last has his answer.
func (u *users) end() {
	u.stop()
	u.done.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.broken.IsZero() {
		u.outage = max(u.outage, time.Since(u.broken))
	}
}

func (u *users) now() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.phase
}

func (u *users) enter(phase string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.phase = phase
}

// ask returns why there was no good answer.
func (u *users) ask() string {
	url := u.where()
	if url == "" {
		return "no pod is ready"
	}
	r, err := u.client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = r.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxRead)); err != nil {
		return err.Error()
	}
	if r.StatusCode != http.StatusOK {
		return r.Status
	}
	return ""
}

func (u *users) note(phase, problem string, took time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	v := u.views[phase]
	if v == nil {
		v = &view{}
		u.views[phase] = v
	}
	v.asked++
	if problem == "" {
		v.good++
		u.took(took)
		if !u.broken.IsZero() {
			u.outage = max(u.outage, time.Since(u.broken))
			u.broken = time.Time{}
		}
		return
	}
	u.last = problem
	if u.broken.IsZero() {
		u.broken = time.Now()
	}
}

// all is how users saw everything together.
func (u *users) all() view {
	u.mu.Lock()
	defer u.mu.Unlock()
	var sum view
	for _, v := range u.views {
		sum.asked += v.asked
		sum.good += v.good
	}
	return sum
}
