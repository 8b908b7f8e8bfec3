package prober

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kuberhealthy"
	"sluice.dev/sluice/internal/probing"
)

// reports are the runs of all clusters, for those who report.
type reports struct{ *Prober }

// find is the run of a UID, and its cluster. Right after the start it may not be seen yet: that passes.
func (p reports) find(ctx context.Context, uuid string) (*site, *probing.Run, error) {
	for _, s := range p.all() {
		s.mu.Lock()
		name, there := s.byUID[types.UID(uuid)]
		s.mu.Unlock()
		if !there {
			continue
		}
		r := &probing.Run{}
		if err := s.seen.Get(ctx, name, r); err != nil || string(r.UID) != uuid {
			continue
		}
		return s, r, nil
	}
	for _, s := range p.all() {
		if !s.isAdopted() {
			return nil, nil, fault.New(fault.Unreachable, "cannot tell yet whether cluster %s has a run %s", s.cluster, uuid)
		}
	}
	if p.Clock.Since(p.began) < p.Settles { // what is answered with no is not said again
		return nil, nil, fault.New(fault.Unreachable, "cannot tell yet whether there is a run %s", uuid)
	}
	return nil, nil, fault.New(fault.NotFound, "there is no run %s", uuid)
}

// Known implements kuberhealthy.Runs.
func (p reports) Known(ctx context.Context, uuid string) (kuberhealthy.Known, error) {
	s, r, err := p.find(ctx, uuid)
	if err != nil {
		return kuberhealthy.Known{}, err
	}
	k := kuberhealthy.Known{Done: r.Status.Phase == probing.RunDone, Resident: r.Spec.Cause.Kind == probing.ByMode}
	k.Reported = k.Done && r.Status.Result != nil && r.Status.Result.By == byReport
	if r.Status.Deadline != nil && !k.Resident {
		k.Deadline = r.Status.Deadline.Time
		whole, err := s.whole(ctx, r)
		if err != nil {
			return k, fault.Wrap(fault.Unreachable, err, "cannot tell when run %s has begun", r.Name)
		}
		if whole.After(k.Deadline) {
			k.Deadline = whole
		}
	}
	return k, nil
}

// whole is when the program of a run has had all its time; it is the zero time where that is not known. A pod that began late has until
// later than was first written down.
func (s *site) whole(ctx context.Context, r *probing.Run) (time.Time, error) {
	p, err := s.podSeen(ctx, r)
	if err != nil || p == nil {
		return time.Time{}, err
	}
	c, err := s.config(ctx, types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.Case})
	if err != nil {
		return time.Time{}, client.IgnoreNotFound(err)
	}
	return s.wholeOf(c, r, p), nil
}

// wholeOf is the same of a pod. A clock of a node that is far off is not believed.
func (s *site) wholeOf(c *probing.Config, r *probing.Run, p *corev1.Pod) time.Time {
	began := beganAt(p)
	if r.Status.Started == nil || began.After(r.Status.Started.Add(beginWithin)) {
		return time.Time{}
	}
	return began.Add(c.Spec.Timeout.Duration)
}

// Owner implements kuberhealthy.Runs. On the network of a node an address is nobody's own.
func (p reports) Owner(ctx context.Context, address netip.Addr) (string, error) {
	found := ""
	var unseen error // a cluster that is away keeps the pods of no other one from being heard
	for _, s := range p.all() {
		all := &corev1.PodList{}
		if !s.isAdopted() { // whoever asks for its pods waits for it
			unseen = fault.New(fault.Unreachable, "cannot tell yet whether cluster %s has a pod of %s", s.cluster, address)
			continue
		}
		if err := s.seen.List(ctx, all, client.UnsafeDisableDeepCopy); err != nil {
			unseen = fault.Wrap(fault.Unreachable, err, "cannot look for the pod of %s", address)
			continue
		}
		for i := range all.Items {
			pod := &all.Items[i]
			ip, err := netip.ParseAddr(pod.Status.PodIP)
			if err != nil || ip != address.Unmap() || pod.Spec.HostNetwork || over(pod) {
				continue
			}
			for _, o := range pod.OwnerReferences {
				if o.Kind != probing.KindRun || string(o.UID) == found {
					continue
				}
				if found != "" {
					return "", fault.New(fault.NotFound, "%s is the address of several pods", address)
				}
				found = string(o.UID)
			}
		}
	}
	if found == "" && unseen != nil {
		return "", unseen
	}
	if found == "" {
		return "", fault.New(fault.NotFound, "no run has a pod of address %s", address)
	}
	return found, nil
}

// byReport is where a result comes from that a program has sent.
const byReport = "report"

// Take implements kuberhealthy.Runs. It returns once the result is written, so that what was answered is not lost.
func (p reports) Take(ctx context.Context, uuid string, result probing.Result, report kuberhealthy.Report) error {
	s, r, err := p.find(ctx, uuid)
	if err != nil {
		return err
	}
	result.By = cmp.Or(result.By, byReport)
	if r.Spec.Cause.Kind == probing.ByMode {
		return s.takeResident(ctx, r, result, report)
	}
	for range 5 {
		if r.Status.Phase == probing.RunDone {
			return fault.New(fault.Conflict, "run %s has ended", r.Name)
		}
		if r.Status.Phase == probing.RunPending { // that it has a pod may be news which is on its way
			return fault.New(fault.Unreachable, "run %s has no pod yet that could report", r.Name)
		}
		now := metav1.NewTime(s.Clock.Now())
		if r.Status.Started == nil {
			r.Status.Started = &now
		}
		if pod, err := s.podSeen(ctx, r); err == nil && pod != nil {
			r.Status.Node, r.Status.Pod = cmp.Or(r.Status.Node, pod.Spec.NodeName), cmp.Or(r.Status.Pod, pod.Name)
		}
		r.Status.Phase, r.Status.Ended, r.Status.Result = probing.RunDone, &now, &result
		err := s.api.Status().Update(ctx, r)
		switch {
		case err == nil:
			s.next(client.ObjectKeyFromObject(r))
			return nil
		case apierrors.IsNotFound(err):
			return fault.Wrap(fault.NotFound, err, "run %s is gone", r.Name)
		case !apierrors.IsConflict(err):
			return fault.Wrap(fault.Unreachable, err, "cannot write the result of run %s", r.Name)
		}
		if err := s.api.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil {
			return fault.Wrap(fault.Unreachable, err, "cannot read run %s", r.Name)
		}
	}
	return fault.New(fault.Unreachable, "cannot write the result of run %s: it changes all the time", r.Name)
}
