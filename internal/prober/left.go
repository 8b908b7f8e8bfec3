package prober

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/probing"
)

// What a program has made beside pods is taken away with its pods, and before them: a Deployment would make others. It is objects of the
// kinds that its case says, with the label of a run; where those may be in other namespaces, of a run that has the name of the case.

// left takes away objects of the kinds that a case makes, with a label, of which it is said that they are over. Which kinds an agent may
// take away its roles say: one that it may not is said, and stops no run.
func (s *site) left(
	ctx context.Context, c *probing.Config, label client.ListOption, over func(*metav1.PartialObjectMetadata) (bool, error),
) (first error) {
	for _, m := range c.Spec.Makes {
		err := s.leftOf(ctx, c, m, label, over)
		switch {
		case err == nil || missing(err) || apierrors.IsMethodNotSupported(err): // of what nobody keeps, nothing is left
		case apierrors.IsForbidden(err):
			s.log.Warn("what a case has made cannot be taken away: give the agent what `sluice rbac` prints", "case", c.Name, "resource", m.Resource,
				"group", m.Group, "error", err)
		case first == nil:
			first = err
		}
	}
	return first
}

func (s *site) leftOf(
	ctx context.Context, c *probing.Config, m probing.Makes, label client.ListOption, over func(*metav1.PartialObjectMetadata) (bool, error),
) error {
	kind, err := s.api.RESTMapper().KindFor(schema.GroupVersionResource{Group: m.Group, Resource: m.Resource})
	if err != nil {
		return err
	}
	all := &metav1.PartialObjectMetadataList{}
	all.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	options := []client.ListOption{label, client.Limit(sweepMost)}
	if !m.Everywhere {
		options = append(options, client.InNamespace(c.Namespace))
	}
	if err := s.api.List(ctx, all, options...); err != nil {
		return err
	}
	for i := range all.Items {
		o := &all.Items[i]
		switch {
		case o.DeletionTimestamp != nil,
			m.Everywhere && !probing.RunOf(c.Name, o.Labels[probing.LabelRun]),
			!m.Everywhere && o.Namespace != c.Namespace,                         // of a kind that is in no namespace, all are listed
			m.Group == "" && m.Resource == "pods" && o.Namespace == c.Namespace: // who calls looks after those: what has ended stays
			continue
		}
		gone, err := over(o)
		if err != nil {
			return err
		}
		if !gone {
			continue
		}
		o.SetGroupVersionKind(kind)
		err = s.api.Delete(ctx, o, client.Preconditions{UID: &o.UID}, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
	}
	return nil
}

// caseOfRun is the case of a run that may be gone, by its name; nil where nobody knows it any more.
func (s *site) caseOfRun(run types.NamespacedName) *probing.Config {
	of := func(c *probing.Config) bool { return c.Namespace == run.Namespace && probing.RunOf(c.Name, run.Name) }
	for _, k := range s.allCases() {
		if c := k.now(); of(c) {
			return c
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range slices.Backward(s.past) {
		if of(c) {
			return c
		}
	}
	return nil
}

// leftBy takes away what the runs of a case have made that is gone itself. A run of another case of its namespace may have a name
// that begins alike.
func (s *site) leftBy(ctx context.Context, c *probing.Config) error {
	return s.left(ctx, c, client.HasLabels{probing.LabelRun}, func(o *metav1.PartialObjectMetadata) (bool, error) {
		run := o.Labels[probing.LabelRun]
		if !probing.RunOf(c.Name, run) || s.elsewhere(c.Namespace, run) {
			return false, nil
		}
		of := &probing.Run{}
		err := s.seen.Get(ctx, types.NamespacedName{Namespace: c.Namespace, Name: run}, of)
		return apierrors.IsNotFound(err) || of.Spec.Case == c.Name, client.IgnoreNotFound(err)
	})
}

// elsewhere reports whether another namespace has a run of a name: long names of cases begin alike.
func (s *site) elsewhere(namespace, run string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.byUID {
		if name.Name == run && name.Namespace != namespace {
			return true
		}
	}
	return false
}
