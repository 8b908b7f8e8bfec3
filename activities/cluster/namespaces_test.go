package cluster

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
)

// seen keeps what was seen in the cluster for a plan, and returns its digest.
func (w *world) seen(c plan.ClusterDiff) string {
	w.Helper()
	c.Cluster = "a"
	data, err := json.Marshal(plan.Live{Clusters: []plan.ClusterDiff{c}})
	if err != nil {
		w.Fatal(err)
	}
	return w.blob(data)
}

// outside lists the objects that a diff refuses as they are where nobody was asked about.
func outside(d step.DiffResult) (all []string) {
	for _, no := range d.Cluster.Refusals {
		if no.Rule == api.RuleNamespace {
			all = append(all, no.Object)
		}
	}
	return all
}

func TestARunIsHeldToTheNamespacesThatWereSeen(t *testing.T) {
	within := plan.ClusterDiff{Objects: []plan.Object{{Object: "ConfigMap/apps/a"}}}
	whole := plan.ClusterDiff{Objects: []plan.Object{{Object: "ConfigMap/apps/a"}, {Object: "ClusterRole/x"}}}
	elsewhere := strings.Replace(configMap("b", "1"), `"`+namespace+`"`, `"kube-system"`, 1)
	for name, c := range map[string]struct {
		reason  string
		seen    *plan.ClusterDiff
		objects []string
		want    []string
	}{
		"where it was seen":                {"that is what was asked about", &within, []string{configMap("a", "1"), configMap("more", "1")}, nil},
		"elsewhere":                        {"nobody was asked about that", &within, []string{configMap("a", "1"), elsewhere}, []string{"ConfigMap/kube-system/b"}},
		"in no namespace":                  {"namespaces do not hold it", &within, []string{configMap("a", "1"), aWebhook}, []string{"ValidatingWebhookConfiguration/gate"}},
		"elsewhere, started by one of all": {"only who may do so everywhere starts such a plan", &whole, []string{configMap("a", "1"), elsewhere}, nil},
		"of a cluster that was away":       {"only who may do so everywhere starts such a plan", &plan.ClusterDiff{Unreachable: "no route"}, []string{elsewhere}, nil},
		"of a run from before":             {"nobody knows what it was asked about, and scopes of namespaces reached none", nil, []string{elsewhere}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.server.Put(parsed(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}`))
			w.planned("1.0.0", c.objects)
			run := ledger.Run{}
			if c.seen != nil {
				run.Live = w.seen(*c.seen)
			}
			w.ref = w.begin(run)
			w.lock()
			if got := outside(w.diff()); !slices.Equal(got, c.want) {
				t.Errorf("refused %q, want %q: %s", got, c.want, c.reason)
			}
		})
	}
}

// Whoever looks again at a plan does not widen what runs of it may do that are under way.
func TestALaterLookWidensNoRun(t *testing.T) {
	w := newWorld(t)
	w.server.Put(parsed(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}`))
	w.planned("1.0.0", []string{configMap("a", "1"), strings.Replace(configMap("b", "1"), `"`+namespace+`"`, `"kube-system"`, 1)})
	w.ref = w.begin(ledger.Run{Live: w.seen(plan.ClusterDiff{Objects: []plan.Object{{Object: "ConfigMap/apps/a"}}})})
	stored, err := w.acts.Ledger.Plan(t.Context(), w.ref.Plan)
	if err != nil {
		t.Fatal(err)
	}
	stored.Live = w.seen(plan.ClusterDiff{Objects: []plan.Object{{Object: "ConfigMap/apps/a"}, {Object: "ConfigMap/kube-system/b"}}})
	if err := w.ledger.SavePlan(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	w.lock()
	if got := outside(w.diff()); !slices.Equal(got, []string{"ConfigMap/kube-system/b"}) {
		t.Errorf("refused %q", got)
	}
}

// A way back goes to where things were, whatever the run is held to.
func TestAWayBackIsHeldToNoNamespace(t *testing.T) {
	w := newWorld(t)
	w.planned("1.0.0", []string{configMap("a", "1")})
	w.rollout()
	w.planned("2.0.0", []string{configMap("a", "2")})
	w.ref = w.begin(ledger.Run{Live: w.seen(plan.ClusterDiff{Objects: []plan.Object{{Object: "ConfigMap/other/a"}}})})
	w.lock()
	if got := outside(w.diff()); !slices.Equal(got, []string{"ConfigMap/apps/a"}) {
		t.Errorf("on the way forward it refuses %q", got)
	}
	w.ref.Back = true
	if got := outside(w.diff()); got != nil {
		t.Errorf("on the way back it refuses %q", got)
	}
}
