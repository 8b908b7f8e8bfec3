package change

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/templates"
)

const (
	crd = `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example.org"},
		"spec": {"group": "example.org", "names": {"kind": "Thing", "plural": "things"}, "scope": "Namespaced", "versions": []}}`
	webhook = `{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
		"metadata": {"name": "guard"}, "webhooks": []}`
)

// ways are how a part goes back: in its own run, or by a run that is started for it.
var ways = []struct {
	name string
	take func(s *scene, set Set) Entries
}{
	{"in its own run", func(s *scene, set Set) Entries {
		s.Helper()
		return s.inPhases(set, Writer.TakeBack, templates.After, templates.Before)
	}},
	{"by a run of its own", func(s *scene, set Set) Entries {
		s.Helper()
		if s.part.Back {
			return s.brings(s.turned)
		}
		s.records.deployment = &ledger.Deployment{Run: s.part.Run, Version: set.Version, Target: set.Target, Objects: set.Written}
		s.part = Part{Run: "agent-9", Subject: api.Component("agent"), Cluster: "a", Fence: 9, Back: true, BackOf: s.part.Run}
		s.records.runs = append([]ledger.Run{{Name: "agent-9"}}, s.records.runs...)
		_, s.turned = s.compare()
		return s.brings(s.turned)
	}},
}

func read(entries Entries) []string {
	var out []string
	for _, e := range entries {
		out = append(out, string(e.Action)+" "+e.String())
	}
	slices.Sort(out)
	return out
}

func TestTheWayBack(t *testing.T) {
	someones := func(s *scene, text string) { s.cluster.put(parsed(s.T, text)) }
	edit := func(s *scene, name string, edit func(o *unstructured.Unstructured)) {
		for _, o := range s.cluster.objects {
			if o.GetName() == name {
				edit(o)
				s.cluster.put(o)
			}
		}
	}
	for name, c := range map[string]struct {
		reason    string
		before    []string // what is there before Sluice
		ran       []string // the version that was recorded; none: nothing was
		brings    []string
		meanwhile func(s *scene)
		first     string   // what is written first on the way back
		want      []string // what became of it
		keys      map[string]string
	}{
		"recorded": {
			reason: "a deployment says what it was, and counts before any pre-image",
			ran:    []string{config("x", "key", "1")}, brings: []string{config("x", "key", "2")},
			first: "patch ConfigMap/x", want: []string{"patched ConfigMap/apps/x"}, keys: map[string]string{"x": "1"},
		},
		"as found": {
			reason: "it goes back to its pre-image, in the fields that were written of it",
			before: []string{config("x", "key", "theirs", "more", "theirs")}, brings: []string{config("x", "key", "2")},
			meanwhile: func(s *scene) {
				edit(s, "x", func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{"team": "b"}) })
			},
			first: "patch ConfigMap/x", want: []string{"patched ConfigMap/apps/x"}, keys: map[string]string{"x": "theirs"},
		},
		"removed": {
			reason: "there was nothing before the run made it",
			brings: []string{config("x", "key", "2")},
			first:  "delete ConfigMap/x", want: []string{"deleted ConfigMap/apps/x"}, keys: map[string]string{"x": "gone"},
		},
		"removed of a later version": {
			reason: "what only the later version has goes, what both have goes back",
			ran:    []string{config("x", "key", "1")}, brings: []string{config("x", "key", "2"), config("y", "key", "2")},
			want: []string{"deleted ConfigMap/apps/y", "patched ConfigMap/apps/x"}, keys: map[string]string{"x": "1", "y": "gone"},
		},
		"stays: another has its name": {
			reason: "what was made is gone, and nobody's of ours has taken its name",
			brings: []string{config("x", "key", "2")},
			meanwhile: func(s *scene) {
				delete(s.cluster.objects, "/ConfigMap/apps/x")
				someones(s, config("x", "key", "somebody's"))
			},
			keys: map[string]string{"x": "somebody's"},
		},
		"stays: found, and another by now": {
			reason: "the pre-image is of another object",
			before: []string{config("x", "key", "theirs")}, brings: []string{config("x", "key", "2")},
			meanwhile: func(s *scene) {
				delete(s.cluster.objects, "/ConfigMap/apps/x")
				someones(s, config("x", "key", "somebody's"))
			},
			want: []string{"kept ConfigMap/apps/x (" + staysOther + ")"}, keys: map[string]string{"x": "somebody's"},
		},
		"stays: found, and deleted since": {
			reason: "whoever deleted it meant to",
			before: []string{config("x", "key", "theirs")}, brings: []string{config("x", "key", "2")},
			meanwhile: func(s *scene) { delete(s.cluster.objects, "/ConfigMap/apps/x") },
			want:      []string{"kept ConfigMap/apps/x (" + staysGone + ")"}, keys: map[string]string{"x": "gone"},
		},
		"stays: the API server does not take it": {
			reason: "a way back goes on with the rest",
			before: []string{config("x", "key", "theirs"), config("y", "key", "theirs")},
			brings: []string{config("x", "key", "2"), config("y", "key", "2")},
			meanwhile: func(s *scene) {
				s.cluster.before = func(_ string, o *unstructured.Unstructured) error {
					if o.GetName() == "x" {
						return fault.New(fault.Invalid, "it may not")
					}
					return nil
				}
			},
			want: []string{"kept ConfigMap/apps/x (it may not)", "patched ConfigMap/apps/y"},
			keys: map[string]string{"x": "2", "y": "theirs"},
		},
		"stays: what it holds is worth more": {
			reason: "with the CRD went every object that was stored with it",
			brings: []string{crd, config("x", "key", "2")},
			first:  "delete ConfigMap/x", want: []string{"deleted ConfigMap/apps/x", "kept CustomResourceDefinition/things.example.org"},
		},
		"a webhook first": {
			reason: "it could refuse every other write once nobody answers for it",
			brings: []string{config("x", "key", "2"), webhook},
			first:  "delete ValidatingWebhookConfiguration/guard",
			want:   []string{"deleted ConfigMap/apps/x", "deleted ValidatingWebhookConfiguration/guard"}, keys: map[string]string{"x": "gone"},
		},
	} {
		for _, way := range ways {
			t.Run(name+", "+way.name, func(t *testing.T) {
				s := newScene(t)
				for _, text := range c.before {
					someones(s, text)
				}
				if len(c.ran) > 0 {
					s.begins("agent-1", "1.0.0", c.ran...)
					_, set := s.compare()
					s.brings(set)
					s.deployed(set)
				}
				s.begins("agent-2", "2.0.0", c.brings...)
				_, set := s.compare()
				s.brings(set)
				if c.meanwhile != nil {
					c.meanwhile(s)
				}
				s.cluster.wrote = nil
				got := way.take(s, set)
				if diff := cmp.Diff(c.want, read(got)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", c.reason, diff)
				}
				if c.first != "" && (len(s.cluster.wrote) == 0 || s.cluster.wrote[0] != c.first) {
					t.Errorf("%s: it wrote %q, first has to come %q", c.reason, s.cluster.wrote, c.first)
				}
				for name, value := range c.keys {
					if is := s.data(name, "key"); is != value {
						t.Errorf("%s: %s is %q, want %q", c.reason, name, is, value)
					}
				}
				again := way.take(s, set)
				if changed := append(again.Of(Patched), again.Of(Deleted)...); len(changed) > 0 {
					t.Errorf("the second time it changed %q", changed)
				}
			})
		}
	}
}

var errKilled = errors.New("killed")

func TestAKillChangesNoWayBack(t *testing.T) {
	for reason, at := range map[string]func(ledger.Write) bool{
		"before the intent":                   func(w ledger.Write) bool { return w.ResourceVersion == "" },
		"after the write, before its outcome": func(w ledger.Write) bool { return w.ResourceVersion != "" },
	} {
		for _, way := range ways {
			t.Run(reason+", "+way.name, func(t *testing.T) {
				s := newScene(t)
				s.cluster.put(parsed(t, config("found", "key", "theirs")))
				s.begins("agent-2", "2.0.0", config("found", "key", "2"), config("made", "key", "2"))
				_, set := s.compare()
				for _, name := range []string{"found", "made"} {
					over := false
					s.records.fails = func(w ledger.Write) error {
						if over || !strings.HasSuffix(w.Object, "/"+name) || !at(w) {
							return nil
						}
						over = true
						return errKilled
					}
					if _, err := s.writer().Write(t.Context(), set, templates.Before); !errors.Is(err, errKilled) {
						t.Fatalf("it was not killed at %s: %v", name, err)
					}
				}
				s.brings(set)
				way.take(s, set)
				if found, made := s.data("found", "key"), s.data("made", "key"); found != "theirs" || made != "gone" {
					t.Errorf("what was found is %q, and what was made %q", found, made)
				}
			})
		}
	}
}

func TestRecordsSayWhenByTheClock(t *testing.T) {
	s := newScene(t)
	s.begins("agent-1", "1.0.0", config("x", "key", "1"))
	_, set := s.compare()
	s.brings(set)
	for _, w := range s.records.writes {
		if !w.At.Equal(s.clock.Now()) {
			t.Errorf("the write of %s is of %s", w.Object, w.At)
		}
	}
	if len(s.records.writes) != 1 || len(s.records.images) != 1 || !s.records.images[0].At.Equal(s.clock.Now()) {
		t.Errorf("kept are %+v and %+v", s.records.writes, s.records.images)
	}
}
