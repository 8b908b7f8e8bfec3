package prober_test

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/probing"
)

// litter is a pod that the program of a run has made.
func (s *site) litter(name, run string) {
	s.Put(&unstructured.Unstructured{Object: object{
		"apiVersion": "v1", "kind": "Pod", "status": object{"phase": "Running"},
		"metadata": object{"namespace": namespace, "name": name, "labels": object{probing.LabelRun: run}},
	}})
}

func (s *site) has(pod string) bool {
	return slices.ContainsFunc(s.All("Pod"), func(p *unstructured.Unstructured) bool { return p.GetName() == pod })
}

// ended is a run that ended some time ago, and was told.
func (s *site) ended(probeCase, key string, ago time.Duration) *probing.Run {
	r := s.run(probeCase, "", key)
	live := s.Object(&unstructured.Unstructured{Object: object{
		"apiVersion": "sluice.dev/v1alpha1", "kind": probing.KindRun, "metadata": object{"namespace": namespace, "name": r.Name},
	}})
	at := time.Now().Add(-ago).UTC().Format(time.RFC3339)
	live.Object["status"] = object{
		"phase": "Done", "told": true, "started": at, "ended": at, "result": object{"verdict": "Passed", "by": "report"},
	}
	s.Put(live)
	return r
}

// What a run leaves goes: before the next one, once it is over, and when it is gone; and so does the run itself.
func TestFailureMode_P03_LitterGoes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("pod-life")
	s.probe("other")
	old := s.ended("pod-life", "old", 52*24*time.Hour)
	late := s.ended("pod-life", "late", 10*time.Minute)
	fresh := s.ended("pod-life", "fresh", time.Second)
	s.litter("of-an-old-run", old.Name)
	s.litter("of-a-late-run", late.Name)
	s.litter("of-a-run-that-is-gone", "pod-life-000000000000")
	s.litter("of-a-run-that-tidies-up", fresh.Name)
	s.Put(&unstructured.Unstructured{Object: object{
		"apiVersion": "v1", "kind": "Pod", "metadata": object{"namespace": namespace, "name": "of-nobody"}, "status": object{"phase": "Running"},
	}})
	s.start()
	r := s.run("pod-life", "", "new")
	s.litter("of-the-new-run", r.Name)
	s.until("no pod of the new run runs", func() bool {
		return slices.ContainsFunc(s.runs(), func(one probing.Run) bool { return one.Name == r.Name && one.Status.Pod != "" })
	})
	for _, name := range []string{"of-an-old-run", "of-a-late-run", "of-a-run-that-is-gone"} {
		s.until(name+" is still there", func() bool { return !s.has(name) })
	}
	for _, name := range []string{"of-a-run-that-tidies-up", "of-the-new-run", "of-nobody"} {
		if !s.has(name) {
			t.Errorf("%s is gone", name)
		}
	}
	s.until("a run of 52 days ago is still there", func() bool {
		return !slices.ContainsFunc(s.runs(), func(one probing.Run) bool { return one.Name == old.Name })
	})
	if !slices.ContainsFunc(s.runs(), func(one probing.Run) bool { return one.Name == late.Name }) {
		t.Error("a run that people may look at for an hour is gone")
	}
}
