package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

func TestHolds(t *testing.T) {
	now := time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)
	p := &plan.Plan{Subject: api.Component("agent"), Digest: "sha256:b", Stages: []plan.StagePlan{
		{Name: "test", Groups: []plan.Group{{Units: []plan.Unit{
			{Cluster: "t-1", Group: "test", Environment: "test", Labels: map[string]string{"tier": "gold"}},
		}}}},
		{Name: "production", Groups: []plan.Group{{Units: []plan.Unit{
			{Cluster: "p-1", Group: "eu", Environment: "production", Labels: map[string]string{"tier": "gold", "arch": "arm"}},
			{Cluster: "p-2", Group: "us", Environment: "production"},
		}}}},
		{Name: "lab", Skipped: "was passed over", Groups: []plan.Group{{Units: []plan.Unit{{Cluster: "l-1", Environment: "lab"}}}}},
	}}
	for name, c := range map[string]struct {
		scope  api.FreezeScope
		change func(*api.Freeze)
		want   []string // "*" is the whole run
		reason string
	}{
		"everything":        {want: []string{"*"}, reason: "a scope that leaves nothing out holds the whole run"},
		"component":         {scope: api.FreezeScope{Component: api.Component("agent")}, want: []string{"*"}, reason: "its own component"},
		"another":           {scope: api.FreezeScope{Component: api.Component("other")}, reason: "another component's freeze is none of its business"},
		"environment":       {scope: api.FreezeScope{Environment: "production"}, want: []string{"p-1", "p-2"}, reason: "of the clusters"},
		"group":             {scope: api.FreezeScope{Group: "eu"}, want: []string{"p-1"}, reason: "a cluster group"},
		"clusters":          {scope: api.FreezeScope{Clusters: []string{"p-2", "x"}}, want: []string{"p-2"}, reason: "those that it moves"},
		"label":             {scope: api.FreezeScope{Labels: map[string]string{"tier": "gold"}}, want: []string{"t-1", "p-1"}, reason: "who has the label"},
		"labels":            {scope: api.FreezeScope{Labels: map[string]string{"tier": "gold", "arch": "arm"}}, want: []string{"p-1"}, reason: "who has all of them"},
		"empty label":       {scope: api.FreezeScope{Labels: map[string]string{"arch": ""}}, reason: "one that has no such label is not meant"},
		"in common":         {scope: api.FreezeScope{Environment: "production", Group: "us"}, want: []string{"p-2"}, reason: "both must be so"},
		"nothing in common": {scope: api.FreezeScope{Environment: "test", Group: "us"}, reason: "no cluster is both"},
		"digest":            {scope: api.FreezeScope{Digest: "sha256:b"}, want: []string{"*"}, reason: "what was rolled back does not start again"},
		"the fix":           {scope: api.FreezeScope{Digest: "sha256:c"}, reason: "another digest may pass"},
		"skipped":           {scope: api.FreezeScope{Environment: "lab"}, reason: "what the run does not move needs no freeze"},
		"lifted":            {change: func(f *api.Freeze) { f.Lifted = now.Add(-time.Hour) }, reason: "a lifted one holds nobody"},
		"over":              {change: func(f *api.Freeze) { f.Until = now }, reason: "its time is over at that moment"},
		"nearly over":       {change: func(f *api.Freeze) { f.Until = now.Add(1) }, want: []string{"*"}, reason: "and not before"},
	} {
		f := api.Freeze{Name: "freeze-1", By: "ann", Reason: "r", InFlight: api.Finish, Scope: c.scope}
		if c.change != nil {
			c.change(&f)
		}
		got := p.Holds([]api.Freeze{f}, 7, now)
		if got.Revision != 7 {
			t.Errorf("%s: revision %d", name, got.Revision)
		}
		var held []string
		for _, h := range got.List {
			held = h.Clusters
			if len(held) == 0 {
				held = []string{"*"}
			}
			if want := (api.Hold{Freeze: "freeze-1", By: "ann", Reason: "r", InFlight: api.Finish, Until: f.Until, Clusters: h.Clusters}); !cmp.Equal(h, want) {
				t.Errorf("%s: %+v", name, h)
			}
		}
		if diff := cmp.Diff(c.want, held); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", name, c.reason, diff)
		}
	}
}

func TestTheMostCarefulHoldCounts(t *testing.T) {
	h := api.Holds{List: []api.Hold{
		{Freeze: "freeze-1", InFlight: api.Finish},
		{Freeze: "freeze-2", InFlight: api.PauseNow, Clusters: []string{"a"}},
		{Freeze: "freeze-3", InFlight: api.PauseAtBoundary},
	}}
	for cluster, want := range map[string]string{"a": "freeze-2", "b": "freeze-3"} {
		if got := h.Of(cluster); got == nil || got.Freeze != want {
			t.Errorf("%s is held by %v, not %s", cluster, got, want)
		}
	}
	if got := (api.Holds{}).Of("a"); got != nil {
		t.Errorf("nothing holds, and yet %v", got)
	}
}
