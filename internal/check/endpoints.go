package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// Bounds on whom one probe asks.
const (
	maxTargets = 500 // pods or nodes
	maxInside  = 200 // of these, where a pod is told who they are
	controls   = 3   // of the old revision, where none of the new one can be reached
)

// again is how long after a look without anybody to ask the next one is made, in the background.
const again = 5 * time.Second

// targets are whom a step asks that has a target.
type targets struct {
	New     []endpoint `json:"new"`
	Old     []endpoint `json:"old,omitempty"` // to compare with, where none of the new can be reached
	Waiting int        `json:"waiting,omitempty"`
	part    string     // which part New is of those who could be asked; "" where it is all of them
}

// told is a finding that says, first of all, that it is about some of them only.
func (t targets) told(f Finding) Finding {
	if t.part != "" {
		f.Message = "aimed at " + t.part + ": " + f.Message
	}
	return f
}

// targetsOf finds out what the batch made. The finding says why there is nobody to ask; in the background they are waited for.
func targetsOf(ctx context.Context, q Question, aim pipelines.ProbeAim, c clock.PassiveClock) (*targets, *Finding) {
	if q.Place == nil {
		return nil, &Finding{Verdict: api.Error, Message: "it is about no cluster, where there are pods and nodes"}
	}
	pods, err := q.Place.Pods(ctx)
	if err != nil {
		return nil, &Finding{Verdict: api.Error, Message: err.Error()}
	}
	most := maxTargets
	if aim.From == pipelines.FromCluster {
		most = maxInside
	}
	fresh, err := endpoints(pods.New, aim, most)
	switch {
	case err != nil:
		return nil, &Finding{Verdict: api.Error, Message: err.Error()}
	case len(fresh.all) == 0:
		f := &Finding{Verdict: api.Inconclusive, Message: "there is no pod of the new revision"}
		if fresh.waiting > 0 {
			f.Message = fmt.Sprintf("none of the %d pods of the new revision is ready", fresh.waiting)
		}
		if q.Point == pipelines.During {
			f.Again = c.Now().Add(again)
		}
		return nil, f
	}
	before, _ := endpoints(pods.Old, aim, most)
	old := slices.DeleteFunc(before.all, func(o endpoint) bool {
		return slices.ContainsFunc(fresh.all, func(f endpoint) bool { return f.Name == o.Name })
	})
	t := &targets{New: fresh.all, Old: old[:min(len(old), controls)], Waiting: fresh.waiting}
	if fresh.there > len(fresh.all) {
		what := "pods"
		if aim.Target == pipelines.NewNodes {
			what = "nodes"
		}
		t.part = fmt.Sprintf("%d of %d %s, the youngest", len(fresh.all), fresh.there, what)
	}
	return t, nil
}

// reachable are where pods, or their nodes, are to be asked.
type reachable struct {
	all     []endpoint // of those that are ready so many at most, the youngest; sorted by name
	there   int        // how many these are without a limit
	waiting int        // pods that are not ready
}

func endpoints(pods []*corev1.Pod, aim pipelines.ProbeAim, most int) (r reachable, err error) {
	pods = slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil || ended(p) })
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	seen := map[string]bool{}
	for _, p := range pods {
		if !ready(p) {
			r.waiting++
			continue
		}
		e := endpoint{Name: p.Name, Host: p.Status.PodIP}
		if aim.Target == pipelines.NewNodes {
			e = endpoint{Name: p.Spec.NodeName, Host: p.Status.HostIP}
		}
		if seen[e.Name] {
			continue
		}
		seen[e.Name] = true
		if len(r.all) == most {
			continue
		}
		if e.Port, err = portOf(p, string(aim.Port), aim.Target == pipelines.NewNodes); err != nil {
			return r, err
		}
		if e.Host == "" {
			return r, fmt.Errorf("pod %s is ready and has no address", p.Name)
		}
		r.all = append(r.all, e)
	}
	r.there = len(seen)
	slices.SortFunc(r.all, func(a, b endpoint) int { return cmp.Compare(a.Name, b.Name) })
	return r, nil
}

func ended(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

func ready(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// portOf is the number of a pod's port: a number itself, the name of a container's port, or the key of an annotation. Of a node it is
// the port at which the node hands over to the container.
func portOf(p *corev1.Pod, port string, ofNode bool) (string, error) {
	if strings.Contains(port, "/") {
		text := p.Annotations[port]
		if n, err := strconv.ParseUint(text, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("annotation %s of pod %s is no port: %q", port, p.Name, text)
		}
		return text, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
		return port, nil
	}
	for _, c := range slices.Concat(p.Spec.Containers, p.Spec.InitContainers) {
		for _, candidate := range c.Ports {
			if candidate.Name != port {
				continue
			}
			number := candidate.ContainerPort
			if ofNode && !p.Spec.HostNetwork {
				number = candidate.HostPort
			}
			if number == 0 {
				return "", fmt.Errorf("port %s of pod %s is none of its node", port, p.Name)
			}
			return strconv.Itoa(int(number)), nil
		}
	}
	return "", fmt.Errorf("pod %s has no port of the name %s", p.Name, port)
}
