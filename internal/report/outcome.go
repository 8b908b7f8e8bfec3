package report

import (
	"cmp"
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

// outcome says in a few sentences what became of a run: how it stands or ended, by whom, for what, and what has which version.
func outcome(r *api.RunStatus) string {
	what := fmt.Sprintf("%s %s", r.Subject, r.Version)
	if r.Back != "" {
		what = "Taking back " + r.Back
	}
	text := what + " " + became(r)
	if r.Ending != nil && r.Phase.Final() {
		text += " by " + r.Ending.By
		if r.Ending.Reason != "" {
			text += ": " + r.Ending.Reason
		}
	}
	sentences := []string{full(text)}
	if c, at := decided(r); c != nil && r.Phase != api.PhaseSucceeded && !(strings.Contains(text, c.Name) && strings.Contains(text, at)) {
		sentences = append(sentences, full(fmt.Sprintf("%s was %s at %s: %s", c.Name, c.Verdict, at, c.Message)))
	}
	if w := r.WaitsFor(); w != nil && !r.Phase.Final() {
		sentences = append(sentences, full("It waits for "+strings.TrimSpace(string(w.Kind)+" "+w.Name)))
	}
	return strings.Join(append(sentences, tally(r)), " ")
}

// full ends a text as a sentence.
func full(text string) string {
	text = said(text)
	if strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

func became(r *api.RunStatus) string {
	switch r.Phase {
	case api.PhaseSucceeded:
		return "succeeded"
	case api.PhaseRolledBack:
		return "was taken back"
	case api.PhaseAborted:
		return "was aborted"
	case api.PhaseFailed:
		return "failed"
	}
	return "is " + string(r.Phase)
}

// decided is the first check that stopped something, and where.
func decided(r *api.RunStatus) (*api.Check, string) {
	if c, bad := plan.FirstBad(r.Checks); bad {
		return &c, r.Name
	}
	var first *api.UnitStatus
	for _, u := range units(r) {
		if (u.Failure != nil || u.Cause != nil) && (first == nil || u.Started.Before(first.Started)) {
			first = u
		}
	}
	switch {
	case first != nil && first.Cause != nil:
		return first.Cause, cmp.Or(first.CauseAt, first.Path)
	case first != nil:
		return first.Failure, cmp.Or(first.FailedAt, first.Path)
	}
	for i := range r.Stages {
		if c, bad := plan.FirstBad(r.Stages[i].Checks); bad {
			return &c, "stage " + r.Stages[i].Name
		}
	}
	for i := range r.Tasks {
		if c, bad := plan.FirstBad(r.Tasks[i].Steps); bad && r.Tasks[i].Broke() {
			return &c, "task " + r.Tasks[i].Label()
		}
	}
	return nil, ""
}

// tally counts the clusters by what they came to.
func tally(r *api.RunStatus) string {
	count := map[string]int{}
	all := units(r)
	for _, u := range all {
		count[end(u)]++
	}
	var parts []string
	for _, of := range ends {
		if n := count[of]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, of))
		}
	}
	if len(parts) == 0 {
		return "It has no clusters."
	}
	return fmt.Sprintf("Of %s: %s.", api.Counted(len(all), "cluster"), strings.Join(parts, ", "))
}

// ends are what a unit may have come to, the best first.
var ends = []string{"succeeded", "went back", "under way", "stood still", "failed", "stopped where it was", "out of reach", "not touched"}

func end(u *api.UnitStatus) string {
	switch u.Phase {
	case api.PhaseSucceeded:
		return "succeeded"
	case api.PhaseRolledBack:
		return "went back"
	case api.PhaseFailed:
		return "failed"
	case api.PhaseMissed, api.PhaseUnreachable:
		return "out of reach"
	case api.PhasePending, api.PhaseSkipped, api.PhaseLocked:
		return "not touched"
	case api.PhaseAborted:
		if !u.Moved {
			return "not touched"
		}
		return "stopped where it was"
	}
	if u.Phase.Stands() || u.Phase == api.PhasePaused {
		return "stood still"
	}
	return "under way"
}

// owed is what is not as the run, or whoever took it back, would have it: what stayed in place, what is out of reach, what was left
// half-way.
func owed(r *api.RunStatus) []string {
	var all []string
	more := 0
	add := func(format string, args ...any) {
		if len(all) == maxOwed {
			more++
			return
		}
		all = append(all, said(fmt.Sprintf(format, args...)))
	}
	for _, u := range units(r) {
		for _, object := range u.Kept {
			add("%s: stays in place: %s", u.Path, object)
		}
		for _, of := range u.Behind {
			add("%s: %d of %d nodes are behind, which are dead", u.Path, of.Count, of.Total)
		}
		for _, object := range u.Unneeded {
			add("%s: nothing needs it, and it is still there: %s", u.Path, object)
		}
		switch {
		case u.Superseded != "":
			add("%s: run %s moves it since, so this one does not take it back", u.Path, u.Superseded)
		case u.Phase == api.PhaseMissed || u.Phase == api.PhaseUnreachable:
			add("%s: out of reach", u.Path)
		case !r.Phase.Final():
		case u.Phase == api.PhaseFailed && u.Moved, u.Phase == api.PhaseAborted && u.Moved:
			add("%s: it was changed, and left where it was (%s)", u.Path, u.Phase)
		case !u.Phase.Final() && u.Phase != api.PhasePending:
			add("%s: it was left as %s", u.Path, u.Phase)
		}
	}
	if more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return all
}
