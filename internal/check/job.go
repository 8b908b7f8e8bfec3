package check

import (
	"cmp"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/pod"
)

// Jobs are the checks that are a pod in the cluster of the unit, one for each measurement.
type Jobs struct{ pods }

// NewJobs returns the kind of check. Mask takes secrets out of what is quoted of a job.
func NewJobs(c clock.WithDelayedExecution, mask func(string) string) *Jobs {
	return &Jobs{newPods(c, mask)}
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
	f := j.run(ctx, q.Place.API, p, orElse(q.Step.Job.StartTimeout, defaultStart), func(end pod.End) Finding {
		f := judged(int(end.Exit), end.Said, q.Step.Job.Results, j.mask)
		f.Seen["seconds"] = end.Took.Seconds()
		return f
	})
	f.Message = j.mask(f.Message)
	return f
}

// pod is the pod of a measurement.
func (j *Jobs) pod(ctx context.Context, q Question) (*corev1.Pod, error) {
	job := q.Step.Job
	env, err := environment(q)
	if err != nil {
		return nil, err
	}
	spec := pod.Spec{
		Purpose: forJob, Key: q.Key, Namespace: cmp.Or(job.Namespace, kube.LeaseNamespace),
		Image: job.Image, Command: job.Command, Args: job.Args, Script: job.Script, WorkingDir: job.WorkingDir,
		Profile: cmp.Or(pod.Profile(job.Profile), pod.Restricted), Node: job.Node, NodeSelector: job.NodeSelector,
		ServiceAccount: job.ServiceAccount,
		Within:         orElse(q.Step.Timeout, defaultDeadline),
		KeepFailed:     orElse(job.KeepFailed, defaultKeepFailed),
		About:          aboutOf(q),
	}
	if l := job.Limits; l != nil {
		spec.Limits = pod.Limits{CPU: l.CPU, Memory: l.Memory, Storage: l.Storage}
	}
	if dir := pod.ResultsDir(forJob, q.Key); job.LeavesResults(dir) {
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
	if spec.Namespace == kube.LeaseNamespace && job.ServiceAccount != "" {
		return nil, fmt.Errorf("a job in %s gets no ServiceAccount: those there are Sluice's", kube.LeaseNamespace)
	}
	if spec.Owner, err = ownerOf(ctx, q, spec.Namespace); err != nil {
		return nil, err
	}
	return pod.Make(spec)
}
