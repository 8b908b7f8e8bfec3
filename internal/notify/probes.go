package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

// probesEvery is how often what probes find is looked at.
const probesEvery = 5 * time.Second

// A case that runs by cron has a day until somebody is told that nobody has ever looked.
const firstByCron = 25 * time.Hour

// LookAtProbes notices what cases in clusters have turned to since anybody looked, and queues it for the receivers that hear of it. Where
// none hears of probes nothing is noticed. It is for one loop alone: what has turned a moment ago is remembered in between.
func (n *Notifier) LookAtProbes(ctx context.Context) error {
	if !slices.ContainsFunc(slices.Collect(maps.Values(n.Receivers)), func(r *pipelines.Receiver) bool { return r.Spec.Probes != nil }) {
		return nil
	}
	now := n.Clock.Now()
	turns, revision, err := n.Ledger.ListProbeTurns(ctx)
	if err != nil {
		return err
	}
	bad, err := n.Ledger.BadProbes(ctx, now)
	if err != nil {
		return err
	}
	if n.ripening == nil {
		n.ripening = ripening{}
	}
	changes, notes := n.ripening.due(bad, turns, now)
	told, err := n.tellable(ctx, changes, now)
	if err != nil || len(told)+len(notes) == 0 {
		return err
	}
	for _, to := range []probing.State{probing.Failing, probing.Unknown, probing.Passing} {
		for _, t := range told[to] {
			notes = append(notes, noted(to, t, now))
		}
	}
	queue, err := n.ofTurns(ctx, told, revision, now)
	if err != nil {
		return err
	}
	if err := n.Ledger.TurnProbes(ctx, revision, notes, queue); err != nil {
		if fault.CodeOf(err) == fault.Conflict {
			return nil // another worker has noticed it
		}
		return err
	}
	for _, t := range notes {
		delete(n.ripening, spot{t.Case, t.Cluster})
	}
	return nil
}

// tellable are changes with what is to be said of them, by what they are now.
func (n *Notifier) tellable(ctx context.Context, changes []change, now time.Time) (map[probing.State][]Turn, error) {
	var worst []int64
	over := map[string][]string{}
	for _, c := range changes {
		if c.to == probing.Passing {
			over[c.probeCase] = append(over[c.probeCase], c.cluster)
			continue
		}
		worst = append(worst, c.bad.Worst)
	}
	stands, err := n.Ledger.StandsAt(ctx, worst)
	if err != nil {
		return nil, err
	}
	best := map[spot]probing.State{}
	for probeCase, clusters := range over {
		states, err := n.Ledger.BestStates(ctx, probeCase, clusters)
		if err != nil {
			return nil, err
		}
		for cluster, state := range states {
			best[spot{probeCase, cluster}] = state
		}
	}
	told := map[probing.State][]Turn{}
	for _, c := range changes {
		if c.to == probing.Passing {
			if state := best[c.spot]; state != probing.Failing && state != probing.Unknown { // else it is another already
				told[c.to] = append(told[c.to], overNow(c, state, now))
			}
			continue
		}
		st, there := stands[c.bad.Worst]
		if !there || st.At(now) != c.to {
			continue // it is another already
		}
		if unlooked(st, now) || c.to == probing.Unknown && unasked(st) {
			n.ripening[c.spot] = ripe{c.to, now}
			continue
		}
		told[c.to] = append(told[c.to], turnOf(c, st))
	}
	return told, nil
}

// unlooked reports whether it is too soon to wonder that nobody has looked at a case yet.
func unlooked(st probing.Stand, now time.Time) bool {
	if st.Last != nil {
		return false
	}
	wait := 2 * st.Schedule.Every.Duration
	if st.Schedule.Cron != "" {
		wait = firstByCron
	}
	return now.Before(st.Since.Add(wait))
}

// unasked reports whether a result is too old that nothing but an event or a person brings anew: nobody misses it.
func unasked(st probing.Stand) bool {
	return st.Last != nil && st.State != probing.Unknown && !st.Mode.ByItself(st.Schedule)
}

// turnOf is what is said of a case that is not well.
func turnOf(c change, st probing.Stand) Turn {
	t := Turn{
		Case: c.probeCase, Cluster: c.cluster, State: c.to, Since: st.Since.UTC(), Target: st.Target, Targets: c.bad.Unknown,
		Severity: cmp.Or(st.Severity, usualSeverity), Owner: st.Owner, Enforcing: st.Enforcement.Mode == probing.Enforcing,
	}
	if c.to == probing.Failing {
		t.Targets = c.bad.Failing
	}
	if c.was.State != probing.Passing {
		t.Was, t.been = c.was.State, c.was.State // of two that it may be, the other one
		t.weighed, t.held = c.was.Severity, c.was.Enforcing
	}
	if st.Last != nil {
		t.Run, t.Code, t.Says = st.Last.ID, st.Last.Code, clip.Bytes(st.Last.Message, maxSaid)
	}
	if c.to == probing.Unknown && st.State != probing.Unknown {
		t.Since, t.Says = st.Until.UTC(), fmt.Sprintf("nothing was heard of it for too long; it was %s", st.State)
	}
	return t
}

// overNow is what is said of a case that was not well: it goes by what was noticed of it.
func overNow(c change, now probing.State, at time.Time) Turn {
	return Turn{
		Case: c.probeCase, Cluster: c.cluster, State: now, Was: c.was.State, Since: at.UTC(), Severity: c.was.Severity, Owner: c.was.Owner,
		Enforcing: c.was.Enforcing, been: c.was.Been,
	}
}

// ofTurns are the notices that follow from turns: few for each receiver, however many turn at once.
func (n *Notifier) ofTurns(
	ctx context.Context, told map[probing.State][]Turn, revision int64, now time.Time,
) (queue []ledger.Notice, err error) {
	place := func(string) (plan.Place, bool) { return plan.Place{}, false }
	if n.Places != nil {
		if place, err = n.Places(ctx); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.Receivers)) {
		spec := &n.Receivers[name].Spec
		for _, to := range []probing.State{probing.Passing, probing.Failing, probing.Unknown} {
			var heard []Turn
			for _, t := range told[to] {
				at, known := place(t.Cluster)
				if hearsTurn(spec, to, t, at, known) {
					t.environment = at.Environment
					heard = append(heard, t)
				}
			}
			for i, part := range together(heard) {
				e := newTurnEvent(fmt.Sprintf("%s/%d/%s/%d", ledger.NoticesOfProbes, revision+1, eventOf(to), i), to, part, now)
				body, err := json.Marshal(e)
				if err != nil {
					return nil, fault.Wrap(fault.Internal, err, "cannot write what probes found")
				}
				queue = append(queue, ledger.Notice{
					Key: e.Key, Receiver: name, Run: ledger.NoticesOfProbes, About: e.Probes.About, Event: string(e.Event), Body: string(body), At: e.At,
				})
			}
		}
	}
	return queue, nil
}
