package check

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/caserun"
	"sluice.dev/sluice/internal/fault"
)

// lost looks at the nodes of a batch of which a case says that there is nothing to look at. One that is not ready since it has what
// is new is a node at which nobody has looked, and counts. One that is gone, or that people have cordoned, does not.
func (l *caseLook) lost(ctx context.Context) error {
	for _, c := range l.cases {
		for _, t := range c.targets {
			if !c.ofBatch || t.name == "" || t.verdict != api.Skipped {
				continue
			}
			node, err := l.question.Place.API.Get(ctx, corev1.SchemeGroupVersion.WithKind("Node"), "", t.name)
			if fault.CodeOf(err) == fault.NotFound {
				continue
			}
			if err != nil {
				return err
			}
			if !nodeReady(node) {
				t.verdict, t.says = api.Inconclusive, "the node has what is new, and is not ready; "+t.says
			}
		}
	}
	return nil
}

// nodeReady reports whether a node says that it is.
func nodeReady(node *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(node.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == string(corev1.NodeReady) {
			return c["status"] == string(corev1.ConditionTrue)
		}
	}
	return false
}

// waitedFor says which runs a measurement that was cut short had waited for.
func waitedFor(ends []caserun.End) string {
	var open []string
	over := 0
	for _, e := range ends {
		what := e.Config.Name
		if e.Target != "" {
			what += " on " + e.Target
		}
		switch {
		case e.Over():
			over++
		case e.Begun:
			open = append(open, what+" runs still")
		default:
			open = append(open, what+" has not begun")
		}
	}
	if len(open) == 0 {
		return ""
	}
	text := "; " + strings.Join(open[:min(len(open), mostNamed)], "; ")
	if more := len(open) - mostNamed; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text + fmt.Sprintf("; %d of %d are over", over, len(ends))
}
