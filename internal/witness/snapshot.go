package witness

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// Snapshot is what some namespaces of a cluster held at one time, sorted by namespace and name.
type Snapshot struct {
	Cluster string    `json:"cluster"`
	Taken   time.Time `json:"taken"`
	Pods    []Pod     `json:"pods"`
	Objects []Object  `json:"objects"` // DaemonSets, Deployments, ReplicaSets, ControllerRevisions, ConfigMaps
}

// Pod is a pod as far as a rollout can change it.
type Pod struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	UID       string            `json:"uid"`
	Node      string            `json:"node"`
	Image     string            `json:"image"` // of the first container
	Labels    map[string]string `json:"labels"`
	Ready     bool              `json:"ready"` // and not being deleted
	Deleting  bool              `json:"deleting"`
	Restarts  int               `json:"restarts"` // of all containers
	Version   string            `json:"version"`  // resourceVersion
}

// Object is an object other than a pod.
type Object struct {
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Generation int64  `json:"generation"`
	Version    string `json:"version"` // resourceVersion
}

// Snapshot reads the pods of some namespaces and the objects that a rollout there writes.
func (r *Reader) Snapshot(ctx context.Context, namespaces ...string) (Snapshot, error) {
	s := Snapshot{Cluster: r.cluster, Taken: time.Now().UTC()}
	for _, namespace := range namespaces {
		if err := r.addPods(ctx, &s, namespace); err != nil {
			return Snapshot{}, err
		}
		if err := r.addObjects(ctx, &s, namespace); err != nil {
			return Snapshot{}, err
		}
	}
	slices.SortFunc(s.Pods, func(a, b Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(s.Objects, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return s, nil
}

func (r *Reader) addPods(ctx context.Context, s *Snapshot, namespace string) error {
	var list corev1.PodList
	if err := r.list(ctx, r.core, "pods", namespace, &list); err != nil {
		return err
	}
	for i := range list.Items {
		s.Pods = append(s.Pods, podOf(&list.Items[i]))
	}
	return nil
}

func (r *Reader) addObjects(ctx context.Context, s *Snapshot, namespace string) error {
	for _, of := range []struct {
		kind     string
		resource string
		client   rest.Interface
		list     runtime.Object
	}{
		{"DaemonSet", "daemonsets", r.apps, &appsv1.DaemonSetList{}},
		{"Deployment", "deployments", r.apps, &appsv1.DeploymentList{}},
		{"ReplicaSet", "replicasets", r.apps, &appsv1.ReplicaSetList{}},
		{"ControllerRevision", "controllerrevisions", r.apps, &appsv1.ControllerRevisionList{}},
		{"ConfigMap", "configmaps", r.core, &corev1.ConfigMapList{}},
	} {
		if err := r.list(ctx, of.client, of.resource, namespace, of.list); err != nil {
			return err
		}
		err := meta.EachListItem(of.list, func(item runtime.Object) error {
			m, err := meta.Accessor(item)
			if err != nil {
				return err
			}
			s.Objects = append(s.Objects, Object{
				Kind: of.kind, Namespace: m.GetNamespace(), Name: m.GetName(), UID: string(m.GetUID()),
				Generation: m.GetGeneration(), Version: m.GetResourceVersion(),
			})
			return nil
		})
		if err != nil {
			return fmt.Errorf("cannot read %s of %s in %s: %w", of.resource, namespace, r.cluster, err)
		}
	}
	return nil
}

// In is the part of the snapshot that is in one namespace.
func (s Snapshot) In(namespace string) Snapshot {
	s.Pods = slices.DeleteFunc(slices.Clone(s.Pods), func(p Pod) bool { return p.Namespace != namespace })
	s.Objects = slices.DeleteFunc(slices.Clone(s.Objects), func(o Object) bool { return o.Namespace != namespace })
	return s
}

// Tags counts pods that are not being deleted by the tag of their image.
func (s Snapshot) Tags() map[string]int {
	tags := map[string]int{}
	for _, p := range s.Pods {
		if !p.Deleting {
			tags[p.Tag()]++
		}
	}
	return tags
}

// Ready counts pods that are ready and not being deleted.
func (s Snapshot) Ready() int {
	n := 0
	for _, p := range s.Pods {
		if p.Ready {
			n++
		}
	}
	return n
}

// Running says in one phrase what the pods of the snapshot run, as in "2.0.0 (40 of 40 ready)". It names every tag that
// a pod has, with its number of pods where there are several.
func (s Snapshot) Running() string {
	tags := s.Tags()
	if len(tags) == 0 {
		return "nothing"
	}
	var parts []string
	total := 0
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		total += tags[tag]
		if len(tags) == 1 {
			parts = append(parts, tag)
			continue
		}
		parts = append(parts, fmt.Sprintf("%d x %s", tags[tag], tag))
	}
	return fmt.Sprintf("%s (%d of %d ready)", strings.Join(parts, ", "), s.Ready(), total)
}

// Tag is the tag of the pod's image, or "" where it has none.
func (p Pod) Tag() string {
	image, _, _ := strings.Cut(p.Image, "@")
	name := image[strings.LastIndex(image, "/")+1:]
	_, tag, _ := strings.Cut(name, ":")
	return tag
}

func podOf(pod *corev1.Pod) Pod {
	p := Pod{
		Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName,
		Labels: pod.Labels, Deleting: pod.DeletionTimestamp != nil, Version: pod.ResourceVersion,
	}
	if len(pod.Spec.Containers) > 0 {
		p.Image = pod.Spec.Containers[0].Image
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			p.Ready = c.Status == corev1.ConditionTrue && !p.Deleting
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		p.Restarts += int(c.RestartCount)
	}
	return p
}
