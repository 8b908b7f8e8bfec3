package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// timed reads what is so for a time, or what somebody does.
func (s *script) timed(at pipelines.Position, w *words) error {
	from, err := w.duration()
	if err != nil {
		return err
	}
	st := state{at: at, from: from, to: forever}
	if w.skip("to") {
		if st.to, err = w.duration(); err != nil {
			return err
		}
		if st.to <= st.from {
			return fmt.Errorf("it ends at %s, before it begins", short(st.to))
		}
	}
	if w.skip("cluster") {
		if err := w.into(&st.cluster, "the name of a cluster"); err != nil {
			return err
		}
	}
	switch kind := stateKind(w.next()); kind {
	case aCheck, aTask:
		st.kind = kind
		if err := w.into(&st.name, "the name of a "+string(kind)); err != nil {
			return err
		}
		if st.verdict, err = w.verdict(); err != nil {
			return err
		}
	case unreachable, stalls, refuses:
		st.kind = kind
	case occupied:
		w.skip("by")
		st.kind = kind
		if err := w.into(&st.by, "the name of another run"); err != nil {
			return err
		}
	case fails:
		st.kind = kind
		if err := w.into(&st.name, "one of "+strings.Join(failing, ", ")); err != nil {
			return err
		}
		if !slices.Contains(failing, st.name) {
			return fmt.Errorf("what may fail is %s, and not %q", strings.Join(failing, ", "), st.name)
		}
	default:
		if st.cluster != "" || st.to != forever {
			return fmt.Errorf("what is so is check, task, unreachable, stalls, refuses, occupied or fails, and not %q", kind)
		}
		return s.command(command{at: at, after: from, who: string(kind)}, w)
	}
	st.message = w.quoted()
	s.states = append(s.states, st)
	return nil
}

// failing are the activities that a script may have fail.
var failing = []string{"Acquire", "Apply", "Prepare", "Arm", "Disarm", "Finish", "Unapply", "Release"}

func (s *script) command(c command, w *words) error {
	if err := w.into(&c.verb, "what "+c.who+" does"); err != nil {
		return err
	}
	name, known := verbs[c.verb]
	if !known {
		return fmt.Errorf("somebody %s, and does not %q", strings.Join(slices.Sorted(maps.Keys(verbs)), ", "), c.verb)
	}
	c.name = name
	if c.verb == "freezes" {
		c.flight = api.PauseNow
		for _, f := range api.InFlights() {
			if w.skip(string(f)) {
				c.flight = f
			}
		}
	}
	for _, part := range []struct {
		word string
		into *string
	}{{"stage", &c.scope.Stage}, {"group", &c.scope.Group}} {
		if w.skip(part.word) {
			if err := w.into(part.into, "the name of a "+part.word); err != nil {
				return err
			}
		}
	}
	for w.skip("cluster") {
		var one string
		if err := w.into(&one, "the name of a cluster"); err != nil {
			return err
		}
		c.scope.Clusters = append(c.scope.Clusters, one)
	}
	c.reason = w.quoted()
	s.commands = append(s.commands, c)
	return nil
}
