package prober_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/kubetest"
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

// made is an object that the program of a run has made.
func (s *site) made(version, kind, in, name, run string) *unstructured.Unstructured {
	meta := object{"name": name}
	if in != "" {
		meta["namespace"] = in
	}
	if run != "" {
		meta["labels"] = object{probing.LabelRun: run}
	}
	o := &unstructured.Unstructured{Object: object{"apiVersion": version, "kind": kind, "metadata": meta}}
	s.Put(o)
	return o
}

// What is no pod goes with the run that has made it, where its case says that it may make such; nothing else does.
func TestFailureMode_P03_WhatIsNoPodGoesToo(t *testing.T) {
	const forgotten = "canary-000000000000"
	makes := []probing.Makes{
		{Group: "coordination.k8s.io", Resource: "leases"}, {Resource: "namespaces", Everywhere: true}, {Resource: "configmaps", Everywhere: true},
		{Group: "nobody.example", Resource: "things"},
	}
	type put = func(s *site, run string) *unstructured.Unstructured
	for _, c := range []struct {
		reason string
		put    put
		stays  bool
	}{
		{"of the kinds that it makes", func(s *site, run string) *unstructured.Unstructured {
			return s.made("coordination.k8s.io/v1", "Lease", namespace, "a", run)
		}, false},
		{"in another namespace, where it may make such anywhere", func(s *site, run string) *unstructured.Unstructured {
			return s.made("v1", "ConfigMap", "kube-system", "a", run)
		}, false},
		{"in no namespace", func(s *site, run string) *unstructured.Unstructured {
			return s.made("v1", "Namespace", "", "probe-made", run)
		}, false},
		{"not in another namespace, where it may make such in its own", func(s *site, run string) *unstructured.Unstructured {
			return s.made("coordination.k8s.io/v1", "Lease", "kube-system", "a", run)
		}, true},
		{"not of another kind", func(s *site, run string) *unstructured.Unstructured {
			return s.made("v1", "Service", namespace, "a", run)
		}, true},
		{"not what has no label", func(s *site, _ string) *unstructured.Unstructured {
			return s.made("coordination.k8s.io/v1", "Lease", namespace, "a", "")
		}, true},
		{"not of another case", func(s *site, _ string) *unstructured.Unstructured {
			return s.made("v1", "ConfigMap", "kube-system", "a", "other-000000000000")
		}, true},
	} {
		for when, run := range map[string]func(s *site) string{
			"once it is over":            func(s *site) string { return s.ended("canary", "late", time.Minute).Name },
			"before the next run":        func(*site) string { return forgotten },
			"when its case is gone":      func(*site) string { return forgotten },
			"also where it may not look": func(s *site) string { s.Forbid("services"); return forgotten },
		} {
			t.Run(c.reason+", "+when, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "fine") }
				s.probe("canary", func(p *probing.Config) {
					p.Spec.Makes = append([]probing.Makes{{Resource: "services"}}, makes...)
					if c.reason == "not of another kind" {
						p.Spec.Makes = makes
					}
				})
				of := run(s)
				left := c.put(s, of)
				s.start()
				switch when {
				case "before the next run", "also where it may not look":
					s.done(s.run("canary", "", "next"))
				case "when its case is gone":
					s.until("the case is not seen", func() bool { return s.configs()[0].Status.ObservedGeneration > 0 })
					s.Delete(s.All(probing.KindConfig)...)
					s.until("that it is gone is not said", func() bool {
						s.mu.Lock()
						defer s.mu.Unlock()
						return slices.ContainsFunc(s.said, func(one probing.Said) bool { return slices.Contains(one.Gone, "canary") })
					})
				default: // what is taken away comes first
					sentinel := s.made("v1", "ConfigMap", namespace, "sentinel", of)
					s.until("it takes nothing away", func() bool { return s.Object(sentinel) == nil })
				}
				if there := s.Object(left) != nil; there != c.stays {
					t.Errorf("it is there: %t", there)
				}
			})
		}
	}
}

// Names of runs are cut: what the run of a case with a long name has made is not taken for that of another one's that begins alike.
func TestWhatARunMakesIsNotTakenForThatOfANamesake(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(p *unstructured.Unstructured) map[string]any {
		if p.GetNamespace() == "kube-system" {
			return running()
		}
		return exits(0, "")
	}
	alike := strings.Repeat("canary-", 6)
	makes := func(c *probing.Config) { c.Spec.Makes = []probing.Makes{{Resource: "configmaps", Everywhere: true}} }
	s.probe(alike+"a", makes)
	s.probe(alike+"b", makes, func(c *probing.Config) {
		c.Namespace, c.Annotations = "kube-system", map[string]string{probing.AnnotationRunNow: "1"}
	})
	s.start()
	s.until("no pod of the namesake runs", func() bool { return len(s.runs()) == 1 && s.runs()[0].Status.Pod != "" })
	theirs := s.made("v1", "ConfigMap", "kube-system", "a", s.runs()[0].Name)
	if !probing.RunOf(alike+"a", s.runs()[0].Name) {
		t.Fatal("the names are not alike")
	}
	s.done(s.run(alike+"a", "", "1"))
	if s.Object(theirs) == nil {
		t.Error("it is taken away")
	}
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

// What is in no namespace is not in that of a case: only one that may make such anywhere has any.
func TestWhatIsInNoNamespaceIsOfACaseThatMakesItAnywhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
	s.probe("canary", func(c *probing.Config) { c.Spec.Makes = []probing.Makes{{Resource: "namespaces"}} })
	others := s.made("v1", "Namespace", "", "others", "other-000000000000")
	s.start()
	s.done(s.run("canary", "", "1"))
	if s.Object(others) == nil {
		t.Error("a namespace of others is taken away")
	}
}

// A case that goes takes nothing of another one of its namespace, whose long name begins alike.
func TestACaseThatGoesTakesNothingOfANamesake(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	alike := strings.Repeat("canary-", 6)
	makes := func(c *probing.Config) { c.Spec.Makes = []probing.Makes{{Resource: "configmaps"}} }
	s.probe(alike+"a", makes)
	going := s.All(probing.KindConfig)
	s.probe(alike+"b", makes)
	s.start()
	r := s.run(alike+"b", "", "1")
	s.until("no pod of the namesake runs", func() bool { return len(s.runs()) == 1 && s.runs()[0].Status.Pod != "" })
	s.until("the cases are not seen", func() bool {
		return !slices.ContainsFunc(s.configs(), func(c probing.Config) bool { return c.Status.ObservedGeneration == 0 })
	})
	theirs := s.made("v1", "ConfigMap", namespace, "theirs", r.Name)
	litter := s.made("v1", "ConfigMap", namespace, "litter", alike[:40]+"-000000000000")
	s.Delete(going...)
	s.until("what is left of it stays", func() bool { return s.Object(litter) == nil })
	s.until("that it is gone is not said", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.ContainsFunc(s.said, func(one probing.Said) bool { return slices.Contains(one.Gone, alike+"a") })
	})
	if s.Object(theirs) == nil {
		t.Error("what a run of another case has made is taken away")
	}
}

// A case that may make pods anywhere keeps those that ran it: people look at their logs for as long as the run is there.
func TestPodsThatHaveEndedStay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(1, "it is broken") }
	s.probe("canary", func(c *probing.Config) { c.Spec.Makes = []probing.Makes{{Resource: "pods", Everywhere: true}} })
	by, clocked := oddly(0)
	s.start(clocked)
	ran := s.done(s.run("canary", "", "1")).Status.Pod
	elsewhere := s.made("v1", "Pod", "kube-system", "elsewhere", s.runs()[0].Name)
	s.litter("litter", s.runs()[0].Name)
	by.Store(int64(time.Minute))
	s.done(s.run("canary", "", "2"))
	if !s.has(ran) {
		t.Error("the pod of the run before is taken away")
	}
	if s.Object(elsewhere) != nil || s.has("litter") {
		t.Error("what it has made stays")
	}
}

// What cannot be taken away keeps no case from looking: least of all where the cluster is what is broken.
func TestWhatCannotBeTakenAwayStopsNoRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return exits(0, "") }
	s.setBefore(func(w kubetest.Write) int {
		if strings.HasPrefix(w.String(), "delete ConfigMap/") {
			return http.StatusInternalServerError // as where a webhook is asked that does not answer
		}
		return 0
	})
	s.probe("canary", func(c *probing.Config) {
		c.Spec.Makes = []probing.Makes{{Resource: "configmaps"}, {Resource: "services"}}
	})
	s.made("v1", "ConfigMap", namespace, "stays", "canary-000000000000")
	goes := s.made("v1", "Service", namespace, "goes", "canary-000000000000")
	s.start()
	s.done(s.run("canary", "", "1"))
	if s.Object(goes) != nil {
		t.Error("what is of another kind stays, too")
	}
}

// What a program makes while its case goes is taken away with its run: until that is gone it may go on.
func TestWhatIsMadeWhileACaseGoes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("canary", func(c *probing.Config) { c.Spec.Makes = []probing.Makes{{Resource: "configmaps"}} })
	s.start()
	r := s.run("canary", "", "1")
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 && s.runs()[0].Status.Pod != "" })
	s.Delete(s.All(probing.KindConfig)...)
	s.until("that it is gone is not said", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.ContainsFunc(s.said, func(one probing.Said) bool { return slices.Contains(one.Gone, "canary") })
	})
	late := s.made("v1", "ConfigMap", namespace, "late", r.Name)
	s.Delete(s.All(probing.KindRun)...)
	s.until("it stays", func() bool { return s.Object(late) == nil })
}
