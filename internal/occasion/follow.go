package occasion

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
)

// Bounds of following: so many workloads at a time, for so long after the last of their pods was seen. Others wait for their turn.
const (
	mostFollowed = 32
	idleAfter    = time.Minute
	nextTurn     = 2 * time.Second
)

// toldPods are the pods of a revision that were told of.
type toldPods struct {
	mu  sync.Mutex
	all map[types.UID]bool
}

// once reports whether a pod is told of for the first time.
func (t *toldPods) once(uid types.UID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[types.UID]bool{}
	}
	first := !t.all[uid]
	t.all[uid] = true
	return first
}

// forget forgets a pod that is gone.
func (t *toldPods) forget(uid types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, uid)
}

// follower watches the pods of one workload that have its revision, as long as there are new ones.
type follower struct {
	of   workload
	told *toldPods
	end  context.CancelFunc

	mu      sync.Mutex
	stirred time.Time
}

func (f *follower) stir(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stirred = at
}

func (f *follower) idle(at time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return at.Sub(f.stirred) >= idleAfter
}

// follow has the pods of a workload watched that have its revision. Where there is no room for it now, it returns when to try again.
func (m *moves) follow(ctx context.Context, of workload, was *move) (time.Duration, error) {
	if of.selector == nil {
		return 0, nil // nobody knows which pods are its
	}
	if of.kind == deployment && of.revision.hash == "" {
		if err := m.replicaSet(ctx, &of); err != nil {
			return 0, err
		}
		was.revision = of.revision
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if there := m.followed[of.ref]; there != nil {
		if there.of.uid == of.uid && there.of.revision.number == of.revision.number {
			there.stir(m.Clock.Now())
			return 0, nil
		}
		there.end()
		delete(m.followed, of.ref)
	}
	if len(m.followed) >= mostFollowed {
		return nextTurn, nil
	}
	ctx, end := context.WithCancel(ctx)
	f := &follower{of: of, told: was.told, end: end, stirred: m.Clock.Now()}
	m.followed[of.ref] = f
	m.all.Go(func() {
		defer end()
		err := m.watch(ctx, f)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.followed[of.ref] == f {
			delete(m.followed, of.ref)
		}
		if err != nil && ctx.Err() == nil {
			m.logger.Warn("cannot see to which nodes a workload has come; it is tried again", "of", of.String(), "error", err)
			m.again[of.ref] = true
			m.queue.AddAfter(of.ref, retry)
		}
	})
	return 0, nil
}

// wait returns once nobody is followed any more, after the context of all has ended.
func (m *moves) wait() { m.all.Wait() }

// watch watches the pods of a workload until there are no new ones for a while.
func (m *moves) watch(ctx context.Context, f *follower) error {
	selector, err := f.selector()
	if err != nil {
		return err
	}
	shared := true
	pods, err := cache.New(m.manager.GetConfig(), cache.Options{
		HTTPClient: m.manager.GetHTTPClient(), Scheme: m.manager.GetScheme(), Mapper: m.manager.GetRESTMapper(),
		DefaultUnsafeDisableDeepCopy: &shared, DefaultWatchErrorHandler: m.unwatched,
		ByObject: map[client.Object]cache.ByObject{&corev1.Pod{}: {
			Transform: stripPod, Namespaces: map[string]cache.Config{f.of.namespace: {LabelSelector: selector}},
		}},
	})
	if err != nil {
		return fault.Wrap(fault.Unreachable, err, "cannot watch pods in namespace %s", f.of.namespace)
	}
	informer, err := pods.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fault.Wrap(fault.Unreachable, err, "cannot watch pods in namespace %s", f.of.namespace)
	}
	see := func(o any) {
		if pod, ok := o.(*corev1.Pod); ok {
			m.see(f, pod)
		}
	}
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: see, UpdateFunc: func(_, now any) { see(now) },
		DeleteFunc: func(last any) {
			if gone, ok := last.(toolscache.DeletedFinalStateUnknown); ok {
				last = gone.Obj
			}
			if pod, ok := last.(*corev1.Pod); ok {
				f.told.forget(pod.UID)
			}
		},
	}); err != nil {
		return fault.Wrap(fault.Internal, err, "cannot watch pods in namespace %s", f.of.namespace)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	m.all.Go(func() {
		for every := m.Clock.NewTicker(idleAfter / 6); ; {
			select {
			case <-ctx.Done():
				every.Stop()
				return
			case <-every.C():
				if f.idle(m.Clock.Now()) {
					stop()
				}
			}
		}
	})
	return pods.Start(ctx)
}

// see tells of a pod that runs, and was made since the workload has its revision.
func (m *moves) see(f *follower, pod *corev1.Pod) {
	if pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodPending || pod.Status.Phase == "" {
		return
	}
	if pod.CreationTimestamp.Time.Before(f.of.revision.since) || begun(pod).Before(m.since()) || !f.told.once(pod.UID) {
		return
	}
	f.stir(m.Clock.Now())
	m.bell.ring(probing.Event{
		Kind: probing.BatchMoved, Name: f.of.String(), Revision: f.of.revision.String(), At: m.when(begun(pod)),
		Nodes: []string{pod.Spec.NodeName}, NodeKeys: []string{probing.KeyFor(probing.BatchMoved, string(pod.UID))},
		Text: fmt.Sprintf("revision %s of %s has come to node %s", f.of.revision, f.of.ref, pod.Spec.NodeName),
	})
}

// begun is when the last container of a pod began.
func begun(p *corev1.Pod) time.Time {
	_, since := running(p)
	if since.IsZero() {
		return p.CreationTimestamp.Time
	}
	return since
}

// selector selects the pods of a workload that have its revision.
func (f *follower) selector() (labels.Selector, error) {
	label := appsv1.ControllerRevisionHashLabelKey
	if f.of.kind == deployment {
		label = appsv1.DefaultDeploymentUniqueLabelKey
	}
	own := f.of.selector.DeepCopy()
	own.MatchExpressions = append(own.MatchExpressions, metav1.LabelSelectorRequirement{
		Key: label, Operator: metav1.LabelSelectorOpIn, Values: []string{f.of.revision.hash},
	})
	selector, err := metav1.LabelSelectorAsSelector(own)
	return selector, fault.Wrap(fault.Invalid, err, "cannot select the pods of %s", f.of.ref)
}
