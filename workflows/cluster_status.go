package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
)

// set says where the unit is and what it waits for, in the unit's status, its search attributes and its details.
func (r *clusterRollout) set(ctx workflow.Context, phase api.Phase, waiting *api.Waiting) {
	if r.in.Back && !phase.Final() && !phase.Stands() && phase != api.PhaseUnreachable {
		phase = api.PhaseRollingBack
	}
	if waiting != nil {
		waiting.Since = workflow.Now(ctx).UTC()
	}
	changed := r.unit.Phase != phase
	r.unit.Phase, r.unit.Waiting = phase, waiting
	if changed && !r.looks { // nobody searches for looks by what they do
		_ = workflow.UpsertTypedSearchAttributes(ctx, attrPhase.ValueSet(string(phase)), attrWaitingFor.ValueSet(waitingWords(waiting)))
	}
	workflow.SetCurrentDetails(ctx, unitDetails(r.unit))
}

// tell sets, and reports to the run.
func (r *clusterRollout) tell(ctx workflow.Context, phase api.Phase, waiting *api.Waiting) {
	r.set(ctx, phase, waiting)
	r.report(ctx)
}

// brief is a check without what it saw, for the run: hundreds of units tell it theirs.
func brief(c *api.Check) *api.Check {
	if c == nil {
		return nil
	}
	short := *c
	short.Seen, short.Message = nil, clip(c.Message, tuned().MaxMessage)
	return &short
}

// briefly is the beginning of a list, for the run, with how many there are more.
func briefly(kept []string) []string {
	if len(kept) > tuned().MaxKept {
		kept = append(slices.Clone(kept[:tuned().MaxKept]), fmt.Sprintf("%d more", len(kept)-tuned().MaxKept))
	}
	short := make([]string, len(kept))
	for i, object := range kept {
		short[i] = clip(object, tuned().MaxMessage/tuned().MaxKept*2)
	}
	return short
}

// waitingWords are the few words of a search attribute; the same as the command line prints.
func waitingWords(w *api.Waiting) string {
	if w == nil {
		return ""
	}
	words := strings.TrimSpace(w.Kind + " " + w.Name)
	if len(w.Unmet) > 0 {
		words += ": " + w.Unmet[0]
	}
	return clip(words, 200)
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-3], "") + "..."
}

func unitDetails(u api.UnitStatus) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**: %s", u.Path, u.Phase)
	if u.Waiting != nil {
		fmt.Fprintf(&b, ", waits for %s since %s", waitingWords(u.Waiting), u.Waiting.Since.Format("15:04:05"))
		if !u.Waiting.Until.IsZero() {
			fmt.Fprintf(&b, " until %s", u.Waiting.Until.Format("15:04:05"))
		}
	}
	b.WriteString("\n\n")
	if u.Phase.Final() && u.Ending != nil {
		fmt.Fprintf(&b, "%s\n\n", endedBy(u.Phase, u.Ending))
	}
	if u.Failure != nil {
		fmt.Fprintf(&b, "Stopped at `%s` by **%s**: %s: %s\n\n", u.FailedAt, u.Failure.Name, u.Failure.Verdict, u.Failure.Message)
	}
	b.WriteString("| batch | workload | pods | phase |\n|---|---|---|---|\n")
	for i := len(u.Batches) - 1; i >= 0; i-- {
		t := u.Batches[i]
		line := fmt.Sprintf("| %s | %s | %d of %d, target %d | %s |\n", t.Path, t.Workload, t.Updated, t.Total, t.Target, t.Phase)
		if b.Len()+len(line) > tuned().MaxDetails {
			fmt.Fprintf(&b, "| ... %d earlier | | | |\n", i+1)
			break
		}
		b.WriteString(line)
	}
	return b.String()
}
