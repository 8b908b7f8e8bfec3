package engine

import (
	"context"
	"fmt"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

// ProbeExplanation is why a case is as it is in a cluster.
type ProbeExplanation struct {
	Targets  []ExplainedProbe      `json:"targets"`
	Outcomes []ledger.ProbeOutcome `json:"outcomes"` // the last ones
	Hours    []ledger.ProbeHour    `json:"hours"`    // of the last day
	Record   ProbeRecord           `json:"record"`
}

// ExplainedProbe is a case at a target, and why it is as it is.
type ExplainedProbe struct {
	KnownProbe
	Because []string `json:"because"` // a sentence each
}

const (
	explainedOutcomes = 10
	explainedHours    = 24 * time.Hour
)

// ExplainProbe says why a case is as it is in a cluster, at a target or at all of them. It is fault.NotFound where nothing is known of it.
func (e *Engine) ExplainProbe(ctx context.Context, q ProbesQuery) (out ProbeExplanation, err error) {
	if q.Cluster == "" || q.Case == "" {
		return out, fault.New(fault.Invalid, "cannot explain a probe without its case and its cluster")
	}
	all, err := e.Probes(ctx, q)
	if err != nil {
		return out, err
	}
	if len(all) == 0 {
		return out, fault.New(fault.NotFound, "nothing is known of case %s in cluster %s%s", q.Case, q.Cluster, atTarget(q.Target))
	}
	for _, k := range all {
		out.Targets = append(out.Targets, ExplainedProbe{k, because(k, e.now())})
	}
	if out.Record, err = e.ProbeRecord(ctx, q.Case, all[0].Program, all[0].Enforcement); err != nil {
		return out, err
	}
	if out.Outcomes, err = e.ProbeOutcomes(ctx, q, explainedOutcomes); err != nil {
		return out, err
	}
	out.Hours, err = e.ledger.ListProbeHours(ctx, ledger.ProbesOf{Cluster: q.Cluster, Case: q.Case}, e.now().Add(-explainedHours))
	return out, err
}

func atTarget(target *string) string {
	if target == nil {
		return ""
	}
	return " at target " + *target
}

// because says why a case is in its state at a target.
func because(k KnownProbe, now time.Time) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	switch {
	case k.Told != "":
		say("nothing was heard of it since its last result stopped counting at %s, %s ago; it was %s then", k.Until.UTC().Format(time.RFC3339),
			now.Sub(k.Until).Round(time.Second), k.Told)
	case k.Last == nil:
		say("it has not come to a result yet; one is due by %s", k.Until.UTC().Format(time.RFC3339))
	default:
		say("its last %s so, which counts until %s", results(k.Streak), k.Until.UTC().Format(time.RFC3339))
	}
	if last := k.Last; last != nil {
		say("run %s came to %s%s at %s: %s", last.ID, last.Verdict, code(last.Code), last.Ended.UTC().Format(time.RFC3339), message(last.Message))
		if k.Told == "" && opposes(k.State, last.Verdict) {
			say("that alone does not change it: of its last verdicts (%s, the newest last) too few say so", k.Recent)
		}
	}
	if k.Missed > 0 {
		say("%d of its runs were due and did not begin", k.Missed)
	}
	return all
}

func results(n int) string {
	if n == 1 {
		return "result says"
	}
	return fmt.Sprintf("%d results say", n)
}

func code(c string) string {
	if c == "" {
		return ""
	}
	return " (" + c + ")"
}

func message(text string) string {
	if text == "" {
		return "it says nothing more"
	}
	return text
}

// opposes reports whether a verdict says something else than a state.
func opposes(s probing.State, v api.Verdict) bool {
	switch v {
	case api.Passed:
		return s == probing.Failing || s == probing.Unknown
	case api.Failed:
		return s != probing.Failing
	}
	return false
}
