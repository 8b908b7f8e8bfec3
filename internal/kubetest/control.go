package kubetest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// object is an object's fields as literals have them.
type object = map[string]any

// control plays the controllers after a write: a DaemonSet has a pod on each node, replaced by itself unless its strategy is
// OnDelete; a Deployment has a ReplicaSet for each template, and pods as far as its strategy allows them at once. All pods are
// ready.
func (s *Server) control(changed *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.play(changed)
	switch changed.GetKind() {
	case "DaemonSet", "Deployment", "ReplicaSet", "Node", "Pod":
	default:
		return
	}
	for _, path := range s.paths() {
		o := s.objects[path]
		if o == nil {
			continue
		}
		switch o.GetKind() {
		case "DaemonSet":
			s.daemonSet(path, o.DeepCopy())
		case "Deployment":
			s.deployment(path, o.DeepCopy())
		}
	}
}

func (s *Server) daemonSet(path string, ds *unstructured.Unstructured) {
	hash, template := hashOf(ds)
	number, newest := int64(0), ""
	for _, p := range s.paths() {
		if r := s.objects[p]; r.GetKind() == "ControllerRevision" && owned(r, ds) {
			if n, _, _ := unstructured.NestedInt64(r.Object, "revision"); n > number {
				number, newest = n, r.GetLabels()["controller-revision-hash"]
			}
		}
	}
	if newest != hash {
		kept := runtime.DeepCopyJSON(template)
		kept["$patch"] = "replace"
		s.keep(ds, "ControllerRevision", ds.GetName()+"-"+hash, object{"controller-revision-hash": hash}, object{
			"revision": number + 1, "data": object{"spec": object{"template": kept}},
		})
	}
	strategy, _, _ := unstructured.NestedString(ds.Object, "spec", "updateStrategy", "type")
	nodes, updated := int64(0), int64(0)
	for _, p := range s.paths() {
		node := s.objects[p]
		if node.GetKind() != "Node" {
			continue
		}
		nodes++
		name := ds.GetName() + "-" + node.GetName()
		old := s.find("Pod", ds.GetNamespace(), name)
		if old != nil && strategy != "OnDelete" && old.GetLabels()["controller-revision-hash"] != hash {
			s.remove(s.pathOf(old))
			old = nil
		}
		if old == nil {
			s.pod(ds, name, node.GetName(), "controller-revision-hash", hash, template)
		}
		if old == nil || old.GetLabels()["controller-revision-hash"] == hash {
			updated++
		}
	}
	s.status(path, ds, object{
		"observedGeneration": ds.GetGeneration(), "desiredNumberScheduled": nodes, "currentNumberScheduled": nodes, "numberReady": nodes,
		"updatedNumberScheduled": updated,
	})
}

func (s *Server) deployment(path string, d *unstructured.Unstructured) {
	hash, template := hashOf(d)
	paused, _, _ := unstructured.NestedBool(d.Object, "spec", "paused")
	replicas := int64(1)
	if n, ok, _ := unstructured.NestedInt64(d.Object, "spec", "replicas"); ok {
		replicas = n
	}
	least, _, _ := unstructured.NestedInt64(d.Object, "spec", "minReadySeconds")
	name := d.GetName() + "-" + hash
	current := s.find("ReplicaSet", d.GetNamespace(), name)
	others, number := []*unstructured.Unstructured{}, int64(0)
	for _, p := range s.paths() {
		r := s.objects[p]
		if r.GetKind() != "ReplicaSet" || !owned(r, d) {
			continue
		}
		n, _ := strconv.ParseInt(r.GetAnnotations()["deployment.kubernetes.io/revision"], 10, 64)
		number = max(number, n)
		if r.GetName() != name {
			others = append(others, r)
		}
	}
	if current == nil && paused {
		s.status(path, d, object{"observedGeneration": d.GetGeneration()})
		return
	}
	most, fresh := int64(0), replicas
	if old := total(others); old > 0 {
		u, surge := rolling(d, replicas)
		fresh, most = min(replicas, u+surge), max(0, replicas-u)
		if least < 1_000_000 {
			fresh, most = replicas, 0 // new pods become available, and the rest follows
		}
		if current != nil {
			fresh = max(fresh, size(current))
		}
		if paused {
			fresh, most = size(current), old
		}
		most = min(most, old)
	}
	labels := object{"pod-template-hash": hash}
	inside := runtime.DeepCopyJSON(template)
	_ = unstructured.SetNestedField(inside, hash, "metadata", "labels", "pod-template-hash")
	n := number
	if current == nil || current.GetAnnotations()["deployment.kubernetes.io/revision"] != strconv.FormatInt(number, 10) {
		n++
	}
	available := fresh
	if least > 0 {
		available = 0
	}
	s.keep(d, "ReplicaSet", name, labels, object{
		"spec":   object{"replicas": fresh, "minReadySeconds": least, "template": inside},
		"status": object{"replicas": fresh, "availableReplicas": available, "observedGeneration": int64(1_000_000)},
		"number": strconv.FormatInt(n, 10),
	})
	s.pods(d, name, "pod-template-hash", hash, inside, fresh)
	for _, r := range others {
		left := min(most, size(r))
		most -= left
		known := left
		if least, _, _ := unstructured.NestedInt64(r.Object, "spec", "minReadySeconds"); least > 0 {
			known = 0
		}
		if was, _, _ := unstructured.NestedInt64(r.Object, "status", "availableReplicas"); left != size(r) || known != was {
			r = r.DeepCopy()
			_ = unstructured.SetNestedField(r.Object, left, "spec", "replicas")
			_ = unstructured.SetNestedField(r.Object, left, "status", "replicas")
			_ = unstructured.SetNestedField(r.Object, known, "status", "availableReplicas")
			s.store(s.pathOf(r), r)
		}
		old := r.GetLabels()["pod-template-hash"]
		was, _, _ := unstructured.NestedMap(r.Object, "spec", "template")
		s.pods(d, r.GetName(), "pod-template-hash", old, was, left)
	}
	s.status(path, d, object{
		"observedGeneration": d.GetGeneration(), "replicas": replicas, "readyReplicas": replicas, "updatedReplicas": fresh,
	})
}

// rolling is what a Deployment's strategy comes to.
func rolling(d *unstructured.Unstructured, replicas int64) (unavailable, surge int64) {
	read := func(field, none string, up bool) int64 {
		value, ok, _ := unstructured.NestedFieldNoCopy(d.Object, "spec", "strategy", "rollingUpdate", field)
		if !ok {
			value = none
		}
		amount := intstr.Parse(fmt.Sprint(value))
		n, _ := intstr.GetScaledValueFromIntOrPercent(&amount, int(replicas), up)
		return int64(n)
	}
	unavailable, surge = read("maxUnavailable", "25%", false), read("maxSurge", "25%", true)
	if unavailable == 0 && surge == 0 {
		unavailable = 1
	}
	return unavailable, surge
}

func total(sets []*unstructured.Unstructured) (n int64) {
	for _, r := range sets {
		n += size(r)
	}
	return n
}

func size(set *unstructured.Unstructured) int64 {
	if set == nil {
		return 0
	}
	n, _, _ := unstructured.NestedInt64(set.Object, "spec", "replicas")
	return n
}

// pods makes a ReplicaSet have so many pods.
func (s *Server) pods(owner *unstructured.Unstructured, set, label, hash string, template object, n int64) {
	replicaSet := s.find("ReplicaSet", owner.GetNamespace(), set)
	there := 0
	for _, p := range s.paths() {
		pod := s.objects[p]
		if pod.GetKind() != "Pod" || !owned(pod, replicaSet) {
			continue
		}
		if there++; int64(there) > n {
			s.remove(p)
		}
	}
	for i := 0; int64(there) < n; i++ {
		name := set + "-" + strconv.Itoa(i)
		if s.find("Pod", owner.GetNamespace(), name) == nil {
			s.pod(replicaSet, name, "", label, hash, template)
			there++
		}
	}
}

func (s *Server) pod(owner *unstructured.Unstructured, name, node, label, hash string, template object) {
	labels, _, _ := unstructured.NestedMap(template, "metadata", "labels")
	labels = runtime.DeepCopyJSON(labels)
	labels[label] = hash
	since := s.Clock.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	spec, _, _ := unstructured.NestedMap(template, "spec")
	if node != "" {
		spec["nodeName"] = node
	}
	s.keep(owner, "Pod", name, labels, object{
		"spec":   spec,
		"status": object{"phase": "Running", "conditions": []any{object{"type": "Ready", "status": "True", "lastTransitionTime": since}}},
	})
}

// keep stores what a controller owns.
func (s *Server) keep(owner *unstructured.Unstructured, kind, name string, labels, fields object) {
	version := "apps/v1"
	if kind == "Pod" {
		version = "v1"
	}
	o := &unstructured.Unstructured{Object: object{
		"apiVersion": version, "kind": kind,
		"metadata": object{
			"name": name, "namespace": owner.GetNamespace(),
			"ownerReferences": []any{object{
				"apiVersion": owner.GetAPIVersion(), "kind": owner.GetKind(),
				"name": owner.GetName(), "uid": string(owner.GetUID()), "controller": true,
			}},
		},
	}}
	selector, _, _ := unstructured.NestedStringMap(owner.Object, "spec", "selector", "matchLabels")
	all := map[string]string{}
	for k, v := range selector {
		all[k] = v
	}
	for k, v := range labels {
		all[k] = fmt.Sprint(v)
	}
	o.SetLabels(all)
	for k, v := range fields {
		if k == "number" {
			o.SetAnnotations(map[string]string{"deployment.kubernetes.io/revision": fmt.Sprint(v)})
			continue
		}
		o.Object[k] = v
	}
	if have := s.find(kind, owner.GetNamespace(), name); have != nil && same(have, o) {
		return
	}
	s.store(s.pathOf(o), o)
}

// same reports whether a controller has nothing to write.
func same(have, want *unstructured.Unstructured) bool {
	text := func(o *unstructured.Unstructured) string {
		o = o.DeepCopy()
		for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp"} {
			unstructured.RemoveNestedField(o.Object, "metadata", field)
		}
		out, _ := json.Marshal(o.Object)
		return string(out)
	}
	return text(have) == text(want)
}

func (s *Server) status(path string, o *unstructured.Unstructured, status object) {
	want := o.DeepCopy()
	want.Object["status"] = status
	if have := s.objects[path]; have == nil || !same(have, want) {
		s.store(path, want)
	}
}

func (s *Server) find(kind, namespace, name string) *unstructured.Unstructured {
	i := slices.IndexFunc(s.paths(), func(path string) bool {
		o := s.objects[path]
		return o.GetKind() == kind && o.GetNamespace() == namespace && o.GetName() == name
	})
	if i < 0 {
		return nil
	}
	return s.objects[s.paths()[i]]
}

func owned(o, by *unstructured.Unstructured) bool {
	return slices.ContainsFunc(o.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return by != nil && r.UID == by.GetUID() })
}

func hashOf(o *unstructured.Unstructured) (string, object) {
	template, _, _ := unstructured.NestedMap(o.Object, "spec", "template")
	text, _ := json.Marshal(template)
	return strings.ToLower(fmt.Sprintf("%x", sha256.Sum256(text))[:8]), template
}
