package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/pipelines"
)

// maxNamed is how many pods a message names.
const maxNamed = 5

// readiness looks at which pods of the new revision are not ready, and since when they have not been.
func (l *workloadLook) readiness() {
	within := orElse(l.step.ReadyWithin, defaultReadyWithin)
	going := func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil } // about to be replaced
	staying := slices.DeleteFunc(slices.Clone(l.pods.New), going)
	if len(staying) == 0 {
		if l.watched <= within {
			l.waits = append(l.waits, "there is no pod of the new revision yet")
			return
		}
		l.doubts = append(l.doubts, "there is no pod of the new revision")
		return
	}
	if !l.step.NeedsReady() {
		return
	}
	var early, late, flapping []string
	ready, longest := 0, time.Duration(0)
	for _, p := range staying {
		state, says := podStatus(p)
		if l.kept.flap(p.UID, state == stateCurrent) {
			flapping = append(flapping, p.Namespace+"/"+p.Name)
		}
		if state == stateCurrent {
			ready++
			continue
		}
		since := l.now.Sub(l.kept.unreadySince(p.UID, l.now))
		what := fmt.Sprintf("%s/%s (%s)", p.Namespace, p.Name, says)
		if since <= within {
			early = append(early, what)
			continue
		}
		late, longest = append(late, what), max(longest, since)
	}
	l.seen["workload.newPods"], l.seen["workload.newPodsReady"] = len(l.pods.New), ready
	if l.kept.Flaps > 0 {
		l.seen["workload.flaps"] = l.kept.Flaps
	}
	if len(flapping) > 0 {
		l.waits = append(l.waits, fmt.Sprintf("%d pods have lost their readiness again: %s", len(flapping), some(flapping)))
	}
	if len(early) > 0 {
		l.waits = append(l.waits, fmt.Sprintf("%d pods of the new revision are not ready: %s", len(early), some(early)))
	}
	if len(late) > 0 {
		l.failed = append(l.failed, fmt.Sprintf("%d pods of the new revision are not ready, for %s: %s",
			len(late), pipelines.Duration(longest.Truncate(time.Second)), some(late)))
	}
}

// podStatus reads a pod as kstatus does.
func podStatus(p *corev1.Pod) (state, string) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(p)
	if err != nil {
		return stateProgressing, err.Error()
	}
	fields["apiVersion"], fields["kind"] = "v1", "Pod"
	return statusOf(&unstructured.Unstructured{Object: fields})
}

// restarts adds up how often containers were started again. Those of pods that are gone still count.
func (l *workloadLook) restarts() {
	l.kept.count(l.pods.New)
	n := l.kept.restarts()
	l.seen["workload.restarts"], l.seen["workload.restartsOfReplaced"] = n, l.kept.Gone
	most := limitOf(l.step.MaxRestarts, 0)
	if most < 0 || n <= int64(most) {
		return
	}
	var where []string
	for _, p := range l.pods.New {
		if restartsOf(p) > 0 {
			where = append(where, fmt.Sprintf("%s/%s %dx%s", p.Namespace, p.Name, restartsOf(p), lastEnd(p)))
		}
	}
	if l.kept.Gone > 0 {
		where = append(where, fmt.Sprintf("pods that are gone %dx", l.kept.Gone))
	}
	l.failed = append(l.failed, fmt.Sprintf("containers were started again %d times, %d are borne: %s", n, most, some(where)))
}

// lastEnd says how a container of a pod ended last.
func lastEnd(p *corev1.Pod) string {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if end := s.LastTerminationState.Terminated; end != nil {
			return fmt.Sprintf(" (%s: %s, exit code %d)", s.Name, cmp.Or(end.Reason, "ended"), end.ExitCode)
		}
	}
	return ""
}

// waiting looks at why containers of the new revision wait.
func (l *workloadLook) waiting() {
	refused := l.step.WaitingReasons
	if len(refused) == 0 {
		refused = pipelines.DefaultWaitingReasons()
	}
	var found, seen []string
	for _, p := range l.pods.New {
		for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			w := s.State.Waiting
			if w == nil || w.Reason == "" {
				continue
			}
			if !slices.Contains(seen, w.Reason) {
				seen = append(seen, w.Reason)
			}
			if slices.Contains(refused, w.Reason) {
				found = append(found, fmt.Sprintf("%s in %s/%s/%s", w.Reason, p.Namespace, p.Name, s.Name))
			}
		}
	}
	if len(seen) > 0 {
		slices.Sort(seen)
		l.seen["workload.waiting"] = seen[:min(len(seen), 20)]
	}
	if len(found) > 0 {
		l.failed = append(l.failed, fmt.Sprintf("%d containers wait: %s", len(found), some(found)))
	}
}

// events looks at the warnings that the facts of the unit have.
func (l *workloadLook) events() {
	for _, limit := range l.step.Events {
		n, last := int64(0), ""
		for _, e := range l.facts.Workload.Events {
			if e.Reason == limit.Reason && e.Type != corev1.EventTypeNormal {
				n += max(1, e.Count)
				last = e.Object + ": " + e.Message
			}
		}
		l.seen["workload.events."+limit.Reason] = n
		if n > int64(limit.Max) {
			l.failed = append(l.failed, fmt.Sprintf("%d warnings %s, %d are borne: %s", n, limit.Reason, limit.Max, last))
		}
	}
}

// some names the first of a list.
func some(all []string) string {
	text := strings.Join(all[:min(len(all), maxNamed)], ", ")
	if more := len(all) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
