package pipelines

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatACaseMayLeave(t *testing.T) {
	create := []string{"get", "create"}
	for _, c := range []struct {
		reason  string
		touches []ProbeTouch
		want    []ProbeMakes
	}{
		{"what is only read is not left", []ProbeTouch{{Resources: []string{"services"}, Verbs: []string{"get", "list"}}}, nil},
		{"pods of its own namespace are taken away anyway", []ProbeTouch{{Resources: []string{"pods"}, Verbs: create}}, nil},
		{"those of others are not", []ProbeTouch{{Resources: []string{"pods"}, Verbs: create, Everywhere: true}}, []ProbeMakes{
			{Resource: "pods", Everywhere: true},
		}},
		{"a command in a pod is no object", []ProbeTouch{{Resources: []string{"pods/exec"}, Verbs: create}}, nil},
		{"a question is none either", []ProbeTouch{
			{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"subjectaccessreviews"}, Verbs: create, Everywhere: true},
			{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, Verbs: create, Everywhere: true},
		}, nil},
		{"each kind is there once, as wide as it is", []ProbeTouch{
			{Resources: []string{"services", "configmaps"}, Verbs: create},
			{APIGroups: []string{"", "apps"}, Resources: []string{"configmaps"}, Verbs: create, Everywhere: true},
			{Resources: []string{"services"}, Verbs: create},
		}, []ProbeMakes{
			{Resource: "configmaps", Everywhere: true}, {Resource: "services"}, {Group: "apps", Resource: "configmaps", Everywhere: true},
		}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := ProbeSpec{Touches: c.touches}
			if diff := cmp.Diff(c.want, s.Leaves()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
