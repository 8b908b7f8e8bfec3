package tree

import (
	"sluice.dev/sluice/internal/api"
)

// tasks draws what a run does beside its stages: before the first, or at its end.
func (d *drawer) tasks(finally bool) []row {
	head := row{name: "tasks"}
	if finally {
		head.name = "finally"
	}
	var rows []row
	for i := range d.in.View.Tasks {
		t := &d.in.View.Tasks[i]
		if t.Finally != finally {
			continue
		}
		counts := t.Phase
		if t.Phase == api.PhaseFailed && !t.Broke() { // it counts as nothing
			counts = api.PhaseSucceeded
		}
		head.phase = together(head.phase, counts)
		rows = append(rows, row{
			indent: 1, mark: d.mark(t.Phase), name: t.Label(), phase: t.Phase, rank: taskRank(t),
			cells: [4]string{"", string(t.Phase), elapsed(t.Started, t.Ended, d.in.Now), taskSays(t)},
		})
	}
	if len(rows) == 0 {
		return nil
	}
	head.mark, head.cells[1] = d.mark(head.phase), string(head.phase)
	return append([]row{head}, rows...)
}

// results draws what the run has handed out.
func (d *drawer) results() []row {
	view := &d.in.View
	if len(view.Results)+len(view.ResultsLeftOut) == 0 {
		return nil
	}
	rows := []row{{name: "results", rank: rankEnded}}
	for _, v := range view.Results {
		rows = append(rows, row{indent: 1, name: v.Name, rank: rankEnded, cells: [4]string{3: oneLine(v.Text())}})
	}
	for _, name := range view.ResultsLeftOut {
		rows = append(rows, row{indent: 1, name: name, rank: rankEnded, cells: [4]string{3: "left out: all results have room for 4096 bytes"}})
	}
	return rows
}

// taskSays is what has to be said about a task: why it was skipped, or what it found.
func taskSays(t *api.TaskStatus) string {
	switch t.Phase {
	case api.PhaseSucceeded, api.PhasePending:
		return ""
	case api.PhaseSkipped:
		return oneLine(t.Reason)
	}
	if t.Message == "" {
		return t.Reason
	}
	return oneLine(t.Reason + ": " + t.Message)
}

func taskRank(t *api.TaskStatus) int {
	if t.Phase == api.PhaseFailed || t.Phase == api.PhaseMoving {
		return 0
	}
	return rankEnded
}

// together is the phase of a list: that of what runs, or has failed, before that of the rest.
func together(a, b api.Phase) api.Phase {
	for _, p := range []api.Phase{api.PhaseMoving, api.PhasePending, api.PhaseFailed, api.PhaseAborted, api.PhaseSucceeded} {
		if a == p || b == p {
			return p
		}
	}
	return api.PhaseSkipped
}
