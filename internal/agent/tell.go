package agent

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/fault"
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
		_, err := uplink.Probes.Call(ctx, a.server, b.said)
		switch fault.CodeOf(err) {
		case fault.Unauthorized, fault.Invalid, fault.Refused:
			if len(b.said) > 1 { // it may be one cluster that is not heard
				err = a.tellEach(ctx, b)
				break
			}
			// The cluster is of another site by now, or the server would take it at no time: it keeps no other back.
			a.Logger.Error("what probes found is left out, as the server does not take it", "cluster", b.said[0].Cluster, "error", err)
			err = nil
		}
		if err != nil {
			return err
		}
		a.findings.heard(b)
	}
}

// tellEach tells of one cluster after the other.
func (a *agent) tellEach(ctx context.Context, b *batch) error {
	for i := range b.said {
		_, err := uplink.Probes.Call(ctx, a.server, b.said[i:i+1])
		switch fault.CodeOf(err) {
		case fault.Unauthorized, fault.Invalid, fault.Refused:
			a.Logger.Error("what probes found is left out, as the server does not take it", "cluster", b.said[i].Cluster, "error", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
