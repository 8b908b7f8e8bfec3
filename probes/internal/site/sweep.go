package site

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The kinds that cases make.
var (
	Pods        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	ConfigMaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	Services    = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	Deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

// sweepMost is how many objects of a kind one sweep takes away.
const sweepMost = 100

// clearWithin is how long a run takes to give back what it made.
const clearWithin = 5 * time.Second

// Sweep takes away what earlier runs of this case left: what is older than a run may get. What another run that goes on now has made
// is younger.
func (s *Site) Sweep(ctx context.Context, kinds ...schema.GroupVersionResource) error {
	s.findOwner(ctx)
	over := time.Now().Add(-s.timeout - time.Minute)
	for _, kind := range kinds {
		err := s.remove(ctx, kind, labels.Set{LabelMade: s.Case}, func(o *metav1.PartialObjectMetadata) bool {
			return o.Labels[LabelRun] == s.Run || o.CreationTimestamp.Time.Before(over)
		})
		if err != nil {
			return s.Blame(err, "sweep "+kind.Resource+" of earlier runs")
		}
	}
	return nil
}

// labelPurpose is what tells the pod of a run from pods that the run made.
const labelPurpose = "sluice.dev/pod"

// findOwner finds the pod that this is, where nothing said which: what is made goes with it. Without the right to list pods there is none,
// and only sweeps take away what a run that was killed has left.
func (s *Site) findOwner(ctx context.Context) {
	if s.owner != nil {
		return
	}
	list, err := s.metadata.Resource(Pods).Namespace(s.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{LabelRun: s.Run, labelPurpose: "probe"}.String(), Limit: 2,
	})
	if err == nil && len(list.Items) == 1 {
		s.owner = ownedBy(list.Items[0].Name, list.Items[0].UID)
	}
}

// Clear takes away what this run made, also where its context has ended. It returns what could not be taken away: the next sweep
// tries again, and what is owned goes with its pod.
func (s *Site) Clear(kinds ...schema.GroupVersionResource) error {
	ctx, cancel := context.WithTimeout(context.Background(), clearWithin)
	defer cancel()
	for _, kind := range kinds {
		err := s.remove(ctx, kind, labels.Set{LabelMade: s.Case, LabelRun: s.Run}, func(*metav1.PartialObjectMetadata) bool { return true })
		if err != nil {
			return fmt.Errorf("cannot clear %s of run %s: %w", kind.Resource, s.Run, err)
		}
	}
	return nil
}

func (s *Site) remove(
	ctx context.Context, kind schema.GroupVersionResource, of labels.Set, which func(*metav1.PartialObjectMetadata) bool,
) error {
	objects := s.metadata.Resource(kind).Namespace(s.Namespace)
	list, err := objects.List(ctx, metav1.ListOptions{LabelSelector: of.String(), Limit: sweepMost})
	if err != nil {
		return err
	}
	for i := range list.Items {
		o := &list.Items[i]
		if o.DeletionTimestamp != nil || !which(o) {
			continue
		}
		err := objects.Delete(ctx, o.Name, metav1.DeleteOptions{
			PropagationPolicy: new(metav1.DeletePropagationBackground), Preconditions: &metav1.Preconditions{UID: &o.UID},
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
	}
	return nil
}
