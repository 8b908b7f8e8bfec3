package change

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/templates"
)

// probeDocuments is a case that touches pods, and one of production alone, both run from an image.
const probeDocuments = `
apiVersion: sluice.dev/v1alpha1
kind: Probe
metadata: {name: pod-life}
spec: {imageSlot: probes, touches: [{resources: [pods], verbs: [create]}]}
---
apiVersion: sluice.dev/v1alpha1
kind: ProbeBinding
metadata: {name: everywhere}
spec: {clusters: {all: true}, cases: [{probe: pod-life}], schedule: {every: 5m}}
---
apiVersion: sluice.dev/v1alpha1
kind: ProbeBinding
metadata: {name: production}
spec: {clusters: {matchLabels: {environment: production}}, cases: [{name: pod-life-2, probe: pod-life}], schedule: {every: 5m}}
`

// bringsProbes starts a run that brings a version of probes to a cluster with labels.
func (s *scene) bringsProbes(run, version, documents, image string, labels map[string]string) {
	s.Helper()
	dir := s.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "probes.yaml"), []byte(documents), 0o600); err != nil {
		s.Fatal(err)
	}
	s.begins(run, version, config("none"))
	s.plan.Source = plan.Source{Kind: plan.KindProbes, Namespace: "apps", Template: s.blob(templates.Pack(dir))}
	s.unit.Labels = labels
	s.unit.Values = s.blob([]byte(`{"images": {"probes": "`+image+`"}}`), nil)
}

// actions are what becomes of the objects that do not stay as they are.
func actions(found plan.ClusterDiff) map[string]string {
	all := map[string]string{}
	for _, o := range found.Objects {
		if o.Action != "unchanged" {
			all[o.Object] = o.Action
		}
	}
	return all
}

// TestProbesArePlannedAndBrought has a component of probes compared and written in a cluster, and a change of it.
func TestProbesArePlannedAndBrought(t *testing.T) {
	s := newScene(t)
	s.bringsProbes("probes-1", "1.0.0", probeDocuments, "registry.example/probes:1", map[string]string{"environment": "e2e"})
	found, set := s.compare()
	want := map[string]string{
		"ServiceAccount/apps/probe-pod-life": "create", "Role/apps/probe-pod-life": "create", "RoleBinding/apps/probe-pod-life": "create",
		"ResourceQuota/apps/agent": "create", "ProbeConfig/apps/pod-life": "create",
	}
	if diff := cmp.Diff(want, actions(found)); diff != "" || len(found.Refusals) > 0 {
		t.Errorf("a case that the cluster's labels leave out is not there (-want +got):\n%s%v", diff, found.Refusals)
	}
	s.brings(set)
	if found, _ = s.compare(); len(actions(found)) > 0 {
		t.Errorf("what was brought differs still: %v", found.Objects)
	}

	s.bringsProbes("probes-2", "1.0.0", probeDocuments, "registry.example/probes:2", map[string]string{"environment": "e2e"})
	if found, _ = s.compare(); !cmp.Equal(actions(found), map[string]string{"ProbeConfig/apps/pod-life": "patch"}) {
		t.Errorf("another image changes %v, want the case alone", found.Objects)
	}

	s.bringsProbes("probes-3", "1.1.0", "kind: Probe", "a", nil)
	_, _, err := s.comparer().Compare(t.Context())
	if refused, known := Unseen("a", err); !known || len(refused.Refusals) != 1 || refused.Refusals[0].Rule != api.RuleRender {
		t.Errorf("documents that do not load are refused as a render is: %v, %v", refused, err)
	}
}

// TestCasesThatAreBoundNoMoreGo takes what is left of a case away, where the component says so, and nothing else.
func TestCasesThatAreBoundNoMoreGo(t *testing.T) {
	s := newScene(t)
	production := map[string]string{"environment": "production"}
	s.bringsProbes("probes-1", "1.0.0", probeDocuments, "a", production)
	_, set := s.compare()
	s.brings(set)
	left := []string{
		"ProbeConfig/apps/pod-life-2", "ServiceAccount/apps/probe-pod-life-2", "Role/apps/probe-pod-life-2", "RoleBinding/apps/probe-pod-life-2",
	}

	s.bringsProbes("probes-2", "1.1.0", probeDocuments, "a", map[string]string{"environment": "e2e"})
	found, set := s.compare()
	if diff := cmp.Diff(left, set.Left); diff != "" {
		t.Fatalf("what is left, cases first (-want +got):\n%s", diff)
	}
	if len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "go on running; the component can say prune: true: "+left[0]) {
		t.Errorf("the plan says %v", found.Notes)
	}
	s.plan.Prune = true
	if found, _ = s.compare(); len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "are taken away at the end") {
		t.Errorf("the plan says %v", found.Notes)
	}
	somebodys := parsed(t, `{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "probe-pod-life-2", "namespace": "apps"}}`)
	s.cluster.put(somebodys)
	for _, c := range []struct {
		reason string
		remove bool
		want   int
	}{{"nothing goes that is only looked at", false, 3}, {"all that Sluice made goes", true, 3}, {"what is gone is gone", true, 0}} {
		done, err := s.writer().Prune(t.Context(), set.Left, c.remove)
		if err != nil || len(done) != c.want {
			t.Errorf("%s: %v, %v", c.reason, done, err)
		}
	}
	if s.cluster.objects[templates.ID(somebodys)] == nil {
		t.Error("an account that is somebody else's is gone")
	}
	for _, o := range s.cluster.objects {
		if o.GetKind() == "ProbeConfig" && o.GetName() != "pod-life" {
			t.Errorf("%s is there still", templates.Name(o))
		}
	}
}
