package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice.dev/sluice/activities/cluster/pulse"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines/rule"
)

// errCheck ends a driver's call because a check did not pass.
var errCheck = errors.New("a check did not pass")

// patience is for how long a look waits for its verdict. Rules take far less, and where one does not hold nothing more may
// move. What takes longer is waited for at the end of the batch only.
const patience = 200 * time.Millisecond

// jury judges what is seen of a batch beside the driver that moves it, so that a slow check never stalls pods. It judges the
// latest facts: what was seen while it was busy, and has been overtaken since, is not judged.
type jury struct {
	judge   func(rule.Facts) ([]api.Check, error) // an error is no verdict
	end     func()                                // called once, when a check did not pass
	adjourn context.CancelFunc

	mu   sync.Mutex
	next *rule.Facts   // to be judged
	busy chan struct{} // closed once everything is judged; nil where it is
	last verdict
	bad  bool // the last verdict ends the call: nothing is judged after it
}

// verdict is what checks made of facts.
type verdict struct {
	facts  rule.Facts
	checks []api.Check
}

// newJury judges until ctx, the activity's, ends or it is adjourned.
func (w *watcher) newJury(ctx context.Context) *jury {
	ctx, adjourn := context.WithCancel(ctx)
	return &jury{
		judge:   func(facts rule.Facts) ([]api.Check, error) { return w.a.judge(ctx, w.req.Checks, facts) },
		end:     func() { w.end(errCheck) },
		adjourn: adjourn,
	}
}

// follow adjourns the jury with the call of the driver. Where that ends for a verdict, or because it does not get on, the last
// facts are judged all the same.
func (j *jury) follow(ctx context.Context) {
	context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); !errors.Is(cause, errCheck) && !errors.Is(cause, pulse.ErrStalled) {
			j.adjourn()
		}
	})
}

// hear has facts judged, and waits a moment for the verdict unless earlier facts are still being judged. It returns errCheck once
// any verdict does not pass, and else the context's error.
func (j *jury) hear(ctx context.Context, facts rule.Facts) error {
	if judged := j.take(facts); judged != nil {
		enough := time.NewTimer(patience)
		defer enough.Stop()
		select {
		case <-judged:
		case <-enough.C:
		case <-ctx.Done():
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.bad {
		return errCheck
	}
	return ctx.Err()
}

// take takes facts in. It returns what is closed once they are judged; nil where it was busy, or there is nothing to judge any more.
func (j *jury) take(facts rule.Facts) <-chan struct{} {
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

func (j *jury) work(done chan struct{}) {
	defer close(done)
	for facts := j.due(); facts != nil; facts = j.due() {
		checks, err := j.judge(*facts)
		if err == nil {
			j.keep(verdict{*facts, checks})
		}
	}
}

// due is what is to be judged; nil where nothing is, and the jury is not busy any more.
func (j *jury) due() *rule.Facts {
	j.mu.Lock()
	defer j.mu.Unlock()
	facts := j.next
	if j.next = nil; facts == nil {
		j.busy = nil
	}
	return facts
}

func (j *jury) keep(v verdict) {
	_, bad := api.FirstBad(v.checks)
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

// rest waits until everything that was heard is judged. It returns the last verdict, and whether that one did not pass.
func (j *jury) rest() (verdict, bool) {
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
