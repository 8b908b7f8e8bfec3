package witness

import (
	"fmt"
	"maps"
	"slices"
)

// Moved lists what is not the same in two snapshots of a cluster, sorted: pods that came, went or were made anew, whose
// image or number of restarts changed, and objects that came, went or were written. It is empty where nothing moved.
func Moved(before, after Snapshot) []string {
	var moved []string
	was, is := podsByName(before), podsByName(after)
	for _, key := range keys(was, is) {
		moved = append(moved, podMoved(key, was[key], is[key])...)
	}
	had, has := objectsByName(before), objectsByName(after)
	for _, key := range keys(had, has) {
		moved = append(moved, objectMoved(key, had[key], has[key])...)
	}
	return moved
}

func podMoved(name string, was, is *Pod) []string {
	switch {
	case was == nil:
		return []string{fmt.Sprintf("pod %s came, with image %s", name, is.Image)}
	case is == nil:
		return []string{fmt.Sprintf("pod %s went", name)}
	case was.UID != is.UID:
		return []string{fmt.Sprintf("pod %s was made anew", name)}
	case was.Image != is.Image:
		return []string{fmt.Sprintf("pod %s had image %s and has %s", name, was.Image, is.Image)}
	case was.Restarts != is.Restarts:
		return []string{fmt.Sprintf("pod %s had %d restarts and has %d", name, was.Restarts, is.Restarts)}
	case was.Deleting != is.Deleting:
		return []string{fmt.Sprintf("pod %s is being deleted", name)}
	}
	return nil
}

func objectMoved(name string, was, is *Object) []string {
	switch {
	case was == nil:
		return []string{name + " came"}
	case is == nil:
		return []string{name + " went"}
	case was.UID != is.UID:
		return []string{name + " was made anew"}
	case was.Generation != is.Generation:
		return []string{fmt.Sprintf("%s had generation %d and has %d", name, was.Generation, is.Generation)}
	case was.Version != is.Version:
		return []string{fmt.Sprintf("%s had resourceVersion %s and has %s", name, was.Version, is.Version)}
	}
	return nil
}

func podsByName(s Snapshot) map[string]*Pod {
	pods := make(map[string]*Pod, len(s.Pods))
	for i := range s.Pods {
		pods[s.Pods[i].Namespace+"/"+s.Pods[i].Name] = &s.Pods[i]
	}
	return pods
}

func objectsByName(s Snapshot) map[string]*Object {
	objects := make(map[string]*Object, len(s.Objects))
	for i := range s.Objects {
		o := &s.Objects[i]
		objects[o.Kind+" "+o.Namespace+"/"+o.Name] = o
	}
	return objects
}

func keys[T any](a, b map[string]*T) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
