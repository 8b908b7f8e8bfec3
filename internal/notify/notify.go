// Package notify tells receivers what runs do, and what probes find: it notices it from outside, queues it in the ledger, and tells until
// the receiver took it or it is too late. Runs know nothing of it.
package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/internal/rounds"
	"sluice.dev/sluice/pipelines"
)

// Ledger is the part of a ledger that is needed. It is wide as what is noticed, queued and told is in one place.
type Ledger interface {
	ledger.Notices
	ledger.ProbeTurns
	Drilled(ctx context.Context, id string) (api.Drilled, error)
	planstore.Source
}

// Receivers are who is told, by name.
type Receivers map[string]*pipelines.Receiver

// Notifier notices and tells. All fields but Suspects and Places are required.
type Notifier struct {
	Ledger    Ledger
	Phases    Phases
	Receivers Receivers
	Sender    *Sender
	Clock     clock.WithTicker
	// Suspects names what else had touched the clusters of a run that failed, the most likely first; nil: nobody is named.
	Suspects func(ctx context.Context, run string) ([]string, error)
	// Places returns what says where a cluster is; nil: nobody knows.
	Places func(ctx context.Context) (func(cluster string) (plan.Place, bool), error)

	ripening ripening
}

const (
	looksEvery = 3 * time.Second
	tellsEvery = time.Second
	// maxAge is how long a receiver is tried; what it has not taken by then is given up.
	maxAge = 24 * time.Hour
	// keeps is how long what was settled can still be listed.
	keeps = 7 * 24 * time.Hour
	// leased is how long nobody else tells what one worker does: longer than a Sender takes.
	leased = time.Minute
	// stands is how often an Alertmanager is told what stands still: it forgets when it restarts.
	stands = 5 * time.Minute
	// suspectsWithin is how long a notice waits for what else there is to say.
	suspectsWithin = 10 * time.Second
)

// Keep notices and tells until ctx ends. Each receiver is told apart from the others, so one that hangs holds up none.
func (n *Notifier) Keep(ctx context.Context, log *slog.Logger) {
	var all sync.WaitGroup
	all.Go(func() {
		rounds.Keep(ctx, n.Clock, looksEvery, rounds.Trying(log, "cannot notice what every run does", n.Look))
	})
	all.Go(func() {
		rounds.Keep(ctx, n.Clock, probesEvery, rounds.Trying(log, "cannot notice what every probe finds", n.LookAtProbes))
	})
	for name := range n.Receivers {
		all.Go(func() {
			rounds.Keep(ctx, n.Clock, tellsEvery, func(ctx context.Context) {
				for ctx.Err() == nil {
					told, err := n.Tell(ctx, name)
					if err != nil && ctx.Err() == nil {
						log.Warn("cannot tell a receiver; it is tried again", "receiver", name, "error", err)
					}
					if !told || err != nil {
						return
					}
				}
			})
		})
	}
	all.Wait()
}

// Tell tells a receiver the next thing that is due; false where nothing is. What the receiver says is in the ledger, and no error.
func (n *Notifier) Tell(ctx context.Context, receiver string) (bool, error) {
	r := n.Receivers[receiver]
	now := n.Clock.Now()
	due, err := n.Ledger.Claim(ctx, ledger.Claim{Receiver: receiver, Now: now, Until: now.Add(leased), PerMinute: r.Spec.Often()})
	if fault.CodeOf(err) == fault.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	event, err := readEvent(due.Body)
	if err != nil {
		return true, n.Ledger.Settle(ctx, due, ledger.Settlement{At: now, GaveUp: true, Outcome: "given up: " + err.Error()})
	}
	answer := n.Sender.Send(ctx, r, event)
	if ctx.Err() != nil {
		return false, ctx.Err() // the next worker tells it, when the claim has ended
	}
	return true, n.Ledger.Settle(ctx, due, settlement(due, answer, n.Clock.Now(), r.Spec.Alertmanager != nil && event.Event.Stands()))
}

// settlement is what becomes of a notice after an answer.
func settlement(due ledger.Notice, a Answer, now time.Time, standing bool) ledger.Settlement {
	s := ledger.Settlement{At: now, Outcome: a.Says, Took: a.Took}
	if a.Took {
		if standing {
			s.Again = now.Add(stands)
		}
		return s
	}
	wait := backoff(due.Attempts)
	if a.After > 0 {
		wait = max(wait, a.After)
		s.Quiet = now.Add(a.After)
	}
	s.Again = now.Add(wait)
	late := due.Told.IsZero() && s.Again.After(due.At.Add(maxAge))
	if a.Never || late {
		s.GaveUp, s.Again = true, time.Time{}
		s.Outcome = "given up: " + a.Says
	}
	return s
}
