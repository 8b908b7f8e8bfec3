package centre

import (
	"context"
	"regexp"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/uplink"
)

// Bounds on what an agent may say of a case.
const (
	mostFresh  = 8 * 24 * time.Hour // for how long a result may count: a weekly one, and a day
	mostAhead  = 2 * time.Minute    // of an agent's clock before the server's
	maxTarget  = 253
	maxOutcome = 64 << 10 // bytes of one, as it is kept
	maxRecent  = 64
	maxGone    = 1000 // cases; and as many that a cluster has
)

var caseName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

// probes hears what the probes of an agent's clusters have found.
func (c *Centre) probes(ctx context.Context, all []probing.Said) (none uplink.None, err error) {
	if len(all) > uplink.MaxSaid {
		return none, fault.New(fault.Invalid, "probes of %d clusters in one call are more than %d", len(all), uplink.MaxSaid)
	}
	results, now := 0, c.Clock.Now().UTC()
	for i := range all {
		if err := c.own(ctx, all[i].Cluster); err != nil {
			return none, err
		}
		if err := bound(&all[i], now); err != nil {
			return none, fault.Wrap(fault.Invalid, err, "cannot hear what probes of cluster %s found", all[i].Cluster)
		}
		results += len(all[i].Stands) + len(all[i].Outcomes)
	}
	who := callerOf(ctx)
	data, err := encoded(all)
	if err != nil {
		return none, err
	}
	if err := c.bounds.report(ctx, who.Name, min(results/resultsPerCall, callsAtOnce)); err != nil {
		return none, err
	}
	if err := c.bounds.store(ctx, who.Name, len(data)); err != nil {
		return none, err
	}
	if err := c.said.keep(ctx, all); err != nil {
		return none, err
	}
	for _, said := range all {
		c.heard(said)
	}
	return none, nil
}

// resultsPerCall is how many results cost as much as a call does: they are written together.
const resultsPerCall = 10

// heard has it be counted what was said, by whoever counts.
func (c *Centre) heard(said probing.Said) {
	if said.Dropped > 0 {
		c.Logger.Warn("an agent had no room for what probes found", "cluster", said.Cluster, "outcomes", said.Dropped)
	}
	if c.Heard != nil {
		c.Heard(said)
	}
}

// bound has something that was said be within bounds. It is fault.Invalid where it cannot be.
func bound(said *probing.Said, now time.Time) error {
	if len(said.Stands) > uplink.MaxStands || len(said.Outcomes) > uplink.MaxOutcomes || max(len(said.Gone), len(said.Cases)) > maxGone {
		return fault.New(fault.Invalid, "%d states, %d outcomes, %d cases and %d that have gone are more than one call may have",
			len(said.Stands), len(said.Outcomes), len(said.Cases), len(said.Gone))
	}
	ahead := max(said.At.Sub(now), 0)
	if said.At.IsZero() || ahead > mostAhead {
		said.At = now
	}
	for _, gone := range said.Gone {
		if !caseName.MatchString(gone) {
			return fault.New(fault.Invalid, "%.40q, which has gone, is no case", gone)
		}
	}
	if len(said.Turns) > uplink.MaxStands {
		return fault.New(fault.Invalid, "%d states between are more than one call may have", len(said.Turns))
	}
	for i := range said.Turns {
		t := &said.Turns[i]
		if !caseName.MatchString(t.Case) || !plainText(t.Target) || !slices.Contains(states, t.State) {
			return fault.New(fault.Invalid, "%.40q at %.40q is no case at a target, or %.20q no state", t.Case, t.Target, t.State)
		}
		if t.Since.After(now.Add(mostAhead)) {
			t.Since = now
		}
	}
	for _, has := range said.Cases {
		if !caseName.MatchString(has) {
			return fault.New(fault.Invalid, "%.40q, which the cluster has, is no case", has)
		}
	}
	for i := range said.Stands {
		if s := &said.Stands[i]; ahead > mostAhead && !s.Until.IsZero() {
			s.Until = s.Until.Add(-ahead) // it was reckoned by a clock that is fast
		}
		if err := boundStand(&said.Stands[i], said.Cluster, now); err != nil {
			return err
		}
	}
	for i := range said.Outcomes {
		if err := boundOutcome(&said.Outcomes[i], said.Cluster, now); err != nil {
			return err
		}
	}
	return nil
}

var (
	states   = []probing.State{probing.Passing, probing.Failing, probing.Unknown, probing.Paused}
	verdicts = []api.Verdict{api.Passed, api.Failed, api.Inconclusive, api.Error, api.Skipped}
)

// boundStand has a state that says of itself for how long it counts, as long as any may. What counts for ever would hide a prober that has
// ended.
func boundStand(s *probing.Stand, cluster string, now time.Time) error {
	if !caseName.MatchString(s.Case) || !plainText(s.Target) {
		return fault.New(fault.Invalid, "%.40q at %.40q is no case at a target", s.Case, s.Target)
	}
	if !slices.Contains(states, s.State) {
		return fault.New(fault.Invalid, "case %s is %.20q, which is no state", s.Case, s.State)
	}
	s.Cluster, s.Recent = cluster, line(s.Recent, maxRecent)
	if latest := now.Add(mostFresh); s.Until.IsZero() || s.Until.After(latest) {
		s.Until = latest
	}
	if s.Since.After(now.Add(mostAhead)) {
		s.Since = now
	}
	s.Owner, s.Binding, s.Probe = line(s.Owner, maxText), line(s.Binding, maxText), line(s.Probe, maxText)
	s.Version, s.Program, s.Severity = line(s.Version, maxText), line(s.Program, maxName), line(s.Severity, maxName)
	s.Namespace, s.Mode = line(s.Namespace, maxText), probing.Mode(line(string(s.Mode), maxName))
	if s.Last != nil { // an agent that was started anew does not know which run that was
		if err := boundResult(s.Last, cluster, now); err != nil {
			return err
		}
	}
	config := *s
	config.Last = nil
	data, err := encoded(config)
	if err == nil && len(data) > maxOutcome {
		err = fault.New(fault.Invalid, "case %s says %d bytes of what it is, more than %d", s.Case, len(data), maxOutcome)
	}
	return err
}

// plainText is whether a text is short, and holds nothing that a database does not keep or a terminal obeys.
func plainText(text string) bool { return len(text) <= maxTarget && line(text, maxTarget) == text }

func boundOutcome(o *probing.Outcome, cluster string, now time.Time) error {
	if o.ID == "" {
		return fault.New(fault.Invalid, "a run of %.40q at %.40q has no name", o.Case, o.Target)
	}
	return boundResult(o, cluster, now)
}

func boundResult(o *probing.Outcome, cluster string, now time.Time) error {
	if !caseName.MatchString(o.Case) || !plainText(o.Target) || !plainText(o.ID) {
		return fault.New(fault.Invalid, "run %.60q of %.40q at %.40q is none of a case at a target", o.ID, o.Case, o.Target)
	}
	if !slices.Contains(verdicts, o.Verdict) {
		return fault.New(fault.Invalid, "run %s came to %.20q, which is no verdict", o.ID, o.Verdict)
	}
	o.Cluster, o.Program = cluster, line(o.Program, maxName)
	if o.Ended.IsZero() || o.Ended.After(now.Add(mostAhead)) {
		o.Ended = now
	}
	data, err := encoded(o)
	if err != nil {
		return err
	}
	if len(data) > maxOutcome { // what is long is not what it comes to
		o.Observations, o.Parts, o.Errors = nil, nil, nil
		o.Message = line(o.Message, probing.MaxMessage) + " (what it observed has been left out: it was too long)"
	}
	return nil
}
