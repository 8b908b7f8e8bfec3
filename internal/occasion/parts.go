package occasion

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"sluice.dev/sluice/internal/probing"
)

// parts tells of parts of the control plane that were restarted.
type parts struct {
	*view
	*loop
	mu   sync.Mutex
	seen map[string]string // of each pod, what runs in it
}

func newParts(v *view) *parts {
	p := &parts{view: v, seen: map[string]string{}}
	p.loop = newLoop(p.look, v.Clock, v.logger)
	return p
}

func (p *parts) look(ctx context.Context, of ref) (time.Duration, error) {
	pod := &corev1.Pod{}
	switch err := p.cache.Get(ctx, of.key(), pod); {
	case apierrors.IsNotFound(err):
		p.forget(of.name)
		return 0, nil
	case err != nil:
		return 0, err
	}
	runs, since := running(pod)
	if runs == "" {
		return 0, nil // it tells once it runs
	}
	p.mu.Lock()
	was, known := p.seen[of.name]
	p.seen[of.name] = runs
	p.mu.Unlock()
	wasThere := p.wasThere(of, pod.UID)
	if was == runs || !known && wasThere && !since.After(p.since()) {
		return 0, nil
	}
	name, at := cmp.Or(pod.Labels[partsName], of.name), p.Clock.Now()
	if !known && wasThere {
		at = p.when(since)
	}
	p.bell.ring(probing.Event{
		Kind: probing.ControlPlaneRestarted, Name: name, At: at, Nodes: []string{pod.Spec.NodeName},
		NodeKeys: []string{probing.KeyFor(probing.ControlPlaneRestarted, of.name, probing.Together([]string{of.name, runs}))},
		Text:     fmt.Sprintf("%s was restarted on node %s", name, pod.Spec.NodeName),
	})
	return 0, nil
}

// forgetAfter is how many pods are remembered that are not there any more. One that is made anew under its name is compared with what it
// was: an API object that is made anew for containers which have run all the time is no restart.
const forgetAfter = 1000

func (p *parts) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) > forgetAfter {
		delete(p.seen, name)
	}
}

// running says which containers run in a pod, and since when the last of them does; "" as long as none has.
func running(p *corev1.Pod) (runs string, since time.Time) {
	for _, c := range p.Status.ContainerStatuses {
		switch {
		case c.ContainerID != "":
			runs += c.Name + "=" + c.ContainerID + ";"
		case c.State.Running != nil:
			runs += fmt.Sprintf("%s=%s/%d;", c.Name, p.UID, c.RestartCount)
		}
		if r := c.State.Running; r != nil && r.StartedAt.After(since) {
			since = r.StartedAt.Time
		}
	}
	return runs, since
}
