package prober_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/probing"
)

// TestWhatRanIsSaid has a case change while it runs: what is said is what ran. Where an older process has begun the run, or the cluster has
// no place to note it, it is what the case is, unless that is of another version by now.
func TestWhatRanIsSaid(t *testing.T) {
	t.Parallel()
	image := func(version, image string) func(*probing.Config) {
		return func(c *probing.Config) { c.Spec.Version, c.Spec.Pod.Image = version, image }
	}
	for reason, c := range map[string]struct {
		noted bool
		then  func(*probing.Config)
		is    string // "before", "after" or ""
	}{
		"it changed meanwhile":                      {noted: true, then: image("v2", "registry.example/probes:2"), is: "before"},
		"nobody noted it":                           {then: image("v1", "registry.example/probes:1"), is: "before"},
		"nobody noted it, and it is something else": {then: image("v2", "registry.example/probes:2")},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
			s.probe("etcd", image("v1", "registry.example/probes:1"))
			r := s.run("etcd", "", "1")
			s.start()
			s.until("no pod runs", func() bool { return len(s.pods()) == 1 && s.runs()[0].Status.Pod != "" })
			was := s.configs()[0].Spec
			if !c.noted {
				s.stop()
				live := s.All(probing.KindRun)[0].DeepCopy()
				unstructured.RemoveNestedField(live.Object, "status", "program")
				s.Put(live)
				s.start()
			}
			s.probe("etcd", c.then)
			s.becomes(s.pods()[0], exits(0, "fine"))
			s.done(r)
			want := ""
			if c.is == "before" {
				want = was.Program()
			}
			if o := s.outcomes(); len(o) != 1 || o[0].Program != want {
				t.Errorf("it is said that %q ran, want %q", o[0].Program, want)
			}
			if st := s.stand("etcd", ""); st.Program == "" {
				t.Errorf("the state says of no program: %+v", st)
			}
		})
	}
}
