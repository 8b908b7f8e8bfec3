package change

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/templates"
)

// stored is a set as an open run may have stored it. It never changes: another shape needs a second one beside it.
const stored = `{"objects":[{"object":"DaemonSet/apps/agent","phase":"workloads","action":"Patch","patch":"e30=",` +
	`"patchType":"application/strategic-merge-patch+json","liveVersion":"7","liveGeneration":3,"target":{"kind":"DaemonSet"},` +
	`"wayBack":{"kind":"DaemonSet","old":true},"live":{"kind":"DaemonSet","live":true},"held":true,"found":true,"behind":["n0"]}],` +
	`"target":"sha256:t","version":"2.0.0","left":["ConfigMap/apps/x-1"],"written":"sha256:w"}`

func TestASetThatWasStoredIsReadAndWrittenAsItWas(t *testing.T) {
	var set Set
	if err := json.Unmarshal([]byte(stored), &set); err != nil {
		t.Fatal(err)
	}
	o := set.Objects[0]
	if o.Phase != templates.Workloads || o.Action != patch.Patch || string(o.Patch) != "{}" || !o.Held || !o.Found || len(o.Behind) != 1 ||
		o.Target() == nil || o.WayBack().Object["old"] != true || o.Live().Object["live"] != true || o.LiveGeneration != 3 {
		t.Errorf("it reads %+v", o)
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stored, string(text)); diff != "" {
		t.Errorf("it is written otherwise (-want +got):\n%s", diff)
	}
}

func TestAPhaseHasSomethingToWrite(t *testing.T) {
	set := Set{Objects: []Object{
		{Name: "same", Phase: templates.Before, Action: patch.Unchanged}, {Name: "new", Phase: templates.After, Action: patch.Create},
	}}
	for _, c := range []struct {
		reason string
		set    Set
		phase  templates.PhaseName
		back   bool
		want   bool
	}{
		{"nothing before the workloads changes", set, templates.Before, false, false},
		{"something after them does", set, templates.After, false, true},
		{"on the way back what was made is taken away, whatever changes", set, templates.Before, true, true},
		{"there is nothing at all", Set{}, templates.Before, true, false},
	} {
		if got := c.set.Writes(c.phase, Part{Back: c.back}); got != c.want {
			t.Errorf("%s: %v", c.reason, got)
		}
	}
}
