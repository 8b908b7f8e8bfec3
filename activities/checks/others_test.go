package checks

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// TestWhatAChangeHasWrittenByNow: what goes after the workloads is looked at only once it was written, and what the change leaves as it
// is, or says nothing of how it is, never.
func TestWhatAChangeHasWrittenByNow(t *testing.T) {
	server := kubetest.New(t)
	set := change.Set{}
	put := func(kind, name string, phase templates.PhaseName, action patch.Action) {
		o := parsed(t, `{"apiVersion": "v1", "kind": "`+kind+`", "metadata": {"name": "`+name+`", "namespace": "apps"}}`)
		server.Put(o)
		set.Objects = append(set.Objects, change.Object{Name: kind + "/apps/" + name, Phase: phase, Action: action, Rendered: o.Object})
	}
	put("Service", "api", templates.Before, patch.Patch)
	put("Service", "as-it-was", templates.Before, patch.Unchanged)
	put("ConfigMap", "settings", templates.Before, patch.Create)
	put("Service", "late", templates.After, patch.Create)
	gone := parsed(t, `{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "gone", "namespace": "apps"}}`)
	set.Objects = append(set.Objects, change.Object{Name: "PersistentVolumeClaim/apps/gone", Phase: templates.Before, Action: patch.Create, Rendered: gone.Object})
	store := sqlitetest.New(t)
	changes, err := change.Store(t.Context(), store, set)
	if err != nil {
		t.Fatal(err)
	}
	a := &Activities{Clusters: server.Pool(), Ledger: store}
	ref := step.Ref{Run: "agent-1", Subject: api.Component("agent"), Cluster: "a", Context: "a"}
	back := ref
	back.Back = true
	for _, c := range []struct {
		reason string
		ref    step.Ref
		point  pipelines.Point
		want   string
	}{
		{"after a batch", ref, pipelines.AfterBatch, "Service/apps/api PersistentVolumeClaim/apps/gone (gone)"},
		{"beside the move", ref, pipelines.During, "Service/apps/api PersistentVolumeClaim/apps/gone (gone)"},
		{"after the cluster", ref, pipelines.AfterCluster, "Service/apps/api Service/apps/late PersistentVolumeClaim/apps/gone (gone)"},
		{"on the way back", back, pipelines.AfterCluster, ""},
	} {
		place, leave, err := a.place(t.Context(), step.ChecksRequest{Ref: c.ref, Point: c.point, Changes: changes})
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		others, err := place.Others(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, o := range others {
			names = append(names, o.Name)
			if o.Live == nil {
				names = append(names, "(gone)")
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s there are %q, want %q", c.reason, got, c.want)
		}
	}
}
