// Package probe asks one thing once over the network - a URL, a TCP port, a name server, a certificate - and says what came of it
// and at which layer it ended. It knows nothing of rollouts and clusters, asks nothing a second time, and goes through no proxy.
//
// What did not answer, or answered wrong, is Failed; what could not be asked for our own reasons is Error; what was cut off before
// the answer could be told is Inconclusive:
//
//	question  a URL, pattern, name or authority that is none                            Error
//	resolve   the name does not exist, or has no address                                Failed
//	          the resolver of this machine does not answer, or fails                    Error
//	connect   refused, reset, no answer in time, host unreachable                       Failed
//	          no route, no port, no file left here; forbidden by our own firewall       Error
//	          an address that is not to be asked (see Reserved)                         Error
//	tls       no TLS, an alert, a certificate that is expired, unknown or of another    Failed
//	answer    cut off, garbled, too late, by another protocol                           Failed
//	status    another status, a redirect that is not followed                           Failed
//	body      what must be there is not, what must not be there is                      Failed
//	          it was longer than what is read, and neither is sure                      Inconclusive
//	records   the named server says that there are none, or others                      Failed
//	          the resolver of this machine fails                                        Error
//
// A context that ended from outside is no verdict: the result is Error, whatever had been seen.
package probe

import (
	"context"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
)

// DefaultWithin is in what time an answer must be there, whole, where a probe does not say.
const DefaultWithin = 5 * time.Second

// Layer is how far a probe came.
type Layer string

// The layers, in the order in which a probe goes through them.
const (
	Question Layer = "question" // what is asked makes no sense
	Resolve  Layer = "resolve"
	Connect  Layer = "connect"
	TLSLayer Layer = "tls"
	Reply    Layer = "answer" // of the protocol: it came, whole and in time
	Status   Layer = "status"
	Body     Layer = "body"
	Records  Layer = "records"
)

// Result is what came of a probe.
type Result struct {
	Target  string        // what was asked, as people would write it
	Verdict api.Verdict   // Passed, Failed, Inconclusive or Error
	Layer   Layer         // at which it ended; "" where it passed
	Message string        // what was wrong, beginning with "cannot" or with what was seen; "" where it passed
	Late    bool          // it ended because time ran out, or because nobody was there: what a broken way looks like too
	Took    time.Duration // from the question to the end
	Seen    map[string]any
}

// Prober asks. It is safe for concurrent use.
type Prober struct {
	clock    clock.PassiveClock
	resolver *net.Resolver
}

// New returns a Prober that resolves names by a resolver; nil is this machine's. The clock says how long answers took, and which
// certificates have expired.
func New(c clock.PassiveClock, resolver *net.Resolver) *Prober {
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	return &Prober{clock: c, resolver: resolver}
}

// attempt is one probe under way.
type attempt struct {
	*Prober
	reserved bool // reserved addresses may be asked

	mu    sync.Mutex // connections are dialled beside the one that asks
	layer Layer
	seen  map[string]any
}

// reach says how far the probe is.
func (a *attempt) reach(l Layer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.layer = l
}

func (a *attempt) at() Layer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.layer
}

// see keeps what was seen under a name.
func (a *attempt) see(name string, value any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[name] = value
}

// ask runs a probe within a time, and judges its end.
func (p *Prober) ask(
	ctx context.Context, target string, within time.Duration, reserved bool, probe func(context.Context, *attempt) error,
) Result {
	if within <= 0 {
		within = DefaultWithin
	}
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	a := &attempt{Prober: p, reserved: reserved, layer: Question, seen: map[string]any{}}
	began := p.clock.Now()
	err := probe(limited, a)
	r := Result{Target: target, Took: p.clock.Since(began), Verdict: api.Passed}
	a.mu.Lock()
	r.Seen = maps.Clone(a.seen)
	a.mu.Unlock()
	r.Seen["millis"] = r.Took.Milliseconds()
	switch {
	case err == nil:
	case ctx.Err() != nil, outlived(ctx, limited) && isTimeout(err):
		r.Verdict, r.Layer, r.Message = api.Error, a.at(), "it was cut short"
	case limited.Err() != nil:
		r.end(late(a.at(), within))
	default:
		r.end(judged(a.at(), err))
	}
	return r
}

// outlived reports whether the time of whoever asks ends before the probe's own: what runs out is not the target's then.
func outlived(ctx, limited context.Context) bool {
	theirs, ok := ctx.Deadline()
	ours, _ := limited.Deadline()
	return ok && !theirs.After(ours)
}

// end is how a probe ended that did not pass.
func (r *Result) end(e *end) {
	r.Verdict, r.Layer, r.Message, r.Late = e.verdict, e.layer, e.Error(), e.late
}

// late is the end of a probe that ran out of its time at a layer. A resolver that does not answer is our own.
func late(l Layer, within time.Duration) *end {
	verdict := api.Failed
	if l == Resolve || l == Question {
		verdict = api.Error
	}
	what := "no answer"
	switch l {
	case Resolve:
		what = "the name could not be resolved"
	case Connect:
		what = "no connection"
	case TLSLayer:
		what = "no end of the TLS handshake"
	case Body:
		what = "no whole answer"
	}
	return &end{l, verdict, fmt.Errorf("%s within %s", what, within), true}
}
