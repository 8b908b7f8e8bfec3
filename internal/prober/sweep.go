package prober

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/probing"
)

// What a run leaves is taken away: before the next one of its case, once it is over, and when it is gone. It is what has the label of a
// run: its own pod, those that its program has made, and other objects of the kinds that its case makes.

// clearAfter is for how long the program of a run that has reported may take to end and to tidy up by itself.
const clearAfter = 15 * time.Second

// sweepMost is how many objects of a kind are looked at in one sweep.
const sweepMost = 500

// sweep takes away what earlier runs of a case have left.
func (s *site) sweep(ctx context.Context, c *probing.Config, r *probing.Run) error {
	err := s.left(ctx, c, client.HasLabels{probing.LabelRun}, func(o *metav1.PartialObjectMetadata) (bool, error) {
		if o.Labels[probing.LabelRun] == pod.LabelValue(r.Name) {
			return false, nil
		}
		return s.overFor(ctx, r.Namespace, o, r.Spec.Case)
	})
	if err != nil { // by a webhook that does not answer, say: who would not look then would never see that
		s.log.Warn("what earlier runs of a case have made is not taken away; it runs all the same", "case", c.Name, "error", err)
	}
	all := &corev1.PodList{}
	if err := s.api.List(ctx, all, client.InNamespace(r.Namespace), client.HasLabels{probing.LabelRun}, client.Limit(sweepMost)); err != nil {
		return err
	}
	for i := range all.Items {
		p := &all.Items[i]
		if p.Labels[probing.LabelRun] == pod.LabelValue(r.Name) || over(p) {
			continue
		}
		if gone, err := s.overFor(ctx, r.Namespace, p, r.Spec.Case); err != nil {
			return err
		} else if gone {
			if err := s.remove(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// over reports whether a pod is none that could still do something.
func over(p *corev1.Pod) bool {
	return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// overFor reports whether the run that an object belongs to is one of a case that ended some time ago, or is gone.
func (s *site) overFor(ctx context.Context, namespace string, o metav1.Object, probeCase string) (bool, error) {
	of, name := &probing.Run{}, types.NamespacedName{Namespace: namespace, Name: o.GetLabels()[probing.LabelRun]}
	err := s.seen.Get(ctx, name, of)
	if apierrors.IsNotFound(err) {
		err = s.api.Get(ctx, name, of)
	}
	if apierrors.IsNotFound(err) {
		return !s.elsewhere(namespace, name.Name), nil
	}
	if err != nil || of.Spec.Case != probeCase {
		return false, err
	}
	return of.Status.Phase == probing.RunDone && of.Status.Ended != nil && s.Clock.Since(of.Status.Ended.Time) >= clearAfter, nil
}

// clear takes away what a run that is over has left, once it had the time to do so itself. Until then it returns how long that is.
func (s *site) clear(ctx context.Context, c *probing.Config, r *probing.Run) (wait time.Duration, err error) {
	if left := r.Status.Ended.Add(clearAfter).Sub(s.Clock.Now()); left > 0 && r.Spec.Cause.Kind != probing.ByMode {
		return left, nil
	}
	return 0, s.orphans(ctx, c, client.ObjectKeyFromObject(r))
}

// orphans takes away what a run has left, of its pods those that could still do something. Without its case it is pods alone.
func (s *site) orphans(ctx context.Context, c *probing.Config, run types.NamespacedName) error {
	if c != nil {
		of := client.MatchingLabels{probing.LabelRun: pod.LabelValue(run.Name)}
		err := s.left(ctx, c, of, func(*metav1.PartialObjectMetadata) (bool, error) { return true, nil })
		if err != nil {
			return err
		}
	}
	all := &corev1.PodList{}
	of := client.MatchingLabels{probing.LabelRun: pod.LabelValue(run.Name)}
	if err := s.api.List(ctx, all, client.InNamespace(run.Namespace), of, client.Limit(sweepMost)); err != nil {
		return err
	}
	for i := range all.Items {
		p := &all.Items[i]
		stuck, err := s.stuck(ctx, p)
		if err != nil {
			return err
		}
		if stuck || !over(p) {
			if err := s.remove(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// stuck reports whether a pod is to go, and never will: its node is gone.
func (s *site) stuck(ctx context.Context, p *corev1.Pod) (bool, error) {
	if p.DeletionTimestamp == nil {
		return false, nil
	}
	return s.lost(ctx, p)
}
