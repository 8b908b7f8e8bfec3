// Package caserun has cases of probes run in a cluster, and waits for what comes of them. It makes no pods: whoever serves ProbeRuns
// there does. It says nothing about what a result means.
//
// Its writes stand under no Lease: a ProbeRun has the name of its case, target and cause, so that two who ask for it make one, and it
// touches nothing that a run of Sluice moves.
package caserun

import (
	"cmp"
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/probing"
)

// Ask is one run that is wanted: of a case, for a target, for a cause.
type Ask struct {
	Config *probing.Config
	Target string
	Cause  probing.Cause
}

// Name is that of its ProbeRun.
func (a Ask) Name() string { return probing.RunName(a.Config.Name, a.Target, a.Cause) }

// End is what came of an Ask so far.
type End struct {
	Ask
	ID      string          // the UID of its ProbeRun
	Begun   bool            // somebody was seen to run it
	Node    string          // on which it ran
	Version string          // of its case that was run
	Result  *probing.Result // nil as long as there is none
	Why     error           // why none will come
}

// Over reports whether nothing more comes of it.
func (e End) Over() bool { return e.Result != nil || e.Why != nil }

// Configs are the cases that a cluster has, sorted by name. A cluster that serves no probes at all has none.
func Configs(ctx context.Context, c *kube.Cluster) ([]*probing.Config, error) {
	objects, err := c.List(ctx, kindOf(probing.KindConfig), "", kube.Filter{})
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	configs := make([]*probing.Config, 0, len(objects))
	for _, o := range objects {
		config := &probing.Config{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, config); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot read ProbeConfig %s/%s of cluster %s", o.GetNamespace(), o.GetName(), c.Context())
		}
		configs = append(configs, config)
	}
	slices.SortFunc(configs, func(a, b *probing.Config) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Namespace, b.Namespace))
	})
	return configs, nil
}

// Made returns the runs that a cluster has, the latest first.
func Made(ctx context.Context, c *kube.Cluster) ([]*probing.Run, error) {
	view := watch(c)
	defer view.Close()
	if err := view.Wait(ctx); err != nil {
		return nil, err
	}
	runs := view.All()
	slices.SortFunc(runs, func(a, b *probing.Run) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return runs, nil
}

// Remove takes away the runs of some ends that have none yet: nobody waits for them any more. What is gone is no error. Of those that were
// not made it tries the first, which may be there after all.
func Remove(ctx context.Context, c *kube.Cluster, ends []End) error {
	for i, e := range ends {
		if e.Over() || e.ID == "" && i > 0 && ends[i-1].ID == "" {
			continue
		}
		err := c.Delete(ctx, kindOf(probing.KindRun), e.Config.Namespace, e.Name(), "")
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return err
		}
	}
	return nil
}

func kindOf(kind string) schema.GroupVersionKind { return probing.GroupVersion.WithKind(kind) }

func watch(c *kube.Cluster) *kube.View[*probing.Run] {
	return kube.Watch(c, kube.Selection{Resource: probing.GroupVersion.WithResource("proberuns")}, decode)
}

// decode keeps of a run what somebody goes by who waits for it. One that cannot be read is as one that has not begun.
func decode(o *unstructured.Unstructured, _ **probing.Run) *probing.Run {
	run := &probing.Run{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, run); err != nil {
		return &probing.Run{ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID()}}
	}
	run.ManagedFields = nil
	if r := run.Status.Result; r != nil {
		r.Observations, r.Parts = nil, nil
	}
	return run
}

// object is the ProbeRun of an Ask. It goes with its case.
func object(a Ask) (*unstructured.Unstructured, error) {
	run := &probing.Run{
		TypeMeta: metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindRun},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: a.Config.Namespace, Name: a.Name(), Labels: map[string]string{probing.LabelCase: a.Config.Name},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: probing.GroupVersion.String(), Kind: probing.KindConfig, Name: a.Config.Name, UID: a.Config.UID,
			}},
		},
		Spec: probing.RunSpec{Case: a.Config.Name, Target: a.Target, Cause: a.Cause},
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(run)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot write ProbeRun %s/%s", a.Config.Namespace, a.Name())
	}
	delete(content, "status")
	return &unstructured.Unstructured{Object: content}, nil
}

// limits of waiting.
const (
	// Served is how long a run may wait before somebody takes it up, in a cluster where nobody is seen to run any other.
	Served = 30 * time.Second
	queued = 10 * time.Minute // where somebody does
	// grace is how long past its time the result of a run that has begun is waited for: its pod may take 2m to begin, and whether its node
	// has died is known 47s after the end.
	grace = 3 * time.Minute
	// outage is for how long an API server may be gone while runs go on.
	outage = 10 * time.Minute
)
