package prober

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/probing"
)

// maxIll bounds how many nodes a pod is kept from by name; the scheduler knows the others too.
const maxIll = 100

// nodeOf is the node that a run has to be on; "" where it has to be on none.
func nodeOf(c *probing.Config, r *probing.Run) string {
	if c.Spec.Target.Kind == probing.OfNodes && !c.Spec.Target.Apart {
		return r.Spec.Target
	}
	return ""
}

// apartFrom is the node that a run has to be anywhere but on; "" where there is none.
func apartFrom(c *probing.Config, r *probing.Run) string {
	if c.Spec.Target.Kind == probing.OfNodes && c.Spec.Target.Apart {
		return r.Spec.Target
	}
	return ""
}

// nodes returns which nodes a pod is kept from, those that are not well and one more, by the name that pods select them by, and why no pod
// is put on the one that is wanted.
func (s *site) nodes(ctx context.Context, wanted, apart string) (ill []string, why string, err error) {
	all := &corev1.NodeList{}
	if err := s.seen.List(ctx, all, client.UnsafeDisableDeepCopy); err != nil {
		return nil, "", err
	}
	there, others := false, 0
	for i := range all.Items {
		n := &all.Items[i]
		problem := illness(n)
		if n.Name == wanted {
			there, why = true, problem
		}
		name := cmp.Or(n.Labels[corev1.LabelHostname], n.Name)
		switch {
		case n.Name == apart:
			ill = append(ill, name)
		case problem != "" && others < maxIll-1:
			others++
			ill = append(ill, name)
		}
	}
	if wanted != "" && !there {
		why = fmt.Sprintf("there is no node %s", wanted)
	}
	slices.Sort(ill)
	return ill, why, nil
}

// illness is why a node is not well; "" where it is.
func illness(n *corev1.Node) string {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
			return fmt.Sprintf("node %s is not ready: %s", n.Name, joined(c.Reason, c.Message))
		}
	}
	return ""
}

// targets are what a round of a case is about, of some nodes or of all.
func (s *site) targets(ctx context.Context, c *probing.Config, among []string, key string) ([]string, error) {
	if c.Spec.Target.Kind != probing.OfNodes {
		return []string{""}, nil
	}
	all := &corev1.NodeList{}
	if err := s.seen.List(ctx, all, client.MatchingLabels(c.Spec.Target.Labels), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var names []string
	for i := range all.Items {
		if name := all.Items[i].Name; len(among) == 0 || slices.Contains(among, name) {
			names = append(names, name)
		}
	}
	return probing.Sample(names, c.Spec.Target.Sample, key), nil
}
