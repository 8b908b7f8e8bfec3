package server

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/hook"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/wire"
)

// Hooks are what forges may send deliveries for.
type Hooks interface {
	// Secret is what a source and its forge both know. Where there is no such source, or nobody may send it anything, it is fault.NotFound.
	Secret(ctx context.Context, source string) (forge.Kind, string, error)
	// Nudge has a source be looked at soon, as something may have happened at its forge. Of several events that came at once only the
	// newest is told, so that whoever is nudged has to look at everything.
	Nudge(ctx context.Context, source string, event hook.Event) error
}

// Bounds on what forges send.
const (
	hookWithin    = 10 * time.Second // so long a delivery may take to arrive: a forge gives up sooner
	hooksAtOnce   = 32               // that are being read and large: others are read whoever else sends something slowly
	hooksSeen     = 10_000           // of which is remembered that they came
	secretKept    = 10 * time.Second
	secretsKept   = 1000
	nudgeEvery    = 2 * time.Second
	nudgeWithin   = 10 * time.Second
	maxSourceName = 253
)

const (
	hooksPath = wire.Prefix + "/hooks/"
	// hookOperation is what metrics and traces call a delivery.
	hookOperation = "take-hook"
)

// hooks takes deliveries. Nobody shows who he is there: a delivery proves itself.
type hooks struct {
	*server
	places chan struct{}
	seen   *hook.Seen
	known  secrets
	none   secrets // those of sources that are not there: nobody knows them
	nudges nudges
}

func newHooks(s *server) *hooks {
	return &hooks{
		server: s, places: make(chan struct{}, hooksAtOnce), seen: hook.NewSeen(hooksSeen),
		known: secrets{of: map[string]keptSecret{}}, none: secrets{of: map[string]keptSecret{}},
		nudges: nudges{tell: s.Hooks.Nudge, clock: s.Clock, of: map[string]*nudging{}},
	}
}

// isHook reports whether a request is a delivery, to which no bearer belongs.
func (s *server) isHook(r *http.Request) bool {
	return s.Hooks != nil && strings.HasPrefix(r.URL.Path, hooksPath)
}

// take answers a delivery before anything is done about it.
func (h *hooks) take(w http.ResponseWriter, r *http.Request) {
	if c, ok := w.(*counting); ok {
		c.operation = hookOperation
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * h.HookWithin))
	body, err := h.read(w, r)
	if err != nil {
		h.Metrics.Hook(metrics.HookUnread)
		h.unread(w, err)
		return
	}
	source := r.PathValue("source")
	event, err := h.event(r, source, body)
	switch code := fault.CodeOf(err); {
	case code == fault.Unauthorized:
		h.Metrics.Hook(metrics.HookRefused)
		if !h.wrong.allow(address(r)) {
			h.tooMuch(w)
			return
		}
		h.Logger.Info("refused a delivery", "source", clip.Bytes(source, maxSourceName), "from", r.RemoteAddr)
		w.Header().Set("WWW-Authenticate", "Signature")
		h.write(w, problemOf(err))
		return
	case code == fault.Invalid:
		h.Metrics.Hook(metrics.HookUnread)
		h.write(w, problemOf(err))
		return
	case err != nil:
		h.Metrics.Hook(metrics.HookFailed)
		h.Logger.Warn("cannot tell whether a delivery is its forge's", "source", source, "error", err)
		h.write(w, problemOf(fault.New(fault.Unreachable, "cannot take delivery now; send it again later")))
		return
	}
	switch {
	case !h.seen.First(source + " " + event.Once):
		h.Metrics.Hook(metrics.HookReplayed)
	case event.Kind == hook.Ping || event.Kind == hook.Other:
		h.Metrics.Hook(metrics.HookIdle)
	default:
		h.Metrics.Hook(metrics.HookTaken)
		h.nudges.nudge(context.WithoutCancel(r.Context()), source, event, h.nudged)
	}
	w.WriteHeader(http.StatusAccepted)
}

// nudged is done after somebody was nudged.
func (h *hooks) nudged(source string, err error) {
	h.Metrics.Nudged(err == nil)
	if err != nil {
		h.Logger.Warn("cannot nudge a source; it is looked at when its interval is over", "source", source, "error", err)
	}
}

// errBusy is that too many deliveries are being read.
var errBusy = errors.New("too many deliveries are being read")

// read returns the body of a delivery.
func (h *hooks) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > hook.MaxBody {
		return nil, &http.MaxBytesError{Limit: hook.MaxBody}
	}
	if r.ContentLength < 0 || r.ContentLength > middleBody {
		select {
		case h.places <- struct{}{}:
		default:
			return nil, errBusy
		}
		defer func() { <-h.places }()
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.HookWithin))
	return io.ReadAll(http.MaxBytesReader(w, r.Body, hook.MaxBody))
}

// unread answers a delivery that could not be read.
func (h *hooks) unread(w http.ResponseWriter, err error) {
	var large *http.MaxBytesError
	w.Header().Set("Connection", "close") // what is left of it is no request
	p := problemOf(fault.New(fault.Invalid, "cannot take delivery: it did not arrive whole within %s", h.HookWithin))
	p.Status = http.StatusRequestTimeout
	switch {
	case errors.Is(err, errBusy):
		w.Header().Set("Retry-After", strconv.Itoa(1))
		p = problemOf(fault.New(fault.Unreachable, "cannot take delivery now; send it again later"))
	case errors.As(err, &large):
		p = problemOf(fault.New(fault.Invalid, "cannot take delivery: it has more than %d bytes", hook.MaxBody))
		p.Status = http.StatusRequestEntityTooLarge
	}
	p.Title = http.StatusText(p.Status)
	h.write(w, p)
}

// event is what a delivery says. For a source that is not there it does the same work, and fails with the same words, as for a secret that
// is wrong.
func (h *hooks) event(r *http.Request, source string, body []byte) (hook.Event, error) {
	secret, err := h.secret(r.Context(), source)
	if err != nil {
		return hook.Event{}, err
	}
	return hook.Read(r.Header, body, secret, h.Clock.Now())
}

// secret is that of a source; where there is no such source, one that nobody knows.
func (h *hooks) secret(ctx context.Context, source string) (hook.Secret, error) {
	nobodys := hook.Secret{Forge: forge.GitHub, Value: rand.Text()}
	if source == "" || len(source) > maxSourceName {
		return nobodys, nil
	}
	for _, kept := range []*secrets{&h.known, &h.none} {
		if s, ok := kept.get(source, h.Clock.Now()); ok {
			return s, nil
		}
	}
	ctx, stop := context.WithTimeout(ctx, nudgeWithin)
	defer stop()
	kind, value, err := h.Hooks.Secret(ctx, source)
	if fault.CodeOf(err) == fault.NotFound {
		h.none.keep(source, nobodys, h.Clock.Now())
		return nobodys, nil
	}
	if err != nil {
		return hook.Secret{}, fault.Wrap(fault.Unreachable, err, "cannot read the secret of source %s", source)
	}
	s := hook.Secret{Forge: kind, Value: value}
	h.known.keep(source, s, h.Clock.Now())
	return s, nil
}

// secrets are those that were read a moment ago: a flood of deliveries is no flood of reading.
type secrets struct {
	mu sync.Mutex
	of map[string]keptSecret
}

type keptSecret struct {
	hook.Secret
	at time.Time
}

func (s *secrets) get(source string, now time.Time) (hook.Secret, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.of[source]
	return k.Secret, ok && now.Sub(k.at) < secretKept
}

func (s *secrets) keep(source string, secret hook.Secret, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.of) >= secretsKept {
		clear(s.of)
	}
	s.of[source] = keptSecret{secret, now}
}

// nudges are told one after another for each source, and not too often: one that is told, and the newest of those that came meanwhile.
type nudges struct {
	tell  func(ctx context.Context, source string, event hook.Event) error
	clock clock.Clock

	mu sync.Mutex
	of map[string]*nudging
}

type nudging struct{ next *hook.Event }

// nudge returns at once.
func (n *nudges) nudge(ctx context.Context, source string, event hook.Event, told func(string, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if of := n.of[source]; of != nil {
		of.next = &event
		return
	}
	n.of[source] = &nudging{next: &event}
	go func() {
		for event := n.next(source); event != nil; event = n.next(source) {
			within, stop := context.WithTimeout(ctx, nudgeWithin)
			err := n.tell(within, source, *event)
			stop()
			told(source, err)
			<-n.clock.After(nudgeEvery)
		}
	}()
}

// next is whom to tell what; nil where there is nothing, and then nobody is at it any more.
func (n *nudges) next(source string) *hook.Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	of := n.of[source]
	event := of.next
	if of.next = nil; event == nil {
		delete(n.of, source)
	}
	return event
}
