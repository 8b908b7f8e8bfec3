package scenario

import (
	"fmt"
	"strconv"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// drill is what is expected of a version that is known to be bad.
type drill struct {
	api.Drill
	at pipelines.Position
}

// drills reads that the version is known to be bad: what is to stop it, how soon, and after how many clusters.
func (s *script) drills(at pipelines.Position, w *words) error {
	usual := pipelines.DrillExpect{}.OrDefault()
	d := api.Drill{Within: usual.Within.Std(), Moves: usual.Clusters}
	for len(w.all) > 0 {
		var err error
		switch word := w.next(); word {
		case "within":
			d.Within, err = w.duration()
		case "clusters":
			var text string
			if err = w.into(&text, "how many clusters may have moved"); err == nil {
				if d.Moves, err = strconv.Atoi(text); err != nil || d.Moves < 1 {
					return fmt.Errorf("%q is no number of clusters", text)
				}
			}
		case "stoppedBy":
			var check string
			err = w.into(&check, "the name of a check")
			d.Checks = append(d.Checks, check)
		default:
			return fmt.Errorf("a drill has within DURATION, clusters N and stoppedBy CHECK, and not %q", word)
		}
		if err != nil {
			return err
		}
	}
	s.drill = &drill{d, at}
	return nil
}

// prove says what the run has proven, where it is that of a drill.
func (w *play) prove(s *api.RunStatus, late bool) {
	if w.script.drill == nil {
		return
	}
	p := plan.Prove(w.script.drill.Drill, s, late)
	said := string(p.Outcome)
	if p.Check != "" {
		said += ": " + p.Check + " at " + p.At
	}
	if p.Message != "" {
		said += ": " + p.Message
	}
	w.log.add(w.now(), "drill", ofEnd, said)
}
