package check

import (
	"cmp"
	"encoding/base64"
	"hash/fnv"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// containerLog is the log of one container: the one that runs, or the one before its last restart.
type containerLog struct {
	namespace, pod, container string
	previous                  bool
	ended                     bool   // it gets no more lines
	key                       string // the same for as long as it is the same log
}

func (c containerLog) name() string { return c.namespace + "/" + c.pod + "/" + c.container }

// logsOf are the logs that a pod has, of some containers or of all. What runs and what ran before it have a log each, which keeps
// its key as the one becomes the other: the panic is in the latter.
func logsOf(p *corev1.Pod, only []string) []containerLog {
	var logs []containerLog
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if len(only) > 0 && !slices.Contains(only, s.Name) {
			continue
		}
		log := func(id string, previous, ended bool) {
			logs = append(logs, containerLog{p.Namespace, p.Name, s.Name, previous, ended, logKey(p, s.Name, id)})
		}
		was, is := s.LastTerminationState.Terminated, s.State.Terminated
		if was != nil {
			log(cmp.Or(was.ContainerID, run(s.RestartCount-1)), true, true)
		}
		switch {
		case s.State.Running != nil:
			log(cmp.Or(s.ContainerID, run(s.RestartCount)), false, false)
		case is != nil && (is.ContainerID != "" || was == nil): // else a node gives the log of the one before
			log(cmp.Or(is.ContainerID, run(s.RestartCount)), false, true)
		}
	}
	return logs
}

// run names a container that has no identity, by how many there were in its place.
func run(before int32) string { return "after " + strconv.Itoa(int(before)) }

// logKey is a short name of a log: many are kept.
func logKey(p *corev1.Pod, container, id string) string {
	h := fnv.New64a()
	for _, part := range []string{string(p.UID), container, id} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// sample takes at most so many pods, the same ones as long as they are there: first those with a container that has died, as there
// is most to be found, then by what their UIDs come to.
func sample(pods []*corev1.Pod, most int) []*corev1.Pod {
	if len(pods) <= most {
		return pods
	}
	rank := func(p *corev1.Pod) uint64 {
		h := fnv.New64a()
		h.Write([]byte(p.UID))
		return h.Sum64()
	}
	pods = slices.Clone(pods)
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(min(restartsOf(b), 1), min(restartsOf(a), 1)), cmp.Compare(rank(a), rank(b)))
	})
	return pods[:most]
}

// restartsOf is how often containers of a pod were started again.
func restartsOf(p *corev1.Pod) (n int64) {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		n += int64(s.RestartCount)
	}
	return n
}
