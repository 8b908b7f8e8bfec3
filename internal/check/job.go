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
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/podrun"
	"sluice.dev/sluice/pipelines"
)

// Jobs are the checks that are a pod in the cluster of the unit, one for each measurement.
type Jobs struct {
	runner *podrun.Runner
	mask   func(string) string
}

// NewJobs returns the kind of check. Mask takes secrets out of what is quoted of a job.
func NewJobs(c clock.WithDelayedExecution, mask func(string) string) *Jobs {
	return &Jobs{&podrun.Runner{Clock: c}, mask}
}

// Times that hold where a job names none. The deadline is for a pod whose run is gone: nobody else would end it.
const (
	defaultStart      = 2 * time.Minute
	defaultKeepFailed = time.Hour
	defaultDeadline   = 24 * time.Hour
)

// Ask runs the pod of the measurement to its end. A pod that is asked for again is the one that is there already.
func (j *Jobs) Ask(ctx context.Context, q Question) Finding {
	if q.Place == nil {
		return Finding{Verdict: api.Error, Message: "a job runs in a cluster, and this is about none"}
	}
	p, err := j.pod(ctx, q)
	if err != nil {
		return Finding{Verdict: api.Error, Message: err.Error()}
	}
	end, err := j.runner.Run(ctx, q.Place.API, p, orElse(q.Step.Job.StartTimeout, defaultStart))
	seen := map[string]any{"pod": p.Namespace + "/" + p.Name}
	switch {
	case ctx.Err() != nil:
		return j.cutShort(ctx, q, p)
	case err != nil:
		return Finding{Verdict: api.Error, Message: err.Error(), Seen: seen}
	case end.Node != "":
		seen["node"] = end.Node
	}
	f := Finding{Verdict: api.Error, Message: "its pod " + whyNot(end, j.mask)}
	if end.Reason == "" {
		f = judged(int(end.Exit), end.Said, q.Step.Job.Results, j.mask)
		seen["seconds"] = end.Took.Seconds()
	}
	for name, value := range f.Seen {
		seen[name] = value
	}
	f.Seen, f.Message = seen, j.mask(f.Message)
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
func (j *Jobs) cutShort(ctx context.Context, q Question, p *corev1.Pod) Finding {
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrOver) {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), comeBack-time.Second)
		defer cancel()
		if err := podrun.Remove(within, q.Place.API, p); err != nil {
			cause = fmt.Errorf("%w; its pod is left until its deadline: %w", cause, err)
		}
	}
	return Finding{Verdict: api.Error, Message: cause.Error()}
}

// pod is the pod of a measurement.
func (j *Jobs) pod(ctx context.Context, q Question) (*corev1.Pod, error) {
	job := q.Step.Job
	env, err := environment(q)
	if err != nil {
		return nil, err
	}
	spec := pod.Spec{
		Purpose: JobPurpose, Key: q.Key, Namespace: namespaceOf(job),
		Image: job.Image, Command: job.Command, Args: job.Args, Script: job.Script, WorkingDir: job.WorkingDir,
		Profile: cmp.Or(pod.Profile(job.Profile), pod.Restricted), Node: job.Node, NodeSelector: job.NodeSelector,
		ServiceAccount: job.ServiceAccount,
		Within:         orElse(q.Step.Timeout, defaultDeadline),
		KeepFailed:     orElse(job.KeepFailed, defaultKeepFailed),
		About: map[string]string{
			pod.LabelRun: q.Facts.Change.Run, pod.LabelCheck: q.Step.Name, pod.LabelComponent: q.Facts.Change.Component,
		},
	}
	if l := job.Limits; l != nil {
		spec.Limits = pod.Limits{CPU: l.CPU, Memory: l.Memory, Storage: l.Storage}
	}
	if dir := pod.ResultsDir(JobPurpose, q.Key); job.LeavesResults(dir) {
		spec.Script = job.ScriptWith(dir)
		for _, r := range job.Results {
			spec.Results = append(spec.Results, r.Name)
		}
	}
	for _, v := range env {
		spec.Env = append(spec.Env, corev1.EnvVar{Name: v.name, Value: literal(v.value)})
	}
	for _, v := range job.Env {
		spec.Env = append(spec.Env, corev1.EnvVar{Name: v.Name, Value: literal(v.Value)})
	}
	if spec.Namespace == kube.LeaseNamespace {
		if job.ServiceAccount != "" {
			return nil, fmt.Errorf("a job in %s gets no ServiceAccount: those there are Sluice's", kube.LeaseNamespace)
		}
		if spec.Owner, err = kube.LeaseReference(ctx, q.Place.API, api.ParseSubject(q.Facts.Change.Component)); err != nil {
			return nil, err
		}
	}
	return pod.Make(spec)
}

// JobPurpose is what pods of jobs are for.
const JobPurpose = "job"

func namespaceOf(job *pipelines.Job) string { return cmp.Or(job.Namespace, kube.LeaseNamespace) }

// JobNamespaces are the namespaces in which checks make pods; "" alone stands for all of them, where one is known only once it is
// asked.
func JobNamespaces(checks []pipelines.ResolvedCheck) []string {
	found := map[string]bool{}
	for _, c := range checks {
		for _, s := range c.Steps {
			switch {
			case s.Job == nil:
			case strings.Contains(s.Job.Namespace, "$("):
				return []string{""}
			default:
				found[namespaceOf(s.Job)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// literal is a value in which Kubernetes expands nothing.
func literal(value string) string { return strings.ReplaceAll(value, "$", "$$") }
