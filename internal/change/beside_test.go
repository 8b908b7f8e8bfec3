package change

import (
	"slices"
	"strings"
	"testing"
)

// What a way back would bring somewhere where nothing is rendered any more is said, so that whoever starts a run is asked about it.
func TestNamespacesBesideTheObjects(t *testing.T) {
	in := func(namespace, name string) string {
		return strings.Replace(config(name, "a", "1"), `"apps"`, `"`+namespace+`"`, 1)
	}
	hook := `{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "h"}, "webhooks": []}`
	for name, c := range map[string]struct {
		reason       string
		before, then []string
		deleted      bool // by hand, what is there
		want         []string
	}{
		"nothing is left out":  {reason: "all of it is among the objects", before: []string{in("apps", "a")}, then: []string{in("apps", "a")}},
		"one is left out":      {reason: "it goes back there", before: []string{in("apps", "a"), in("old", "b")}, then: []string{in("apps", "a")}, want: []string{"old"}},
		"one that is not here": {reason: "it would come back there", before: []string{in("old", "b")}, then: []string{in("apps", "a")}, deleted: true, want: []string{"old"}},
		"one in no namespace":  {reason: "no namespace holds it", before: []string{hook}, then: []string{in("apps", "a")}, want: []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.cluster.put(parsed(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "old"}}`))
			s.begins("agent-1", "1", c.before...)
			_, set := s.compare()
			s.brings(set)
			s.deployed(set)
			if c.deleted {
				clear(s.cluster.objects)
				s.cluster.put(parsed(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}`))
			}
			s.begins("agent-2", "2", c.then...)
			if found, _ := s.compare(); !slices.Equal(found.Beside, c.want) {
				t.Errorf("beside are %q, want %q: %s", found.Beside, c.want, c.reason)
			}
		})
	}
}
