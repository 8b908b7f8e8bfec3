package cluster

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/step"
)

// TestWhatSomebodyElseMadeMeanwhileIsNotTakenAway has somebody make, between the look and the write, the very object that is
// about to be made.
func TestWhatSomebodyElseMadeMeanwhileIsNotTakenAway(t *testing.T) {
	w := newWorld(t)
	w.planned("1", []string{configMap("mine", "1"), configMap("theirs", "1")})
	w.lock()
	d := w.diff()
	for _, o := range w.rendered(d) {
		if o.GetName() == "theirs" {
			w.server.Put(o)
		}
	}
	must(w, w.acts.Apply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
	out := must(w, w.acts.Unapply, step.ApplyRequest{Ref: w.ref, Changes: d.Changes})
	if w.object("v1", "ConfigMap", "mine") != nil {
		t.Errorf("what the run made is still there: %+v", out)
	}
	if w.object("v1", "ConfigMap", "theirs") == nil {
		t.Errorf("what somebody else made is gone: %s", strings.Join(out.Deleted, ", "))
	}
}

// TestAnObjectThatIsMadeTwiceIsOurs has the worker killed after it made an object, before it knew.
func TestAnObjectThatIsMadeTwiceIsOurs(t *testing.T) {
	w := newWorld(t)
	w.planned("1", []string{configMap("mine", "1")})
	w.lock()
	d := w.diff()
	apply := step.ApplyRequest{Ref: w.ref, Changes: d.Changes}
	must(w, w.acts.Apply, apply)
	must(w, w.acts.Apply, apply)
	if must(w, w.acts.Unapply, apply); w.object("v1", "ConfigMap", "mine") != nil {
		t.Error("it is taken for somebody else's")
	}
}
