package check_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/pipelines"
)

// TestObjectsOfAChangeAreReady looks at what a change writes beside its workloads, a minute after the first look.
func TestObjectsOfAChangeAreReady(t *testing.T) {
	const established = `"status": {"conditions": [{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "True"}]}`
	for _, c := range []struct {
		reason string
		object string // "" is one that is not there
		step   pipelines.Workload
		after  time.Duration
		want   api.Verdict
		waits  bool
		says   string
	}{
		{"a definition that is served", `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", ` + established, pipelines.Workload{}, time.Minute, api.Passed, false, ""},
		{"one that is not yet", `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "status": {}`,
			pipelines.Workload{}, time.Minute, api.Inconclusive, true, "Kind/other is not ready: "},
		{"for too long", `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "status": {}`,
			pipelines.Workload{}, 6 * time.Minute, api.Failed, false, "Kind/other is not ready: "},
		{"its name is taken", `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"status": {"conditions": [{"type": "NamesAccepted", "status": "False", "message": "taken"}]}`,
			pipelines.Workload{}, time.Minute, api.Failed, false, "Kind/other has failed: "},
		{"a job that is complete", `{"apiVersion": "batch/v1", "kind": "Job", "status": {"startTime": "2026-01-01T00:00:00Z", "conditions": [{"type": "Complete", "status": "True"}]}`,
			pipelines.Workload{}, time.Minute, api.Passed, false, ""},
		{"one that runs", `{"apiVersion": "batch/v1", "kind": "Job", "status": {"startTime": "2026-01-01T00:00:00Z", "active": 1}`,
			pipelines.Workload{}, time.Minute, api.Inconclusive, true, "Kind/other is not ready: "},
		{"one that is to run later", `{"apiVersion": "batch/v1", "kind": "Job", "spec": {"suspend": true}, "status": {"startTime": "2026-01-01T00:00:00Z"}`,
			pipelines.Workload{}, time.Minute, api.Passed, false, ""},
		{"one that failed", `{"apiVersion": "batch/v1", "kind": "Job", "status": {"startTime": "2026-01-01T00:00:00Z", "failed": 1,
			"conditions": [{"type": "Failed", "status": "True", "message": "too often"}]}`, pipelines.Workload{}, time.Minute, api.Failed, false, "Kind/other has failed: "},
		{"a claim that nobody binds", `{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}`,
			pipelines.Workload{}, 6 * time.Minute, api.Failed, false, "Kind/other is not ready: "},
		{"another operator's object", `{"apiVersion": "example.com/v1", "kind": "Gateway", "status": {"conditions": [{"type": "Ready", "status": "False", "message": "no address"}]}`,
			pipelines.Workload{}, time.Minute, api.Inconclusive, true, "Kind/other is not ready: no address"},
		{"a service", `{"apiVersion": "v1", "kind": "Service", "spec": {"clusterIP": "10.0.0.1"}`, pipelines.Workload{}, time.Minute, api.Passed, false, ""},
		{"what somebody has deleted", "", pipelines.Workload{}, 6 * time.Minute, api.Failed, false, "Kind/other is not ready: it is not there, for 6m"},
		{"it is switched off", "", pipelines.Workload{Objects: new(false)}, 6 * time.Minute, api.Passed, false, ""},
		{"with readiness", "", pipelines.Workload{Ready: new(false)}, 6 * time.Minute, api.Passed, false, ""},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newWorkloadBench(t)
			other := check.Other{Name: "Kind/other"}
			if c.object != "" {
				other.Live = &unstructured.Unstructured{}
				if err := other.Live.UnmarshalJSON([]byte(c.object + `, "metadata": {"name": "other"}}`)); err != nil {
					t.Fatal(err)
				}
			}
			b.place.Others = func(context.Context) ([]check.Other, error) { return []check.Other{other}, nil }
			b.pods = check.Pods{New: b.put(ready("a", 0))}
			b.look(&c.step)
			b.clock.Step(c.after)
			f := b.look(&c.step)
			b.wants(f, c.want, c.says)
			if c.waits == f.Again.IsZero() {
				t.Errorf("it is asked again at %s", f.Again)
			}
			b.place.Others = func(context.Context) ([]check.Other, error) { return nil, errors.New("no") }
			if f := b.look(&pipelines.Workload{}); f.Verdict != api.Error {
				t.Errorf("what cannot be looked at is %s", f.Verdict)
			}
		})
	}
}
