package change

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sluice.dev/sluice/internal/api"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// refused are the objects that a comparison refuses by a rule.
func refused(found plan.ClusterDiff, rule api.Rule) (objects []string) {
	for _, r := range found.Refusals {
		if r.Rule == rule {
			objects = append(objects, r.Object)
		}
	}
	return objects
}

func drifted(found plan.ClusterDiff) (lines []string) {
	for _, o := range found.Objects {
		for _, d := range o.Drift {
			lines = append(lines, o.Object+" "+d)
		}
	}
	return lines
}

func TestDrift(t *testing.T) {
	const hand, own = `ConfigMap/apps/x /data/key: recorded "1", live "by hand"`, "agent-2"
	edited := func(to ...string) func(*scene) {
		return func(s *scene) {
			o := parsed(s.T, config("x", to...))
			live := s.cluster.objects[templates.ID(o)]
			live.Object["data"] = o.Object["data"]
			s.cluster.put(live)
		}
	}
	// half is a run that is killed after its first write, before it knows what came of it.
	half := func(run, value string) func(*scene) {
		return func(s *scene) {
			s.begins(run, "half", config("x", "key", value))
			_, set := s.compare()
			s.records.fails = func(w ledger.Write) error {
				if w.ResourceVersion != "" {
					return errKilled
				}
				return nil
			}
			if _, err := s.writer().Write(s.Context(), set, templates.Before); !errors.Is(err, errKilled) {
				s.Fatalf("it was not killed: %v", err)
			}
			s.records.fails = nil
		}
	}
	// meant is a run that is killed between its first intent and the write.
	meant := func(run, value string) func(*scene) {
		return func(s *scene) {
			s.begins(run, "meant", config("x", "key", value))
			_, set := s.compare()
			s.cluster.before = func(string, *unstructured.Unstructured) error { return errKilled }
			if _, err := s.writer().Write(s.Context(), set, templates.Before); !errors.Is(err, errKilled) {
				s.Fatalf("it was not killed: %v", err)
			}
			s.cluster.before = nil
		}
	}
	for name, c := range map[string]struct {
		reason string
		since  func(s *scene) // what happens after 1.0.0 was recorded with key 1
		set    func(p *plan.Plan)
		same   bool     // the run that was killed goes on
		drift  []string // what the plan shows
		no     bool     // whether it is refused for it
		action patch.Action
		leaves string // key, once it is written
	}{
		"nobody wrote": {reason: "live is what was recorded", action: patch.Patch, leaves: "2"},
		"by hand": {
			reason: "somebody would lose his change", since: edited("key", "by hand"),
			drift: []string{hand}, no: true, action: patch.Patch, leaves: "2",
		},
		"by hand, beside it": {
			reason: "only what was rendered is the component's", since: edited("key", "1", "more", "x"), action: patch.Patch, leaves: "2",
		},
		"by hand, the target": {reason: "it is what is wanted anyway", since: edited("key", "2"), action: patch.Unchanged, leaves: "2"},
		"by hand, overwrite": {
			reason: "the component says so", since: edited("key", "by hand"), set: func(p *plan.Plan) { p.Drift = pipelines.DriftOverwrite },
			drift: []string{hand}, action: patch.Patch, leaves: "2",
		},
		"by hand, keep": {
			reason: "the component says so", since: edited("key", "by hand"), set: func(p *plan.Plan) { p.Drift = pipelines.DriftKeep },
			drift: []string{hand}, action: patch.Unchanged, leaves: "by hand",
		},
		"by hand, ignored": {
			reason: "the field belongs to somebody else", since: edited("key", "by hand"),
			set: func(p *plan.Plan) {
				p.Ignore = []pipelines.IgnoreRule{{Kind: "ConfigMap", Name: "x", Fields: []string{"/data/key"}}}
			}, action: patch.Unchanged, leaves: "by hand",
		},
		"by hand, ignored elsewhere": {
			reason: "the rule is of another object", since: edited("key", "by hand"),
			set: func(p *plan.Plan) {
				p.Ignore = []pipelines.IgnoreRule{{Kind: "ConfigMap", Name: "y", Fields: []string{"/data/key"}}}
			}, drift: []string{hand}, no: true, action: patch.Patch, leaves: "2",
		},
		"excepted": {
			reason: "the pipeline lets it through", since: edited("key", "by hand"),
			set: func(p *plan.Plan) {
				p.Exceptions = []pipelines.Exception{{Rule: "drift", Object: "ConfigMap/x", Reason: "it is known"}}
			}, drift: []string{hand}, action: patch.Patch, leaves: "2",
		},
		"our own, half done, the same run": {
			reason: "a worker that starts anew sees its own write as its own", since: half(own, "2"), same: true,
			action: patch.Unchanged, leaves: "2",
		},
		"our own, half done, by a run that was given up": {
			reason: "what an earlier run wrote is no drift", since: half("agent-7", "half"), action: patch.Patch, leaves: "2",
		},
		"our own, and a later run meant more": {
			reason: "a run that was given up may have got as far as to say what it was about to write",
			since:  func(s *scene) { half("agent-7", "half")(s); meant("agent-8", "meant")(s) }, action: patch.Patch, leaves: "2",
		},
		"our own, and then by hand": {
			reason: "what somebody made of our own work is drift all the same",
			since:  func(s *scene) { half("agent-7", "half")(s); edited("key", "by hand")(s) },
			drift:  []string{`ConfigMap/apps/x /data/key: recorded "half", live "by hand"`}, no: true, action: patch.Patch, leaves: "2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.begins("agent-1", "1.0.0", config("x", "key", "1"))
			_, set := s.compare()
			s.brings(set)
			s.deployed(set)
			if c.since != nil {
				c.since(s)
			}
			if c.set != nil {
				c.set(&s.plan)
			}
			if !c.same {
				s.begins(own, "2.0.0", config("x", "key", "2"))
			}
			found, set := s.compare()
			if got := drifted(found); !slices.Equal(got, c.drift) {
				t.Errorf("%s: it shows %q, want %q", c.reason, got, c.drift)
			}
			if no := refused(found, api.RuleDrift); (len(no) > 0) != c.no {
				t.Errorf("%s: for drift it refuses %q", c.reason, no)
			}
			x, err := set.Object("ConfigMap/apps/x")
			if err != nil || x.Action != c.action {
				t.Errorf("%s: it would %s, %v", c.reason, x.Action, err)
			}
			s.brings(set)
			if is := s.data("x", "key"); is != c.leaves {
				t.Errorf("%s: it leaves %q, want %q", c.reason, is, c.leaves)
			}
		})
	}
}

func TestAnEditOfWhatIsNoLongerRenderedIsDrift(t *testing.T) {
	s := newScene(t)
	s.begins("agent-1", "1.0.0", config("x", "key", "1"), config("y", "key", "1"))
	_, set := s.compare()
	s.brings(set)
	s.deployed(set)
	o := s.cluster.objects["/ConfigMap/apps/y"]
	o.Object["data"] = map[string]any{"key": "by hand"}
	s.cluster.put(o)
	s.begins("agent-2", "2.0.0", config("x", "key", "1"))
	found, set := s.compare()
	if no := refused(found, api.RuleDrift); !slices.Equal(no, []string{"ConfigMap/apps/y"}) {
		t.Errorf("for drift it refuses %q: it is what a way back would return to", no)
	}
	s.cluster.wrote = nil
	if s.brings(set); len(s.cluster.wrote) > 0 {
		t.Errorf("it is left alone, and it wrote %q", s.cluster.wrote)
	}
}

func TestWhatNobodyServesIsRefusedUnlessTheRenderBringsIt(t *testing.T) {
	const thing = `{"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "apps"}}`
	for reason, c := range map[string]struct {
		brings []string
		no     int
	}{
		"no CRD is there or comes": {[]string{thing}, 1},
		"its CRD comes before it":  {[]string{crd, thing}, 0},
	} {
		s := newScene(t)
		s.cluster.unserved = "Thing"
		s.begins("agent-1", "1.0.0", c.brings...)
		found, _ := s.compare()
		if no := refused(found, api.RuleServed); len(no) != c.no || c.no > 0 && !strings.HasPrefix(no[0], "Thing/") {
			t.Errorf("%s: it refuses %+v", reason, found.Refusals)
		}
	}
}
