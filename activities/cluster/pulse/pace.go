package pulse

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines/rule"
)

// ErrStalled ends a driver's call because nothing got on for longer than the deadline.
var ErrStalled = errors.New("it does not get on")

// VigilEvery is how often the time is counted in which no look comes.
const VigilEvery = 5 * time.Second

const (
	lookedAtMost = 15 * time.Second // what counts between two looks; in the rest nobody was in touch with the cluster
	standsAfter  = 10 * time.Second // what keeps a batch is looked for once it has stood for so long
	awayAfter    = time.Minute      // a controller that has done nothing for so long may not be there
)

// Pace is how far a long activity has got, and for how long it has got no further. Time counts while somebody looks: what was
// out of reach had no chance to get on.
type Pace struct {
	mu       sync.Mutex
	deadline time.Duration
	settle   time.Duration // minReadySeconds: once all are ready, that long nothing more is to be seen
	subject  string
	most     counts
	now      step.Progress
	seen     time.Time // when it was last looked at
	behind   time.Time // since when the controller has not seen the spec
	missing  time.Time // since when pods are missing
}

// counts are what gets on; each counts by the most that it has been, so that what goes up and down does not.
type counts struct{ updated, ready, available int }

// NewPace is how far a request has got, from what the attempt before said last.
func NewPace(req step.AdvanceRequest, before step.Progress, now time.Time) *Pace {
	p := &Pace{
		deadline: req.Deadline, subject: req.Object, seen: now,
		now: step.Progress{Since: now.UTC(), Target: req.Target, Total: req.Total},
	}
	if !before.Since.IsZero() {
		p.now.Since, p.now.Idle = before.Since, before.Idle
		p.now.Updated, p.now.Ready, p.now.Available = before.Updated, before.Ready, before.Available
		p.most = counts{before.Updated, before.Ready, before.Available}
	}
	return p
}

// Waits says for how long pods that are ready may be so before they are available.
func (p *Pace) Waits(settle time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle = settle
}

// Said is what was said last.
func (p *Pace) Said() step.Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// Stands reports whether it is time to ask what keeps it.
func (p *Pace) Stands(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now.Idle+p.since(now) >= standsAfter
}

// since is the time that counts since the last look.
func (p *Pace) since(now time.Time) time.Duration { return min(max(now.Sub(p.seen), 0), lookedAtMost) }

// Look takes in what was seen. It returns what to say of it, and whether it has stood for too long.
func (p *Pace) Look(now time.Time, seen api.Facts) (step.Progress, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, w := seen.Facts.Batch, seen.Facts.Workload
	is := counts{int(b.Updated), int(b.UpdatedReady), int(w.UpdatedAvailable)}
	if is.updated > p.most.updated || is.ready > p.most.ready || is.available > p.most.available {
		p.now.Since, p.now.Idle = now.UTC(), 0
	} else {
		p.now.Idle += p.since(now)
	}
	p.seen = now
	p.most = counts{max(is.updated, p.most.updated), max(is.ready, p.most.ready), max(is.available, p.most.available)}
	p.now.Updated, p.now.Ready, p.now.Available, p.now.Stuck = is.updated, is.ready, is.available, seen.Stuck
	if p.now.Target == 0 {
		p.now.Target, p.now.Total = int(b.Target), int(b.Total) // a way back: the plan does not say how far it goes
	}
	p.now.Note = p.controllers(now, w, seen.Stuck)
	return p.told(b)
}

// Wait counts the time in which no look came.
func (p *Pace) Wait(now time.Time) (step.Progress, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.seen) < lookedAtMost {
		return p.now, false // looks come
	}
	p.now.Idle += p.since(now)
	p.seen = now
	if p.now.Idle >= awayAfter {
		p.now.Note = fmt.Sprintf("the controller of %s has not seen what was written; are the controllers of the cluster running?", p.subject)
	}
	return p.told(rule.Batch{Target: 1})
}

// told says whether it has stood for too long.
func (p *Pace) told(b rule.Batch) (step.Progress, bool) {
	most := p.deadline
	if b.UpdatedReady >= b.Target {
		most += p.settle
	}
	p.now.Stalled = p.deadline > 0 && p.now.Idle > most
	return p.now, p.now.Stalled
}

// controllers says where a cluster's controllers do not do their work, as after an outage from which only its API server has
// come back; "" where they do.
func (p *Pace) controllers(now time.Time, w rule.Workload, stuck *api.Stuck) string {
	behind := w.Observed < w.Generation
	missing := stuck != nil && stuck.Missing > 0
	p.behind, p.missing = begun(p.behind, behind, now), begun(p.missing, missing, now)
	const ask = "; are the controllers of the cluster running?"
	switch {
	case behind && now.Sub(p.behind) >= awayAfter:
		return fmt.Sprintf("the controller of %s has seen generation %d of %d%s", p.subject, w.Observed, w.Generation, ask)
	case missing && now.Sub(p.missing) >= awayAfter:
		return fmt.Sprintf("nobody makes %d of the pods of %s%s", stuck.Missing, p.subject, ask)
	}
	return ""
}

// begun is since when something is so; the zero time where it is not.
func begun(since time.Time, is bool, now time.Time) time.Time {
	switch {
	case !is:
		return time.Time{}
	case since.IsZero():
		return now
	}
	return since
}

// Stalled is the verdict on a batch that did not get on.
func Stalled(p step.Progress, deadline time.Duration) api.Check {
	text := fmt.Sprintf("nothing got on for %s: %d of %d pods are updated, %d of these are ready", deadline, p.Updated, p.Target, p.Ready)
	if p.Note != "" {
		text += "; " + p.Note
	}
	if s := p.Stuck; s != nil && len(s.Pods) > 0 {
		text += fmt.Sprintf("; pod %s: %s", s.Pods[0].Name, s.Pods[0].Reason)
		if m := s.Pods[0].Message; m != "" {
			text += ": " + m
		}
	}
	return api.Check{Name: api.Progress, At: "during", Verdict: api.Inconclusive, Message: text}
}
