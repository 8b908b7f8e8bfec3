package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/podrun"
	"sluice.dev/sluice/pipelines"
)

// pods runs the pods of checks, one for each measurement. Mask takes secrets out of what is quoted of them.
type pods struct {
	runner *podrun.Runner
	mask   func(string) string
}

func newPods(c clock.WithDelayedExecution, mask func(string) string) pods {
	return pods{&podrun.Runner{Clock: c}, mask}
}

// What pods of checks are for.
const (
	forJob   = "job"
	forProbe = "probe"
)

// Made is what pods a check may have made: for what, and in which namespace. "" is all, where one is known only once it is asked.
type Made struct{ Purpose, Namespace string }

// PodsOf says what pods checks may have made, each once.
func PodsOf(checks []pipelines.ResolvedCheck) (all []Made) {
	for _, c := range checks {
		for _, s := range c.Steps {
			made := Made{forJob, kube.LeaseNamespace}
			switch {
			case s.Job != nil:
				made.Namespace = cmp.Or(s.Job.Namespace, made.Namespace)
			case s.FromCluster():
				made = Made{forProbe, placeOf(s.Aim()).Namespace}
			default:
				continue
			}
			if strings.Contains(made.Namespace, "$(") {
				made.Namespace = ""
			}
			if !slices.Contains(all, made) {
				all = append(all, made)
			}
		}
	}
	return all
}

// run runs a pod to its end, which begin is the time to begin in, and has its end judged where it came to one of its own. One that
// did not says nothing about the change. A pod that is asked for again is the one that is there already.
func (r pods) run(ctx context.Context, c *kube.Cluster, p *corev1.Pod, begin time.Duration, judge func(pod.End) Finding) Finding {
	end, err := r.runner.Run(ctx, c, p, begin)
	seen := map[string]any{"pod": p.Namespace + "/" + p.Name}
	switch {
	case ctx.Err() != nil:
		return cutShort(ctx, c, p)
	case err != nil:
		return Finding{Verdict: api.Error, Message: err.Error(), Seen: seen}
	case end.Node != "":
		seen["node"] = end.Node
	}
	f := Finding{Verdict: api.Error, Message: "its pod " + whyNot(end, r.mask)}
	if end.Reason == "" {
		f = judge(end)
	}
	maps.Copy(seen, f.Seen)
	f.Seen = seen
	return f
}

// whyNot says why a pod did not come to an end of its own.
func whyNot(end pod.End, mask func(string) string) string {
	why := end.Reason
	if said := quote(mask(end.Said)); said != "" {
		why += ": " + said
	}
	switch end.Reason {
	case pod.NotStarted:
		return "did not begin in its time: " + quote(mask(end.Said))
	case pod.Deleted:
		return "was deleted before it had ended"
	case "OOMKilled":
		return "used more memory than its limit allows (OOMKilled)"
	case "DeadlineExceeded":
		return "took longer than it may (DeadlineExceeded)"
	}
	return "could not run to its end: " + why
}

// cutShort takes the pod away where nobody will ask for it again. A worker that goes leaves it to the next one.
func cutShort(ctx context.Context, c *kube.Cluster, p *corev1.Pod) Finding {
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrOver) {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), comeBack-time.Second)
		defer cancel()
		if err := podrun.Remove(within, c, p); err != nil {
			cause = fmt.Errorf("%w; its pod is left until its deadline: %w", cause, err)
		}
	}
	return Finding{Verdict: api.Error, Message: cause.Error()}
}

// aboutOf are the labels of the pod of a measurement.
func aboutOf(q Question) map[string]string {
	return map[string]string{
		pod.LabelRun: q.Facts.Change.Run, pod.LabelCheck: q.Step.Name, pod.LabelComponent: q.Facts.Change.Component,
	}
}

// ownerOf is what a pod in a namespace goes with: in Sluice's own the Lease of the component, elsewhere nothing.
func ownerOf(ctx context.Context, q Question, namespace string) (*metav1.OwnerReference, error) {
	if namespace != kube.LeaseNamespace {
		return nil, nil
	}
	return kube.LeaseReference(ctx, q.Place.API, api.ParseSubject(q.Facts.Change.Component))
}

// literal is a value in which Kubernetes expands nothing.
func literal(value string) string { return strings.ReplaceAll(value, "$", "$$") }
