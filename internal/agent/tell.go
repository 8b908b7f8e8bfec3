package agent

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/uplink"
)

const (
	tellEvery   = 200 * time.Millisecond // at most: what is said meanwhile is told together
	tellAgain   = 2 * time.Second        // where the server did not hear
	refusedMany = 40                     // calls in a row that are refused: what is left of a batch is not tried
	namedAtOnce = 10                     // items that one line of a log names
)

// tell tells the server what probes found, until ctx ends. Where it does not hear, that waits; what it refuses waits for longer.
func (a *agent) tell(ctx context.Context) error {
	for {
		if !a.await(ctx) {
			return nil
		}
		wait := tellEvery
		if err := a.tellAll(ctx); err != nil && ctx.Err() == nil {
			a.Logger.Warn("the server does not hear what probes found; it is told again", "error", err)
			a.findings.rouse()
			wait = tellAgain
		}
		if !pause(ctx, a.Clock, wait) {
			return nil
		}
	}
}

// await waits until something is to be told; false where ctx ends before.
func (a *agent) await(ctx context.Context) bool {
	var again <-chan time.Time
	if wait, refused := a.findings.again(a.Clock.Now()); refused {
		timer := a.Clock.NewTimer(wait)
		defer timer.Stop()
		again = timer.C()
	}
	select {
	case <-ctx.Done():
		return false
	case <-a.findings.wake:
	case <-again:
	}
	return true
}

// tellAll tells all that waits, but for what was refused a short while ago.
func (a *agent) tellAll(ctx context.Context) error {
	for told := false; ; told = true {
		b := a.findings.next(a.Clock.Now())
		if b == nil {
			a.findings.overtaken(a.Clock.Now())
			if told {
				return a.findings.settle(a.Clock.Now())
			}
			return nil
		}
		t := &telling{refused: map[item]error{}, dropped: map[string]int64{}}
		if err := a.tellSome(ctx, b.said, t); err != nil {
			return err
		}
		a.findings.heard(b, t)
		a.note(t)
	}
}

// note says what the server has refused: once, and not each time that it does.
func (a *agent) note(t *telling) {
	left, fresh := a.findings.refuse(t, a.Clock.Now())
	for n, i := range left {
		if n == namedAtOnce {
			a.Logger.Error("more of what probes found is left out", "items", len(left)-n)
			break
		}
		a.Logger.Error("the server does not take this of what probes found, and takes other things: it is left out", "cluster", i.cluster,
			"item", i.String(), "error", t.refused[i])
	}
	for n, i := range fresh {
		if n == namedAtOnce {
			a.Logger.Warn("more of what probes found is refused, and waits", "items", len(fresh)-n)
			break
		}
		a.Logger.Warn("the server refuses what probes found: it waits, and is told again", "cluster", i.cluster, "item", i.String(),
			"error", t.refused[i])
	}
}

// telling is what has come of telling a batch.
type telling struct {
	refused map[item]error
	dropped map[string]int64 // how many outcomes the server has heard that were left out, by cluster
	took    bool             // it has taken something
	row     int              // calls that it has refused since
}

// tellSome tells what is said, and again in halves what the server does not take: one thing that it takes at no time, or a cluster that is
// of another site by now, keeps nothing else back. Where it takes nothing at all the rest is not tried.
func (a *agent) tellSome(ctx context.Context, said []probing.Said, t *telling) error {
	_, err := uplink.Probes.Call(ctx, a.server, said)
	code := fault.CodeOf(err)
	switch {
	case err == nil:
		t.took, t.row = true, 0
		for _, one := range said {
			t.dropped[one.Cluster] += one.Dropped
		}
		return nil
	case code != fault.Unauthorized && code != fault.Invalid && code != fault.Refused:
		return err
	}
	t.row++
	one, other := halves(said)
	if len(other) == 0 || code == fault.Unauthorized && len(said) == 1 {
		t.refused[itemOf(said[0], code)] = err
		return nil
	}
	for _, half := range [][]probing.Said{one, other} {
		if t.row >= refusedMany {
			for _, rest := range half {
				t.refused[item{cluster: rest.Cluster}] = err
			}
			continue
		}
		if err := a.tellSome(ctx, half, t); err != nil {
			return err
		}
	}
	return nil
}

// itemOf is what is refused where it cannot be halved any more.
func itemOf(one probing.Said, code fault.Code) item {
	switch {
	case code == fault.Unauthorized:
	case one.Whole:
		return item{one.Cluster, theWhole, ""}
	case len(one.Turns) > 0:
		return item{one.Cluster, theTurns, ""}
	case len(one.Gone) > 0:
		return item{one.Cluster, goneCase, one.Gone[0]}
	case len(one.Stands) > 0:
		return ofStand(one.Cluster, &one.Stands[0])
	case len(one.Outcomes) > 0:
		return ofOutcome(one.Cluster, &one.Outcomes[0])
	}
	return item{cluster: one.Cluster}
}

// halves are the two halves of what is said: of several clusters some, and of one which cases it has, then which states were between, then
// what has gone, then states, then outcomes.
func halves(said []probing.Said) (one, other []probing.Said) {
	if n := len(said) / 2; n > 0 {
		return said[:n], said[n:]
	}
	all := said[0]
	things := len(all.Gone) + len(all.Stands) + len(all.Outcomes)
	first, second := all, all
	second.Dropped, second.Whole, second.Cases = 0, false, nil
	switch {
	case all.Whole && things+len(all.Turns) > 0:
		first.Gone, first.Turns, first.Stands, first.Outcomes = nil, nil, nil, nil
		return []probing.Said{first}, []probing.Said{second}
	case len(all.Turns) > 0 && things > 0:
		first.Gone, first.Stands, first.Outcomes, second.Turns = nil, nil, nil, nil
		return []probing.Said{first}, []probing.Said{second}
	case things < 2:
		return said, nil
	}
	half := things / 2
	first.Gone, second.Gone, half = cut(all.Gone, half)
	first.Stands, second.Stands, half = cut(all.Stands, half)
	first.Outcomes, second.Outcomes, _ = cut(all.Outcomes, half)
	return []probing.Said{first}, []probing.Said{second}
}

// cut cuts a list after so many, and says how many of them it did not have.
func cut[T any](all []T, n int) (first, second []T, left int) {
	k := min(n, len(all))
	return all[:k:k], all[k:], n - k
}
