package change

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clocktesting "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// scene is a component in one cluster, with nothing behind either.
type scene struct {
	*testing.T
	cluster *memory
	records *book
	clock   *clocktesting.FakePassiveClock
	part    Part
	plan    plan.Plan
	unit    plan.Unit
	turned  Set // of a run that takes another one back
}

func newScene(t *testing.T) *scene {
	s := &scene{
		T: t, cluster: newMemory(), records: newBook(),
		clock: clocktesting.NewFakePassiveClock(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)),
		part:  Part{Run: "agent-1", Subject: api.Component("agent"), Cluster: "a", Fence: 1},
		plan:  plan.Plan{Subject: api.Component("agent"), Drift: pipelines.DriftRefuse},
		unit:  plan.Unit{Cluster: "a"},
	}
	s.cluster.put(parsed(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}`))
	return s
}

// blob keeps bytes and returns their digest.
func (s *scene) blob(data []byte, err error) string {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
	digest, _ := s.records.PutBlob(s.Context(), data)
	return digest
}

func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return o
}

// config is a ConfigMap with keys and values.
func config(name string, data ...string) string {
	text := ""
	for i := 0; i < len(data); i += 2 {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%q: %q", data[i], data[i+1])
	}
	return fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": %q, "namespace": "apps"}, "data": {%s}}`, name, text)
}

// begins starts a run that brings a version of objects.
func (s *scene) begins(run, version string, objects ...string) {
	s.Helper()
	dir := s.TempDir()
	for i, text := range objects {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.yaml", i)), []byte(text), 0o600); err != nil {
			s.Fatal(err)
		}
	}
	s.plan.Version = version
	s.plan.Source = plan.Source{Kind: "manifests", Namespace: "apps", Template: s.blob(templates.Pack(dir))}
	s.unit.Values = s.blob([]byte("{}"), nil)
	s.unit.Target = "target-" + version
	s.part.Run = run
	s.records.runs = append([]ledger.Run{{Name: run}}, s.records.runs...)
}

// compare compares, as a worker does that has just been started.
func (s *scene) compare() (plan.ClusterDiff, Set) {
	s.Helper()
	found, set, err := s.comparer().Compare(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	digest, err := Store(s.Context(), s.records, set)
	if err != nil {
		s.Fatal(err)
	}
	var read Set
	if err := Load(s.Context(), s.records, digest, &read); err != nil {
		s.Fatal(err)
	}
	return found, read
}

func (s *scene) comparer() Comparer {
	return Comparer{
		Part: s.part, Plan: &s.plan, Unit: &s.unit, Cluster: s.cluster, Records: s.records,
		Drivers: nil, BlindTo: func(pipelines.ResolvedCheck) bool { return false },
	}
}

func (s *scene) writer() Writer {
	return Writer{
		Part: s.part, Cluster: s.cluster, Records: s.records, Clock: s.clock,
		Ignore: func(context.Context) ([]pipelines.IgnoreRule, error) { return s.plan.Ignore, nil },
	}
}

// brings writes everything of a set.
func (s *scene) brings(set Set) Entries {
	s.Helper()
	return s.inPhases(set, Writer.Write, templates.Before, templates.After)
}

type inPhase func(Writer, context.Context, Set, templates.PhaseName) (Entries, error)

func (s *scene) inPhases(set Set, write inPhase, phases ...templates.PhaseName) (all Entries) {
	s.Helper()
	for _, phase := range phases {
		done, err := write(s.writer(), s.Context(), set, phase)
		if err != nil {
			s.Fatal(err)
		}
		all = append(all, done...)
	}
	return all
}

// deployed records what was brought as what runs.
func (s *scene) deployed(set Set) {
	s.records.deployment = &ledger.Deployment{Run: s.part.Run, Version: set.Version, Target: set.Target, Objects: set.Written}
	s.unit.WayBack = plan.WayBack{Version: set.Version, Target: set.Target, Objects: set.Written, Run: s.part.Run}
	s.records.images, s.records.writes = nil, nil // another era
}

// data is a key of a ConfigMap; "gone" where there is no such object.
func (s *scene) data(name, key string) string {
	for _, o := range s.cluster.objects {
		if o.GetKind() == "ConfigMap" && o.GetName() == name {
			value, _, _ := unstructured.NestedString(o.Object, "data", key)
			return value
		}
	}
	return "gone"
}
