package check

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/sluice/pipelines"
)

// maxTargets is how many pods or nodes one probe asks.
const maxTargets = 500

// endpoints are where pods, or their nodes, are to be asked: those that are ready, at most maxTargets of them, the youngest. Waiting
// is how many pods there are that are not ready.
func endpoints(pods []*corev1.Pod, aim pipelines.ProbeAim) (all []endpoint, waiting int, err error) {
	pods = slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil || ended(p) })
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	seen := map[string]bool{}
	for _, p := range pods {
		if !ready(p) {
			waiting++
			continue
		}
		e := endpoint{name: p.Name, host: p.Status.PodIP}
		if aim.Target == pipelines.NewNodes {
			e = endpoint{name: p.Spec.NodeName, host: p.Status.HostIP}
		}
		if len(all) == maxTargets || seen[e.name] {
			continue
		}
		seen[e.name] = true
		if e.port, err = portOf(p, string(aim.Port), aim.Target == pipelines.NewNodes); err != nil {
			return nil, waiting, err
		}
		if e.host == "" {
			return nil, waiting, fmt.Errorf("pod %s is ready and has no address", p.Name)
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b endpoint) int { return cmp.Compare(a.name, b.name) })
	return all, waiting, nil
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
