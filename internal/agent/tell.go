package agent

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/uplink"
)

const (
	tellEvery = 200 * time.Millisecond // at most: what is said meanwhile is told together
	tellAgain = 2 * time.Second        // where the server did not hear
)

// tell tells the server what probes found, until ctx ends. Where it does not hear, that waits.
func (a *agent) tell(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.findings.wake:
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

// tellAll tells all that waits.
func (a *agent) tellAll(ctx context.Context) error {
	for told := false; ; told = true {
		b := a.findings.next()
		if b == nil {
			if told {
				return a.findings.settle()
			}
			return nil
		}
		if err := a.tellSome(ctx, b.said); err != nil {
			return err
		}
		a.findings.heard(b)
	}
}

// tellSome tells what is said, and again in halves what the server does not take: one thing that it takes at no time, or a cluster that is
// of another site by now, keeps nothing else back.
func (a *agent) tellSome(ctx context.Context, said []probing.Said) error {
	_, err := uplink.Probes.Call(ctx, a.server, said)
	code := fault.CodeOf(err)
	if code != fault.Unauthorized && code != fault.Invalid && code != fault.Refused {
		return err
	}
	one, other := halves(said)
	if len(other) == 0 || code == fault.Unauthorized && len(said) == 1 {
		a.Logger.Error("what probes found is left out, as the server does not take it", "cluster", said[0].Cluster, "error", err)
		return nil
	}
	if err := a.tellSome(ctx, one); err != nil {
		return err
	}
	return a.tellSome(ctx, other)
}

// halves are the two halves of what is said: of several clusters some, and of one what has gone, then states, then outcomes.
func halves(said []probing.Said) (one, other []probing.Said) {
	if n := len(said) / 2; n > 0 {
		return said[:n], said[n:]
	}
	all := said[0]
	half := (len(all.Gone) + len(all.Stands) + len(all.Outcomes)) / 2
	if half == 0 {
		return said, nil
	}
	first, second := all, all
	first.Gone, second.Gone, half = cut(all.Gone, half)
	first.Stands, second.Stands, half = cut(all.Stands, half)
	first.Outcomes, second.Outcomes, _ = cut(all.Outcomes, half)
	second.Dropped = 0
	return []probing.Said{first}, []probing.Said{second}
}

// cut cuts a list after so many, and says how many of them it did not have.
func cut[T any](all []T, n int) (first, second []T, left int) {
	k := min(n, len(all))
	return all[:k:k], all[k:], n - k
}
