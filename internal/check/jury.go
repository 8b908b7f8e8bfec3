package check

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines/rule"
)

// ErrNotPassed is what ends the work that is judged because a check did not pass.
var ErrNotPassed = errors.New("a check did not pass")

// patience is for how long whoever is judged waits for its verdict. Rules take far less, and where one does not hold nothing more may
// move. What takes longer is waited for at the end of the batch only.
const patience = 200 * time.Millisecond

// Jury judges what is seen of a batch beside the driver that moves it, so that a slow check never stalls pods. It judges the
// latest facts: what was seen while it was busy, and has been overtaken since, is not judged.
type Jury struct {
	clock clock.Clock
	judge func(rule.Facts) ([]api.Check, error)
	end   func()

	mu   sync.Mutex
	next *rule.Facts   // to be judged
	busy chan struct{} // closed once everything is judged; nil where it is
	last Verdict
	bad  bool // the last verdict ends the call: nothing is judged after it
}

// Verdict is what checks made of facts.
type Verdict struct {
	Facts  rule.Facts
	Checks []api.Check
}

// NewJury returns a jury that judges by a function, and calls end once, when a check did not pass. An error of judge is no verdict.
func NewJury(c clock.Clock, judge func(rule.Facts) ([]api.Check, error), end func()) *Jury {
	return &Jury{clock: c, judge: judge, end: end}
}

// Hear has facts judged, and waits a moment for the verdict unless earlier facts are still being judged. It returns ErrNotPassed
// once any verdict does not pass, and else the context's error.
func (j *Jury) Hear(ctx context.Context, facts rule.Facts) error {
	if judged := j.take(facts); judged != nil {
		enough := j.clock.NewTimer(patience)
		defer enough.Stop()
		select {
		case <-judged:
		case <-enough.C():
		case <-ctx.Done():
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.bad {
		return ErrNotPassed
	}
	return ctx.Err()
}

// take takes facts in. It returns what is closed once they are judged; nil where it was busy, or there is nothing to judge any more.
func (j *Jury) take(facts rule.Facts) <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.bad {
		return nil
	}
	j.next = &facts
	if j.busy != nil {
		return nil
	}
	j.busy = make(chan struct{})
	go j.work(j.busy)
	return j.busy
}

func (j *Jury) work(done chan struct{}) {
	defer close(done)
	for facts := j.due(); facts != nil; facts = j.due() {
		checks, err := j.judge(*facts)
		if err == nil {
			j.keep(Verdict{*facts, checks})
		}
	}
}

// due is what is to be judged; nil where nothing is, and the jury is not busy any more.
func (j *Jury) due() *rule.Facts {
	j.mu.Lock()
	defer j.mu.Unlock()
	facts := j.next
	if j.next = nil; facts == nil {
		j.busy = nil
	}
	return facts
}

func (j *Jury) keep(v Verdict) {
	_, bad := plan.FirstBad(v.Checks)
	j.mu.Lock()
	j.last, j.bad = v, bad
	if bad {
		j.next = nil
	}
	j.mu.Unlock()
	if bad {
		j.end()
	}
}

// Rest waits until everything that was heard is judged. It returns the last verdict, and whether that one did not pass.
func (j *Jury) Rest() (Verdict, bool) {
	j.mu.Lock()
	busy := j.busy
	j.mu.Unlock()
	if busy != nil {
		<-busy
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last, j.bad
}
