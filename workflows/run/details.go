package run

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/workflows/pace"
	"sluice.dev/sluice/workflows/shape"
	"sluice.dev/sluice/workflows/show"
)

// show says where the run is, in its status, its search attributes and its details.
func (r *rollout) show(ctx workflow.Context, phase api.Phase, waiting *api.Waiting) {
	s := &r.state.Status
	r.phase = phase
	phase = r.shown(phase, waiting)
	changed := s.Phase != phase || show.WaitingWords(s.Waiting) != show.WaitingWords(waiting)
	s.Phase, s.Waiting = phase, waiting
	done, failed := show.Progress(s.Stages, r.gone)
	changed = changed || s.Percent != done || s.Failed != failed
	if r.shape >= shape.TellsChanges {
		changed = changed || r.waitsFor != show.WaitingWords(r.waiting())
	}
	s.Percent, s.Failed = done, failed
	if changed {
		r.waitsFor = show.WaitingWords(r.waiting())
		_ = workflow.UpsertTypedSearchAttributes(ctx,
			show.AttrPhase.ValueSet(string(phase)), show.AttrWaitingFor.ValueSet(show.WaitingWords(r.waiting())),
			show.AttrPercent.ValueSet(int64(done)), show.AttrFailed.ValueSet(int64(failed)),
		)
	}
	workflow.SetCurrentDetails(ctx, runDetails(s))
}

// refresh shows what has changed in the units.
func (r *rollout) refresh(ctx workflow.Context) {
	if r.hushed {
		return
	}
	r.show(ctx, r.phase, r.state.Status.Waiting)
}

func runDetails(s *api.RunStatus) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**: %s %s, %s, %d%%", s.Name, s.Subject, s.Version, s.Phase, s.Percent)
	if w := firstWaiting(s); w != nil {
		fmt.Fprintf(&b, ", waits for %s since %s", show.WaitingWords(w), w.Since.Format("15:04:05"))
	}
	if end := show.RunEnd(s); s.Phase.Final() && end != string(s.Phase) {
		fmt.Fprintf(&b, "\n\n%s", end)
	}
	fmt.Fprintf(&b, "\n\nPlan `%.12s`", s.Plan)
	if s.Origin.Commit != "" {
		dirty := ""
		if s.Origin.Dirty {
			dirty = " and changes that no commit has"
		}
		fmt.Fprintf(&b, " from %s at `%.12s`%s", s.Origin.Repository, s.Origin.Commit, dirty)
	}
	b.WriteString(taskDetails(s.Tasks))
	b.WriteString("\n\n| stage | unit | phase | waits for |\n|---|---|---|---|\n")
	left := 0
	for _, u := range byInterest(s.Stages) {
		if left == 0 {
			line := fmt.Sprintf("| %s | %s | %s | %s |\n", u.Stage, u.Path, u.Phase, clip.Bytes(show.WaitingWords(u.Waiting), 80))
			if b.Len()+len(line) <= pace.Tuned().MaxDetails {
				b.WriteString(line)
				continue
			}
		}
		left++
	}
	if left > 0 {
		fmt.Fprintf(&b, "| ... | %d more | | |\n", left)
	}
	return b.String()
}

// byInterest lists the units of a run: where there are many, first those that are under way or were stopped.
func byInterest(stages []api.StageStatus) []*api.UnitStatus {
	var first, rest []*api.UnitStatus
	for i := range stages {
		for j := range stages[i].Units {
			u := &stages[i].Units[j]
			if u.Failure == nil && (u.Phase == api.PhasePending || u.Phase.Final()) {
				rest = append(rest, u)
				continue
			}
			first = append(first, u)
		}
	}
	if len(first)+len(rest) > pace.Tuned().FewUnits {
		return append(first, rest...)
	}
	var all []*api.UnitStatus
	for i := range stages {
		for j := range stages[i].Units {
			all = append(all, &stages[i].Units[j])
		}
	}
	return all
}

// taskDetails is a table of what the run does beside its stages; it takes at most a quarter of the details.
func taskDetails(tasks []api.TaskStatus) string {
	if len(tasks) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n\n| task | phase | |\n|---|---|---|\n")
	for i := range tasks {
		t := &tasks[i]
		line := fmt.Sprintf("| %s | %s | %s |\n", t.Label(), t.Phase, clip.Bytes(strings.TrimSpace(t.Reason+" "+t.Message), 80))
		if b.Len()+len(line) > pace.Tuned().MaxDetails/4 {
			fmt.Fprintf(&b, "| ... | %d more | |\n", len(tasks)-i)
			break
		}
		b.WriteString(line)
	}
	return b.String()
}
