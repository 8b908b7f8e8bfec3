package check

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/pipelines"
)

// inside asks from inside a cluster: one measurement is one pod, which runs this program as AnswerInside.
type inside struct {
	pods
	image string
}

// Times of a pod that asks, beside what the measurement itself may take.
const (
	startInside = 2 * time.Minute  // in which it must have begun
	leaveInside = 30 * time.Second // for its program to load, and to say what came of it
)

// timeoutOf is how long one measurement of a step may take, its pod's beginning and end aside.
func timeoutOf(s pipelines.ResolvedStep) time.Duration { return orElse(s.Timeout, defaultTimeout) }

// VariableInside is the variable of the environment in which a pod finds its question, and ProgramInside its argument.
const (
	VariableInside = "SLUICE_QUESTION"
	ProgramInside  = "answer-probe"
)

// insideMemory is what a pod may use: fifty bodies of a MiB may be read at once.
const insideMemory = "256Mi"

// maxQuestion is how many bytes a question may have: it stands in the pod.
const maxQuestion = 24 << 10

// insideQuestion is what a pod is asked. Who reads the pod reads it too: there is no secret in it.
type insideQuestion struct {
	Step    pipelines.StepKinds `json:"step"`
	Targets *targets            `json:"targets,omitempty"`
	Timeout pipelines.Duration  `json:"timeout"`
}

// insideAnswer is what a pod says.
type insideAnswer struct {
	Verdict api.Verdict    `json:"verdict"`
	Message string         `json:"message,omitempty"`
	Seen    map[string]any `json:"seen,omitempty"`
}

// ask has a pod ask.
func (i *inside) ask(ctx context.Context, q Question) Finding {
	switch {
	case i.image == "":
		return Finding{Verdict: api.Error, Message: "this worker has no image to ask from inside a cluster: start it with --prober-image"}
	case q.Place == nil:
		return Finding{Verdict: api.Error, Message: "it is about no cluster, which it could be asked from"}
	}
	p, err := i.pod(ctx, q)
	if err != nil {
		return Finding{Verdict: api.Error, Message: err.Error()}
	}
	return i.run(ctx, q.Place.API, p, startInside, heard)
}

// pod is the pod of a measurement.
func (i *inside) pod(ctx context.Context, q Question) (*corev1.Pod, error) {
	text, err := json.Marshal(insideQuestion{q.Step.StepKinds, q.targets, pipelines.Duration(timeoutOf(q.Step))})
	if err != nil {
		return nil, fmt.Errorf("cannot write the question: %w", err)
	}
	if len(text) > maxQuestion {
		return nil, fmt.Errorf("the question has %d bytes, a pod is asked at most %d", len(text), maxQuestion)
	}
	where := placeOf(q.Step.Aim())
	spec := pod.Spec{
		Purpose: forProbe, Key: q.Key, Namespace: where.Namespace,
		Image: i.image, Args: []string{ProgramInside}, Env: []corev1.EnvVar{{Name: VariableInside, Value: literal(string(text))}},
		Profile: pod.Profile(where.Profile), NodeSelector: where.NodeSelector,
		Limits: pod.Limits{Memory: insideMemory},
		Within: startInside + timeoutOf(q.Step) + leaveInside, About: aboutOf(q),
	}
	if spec.Owner, err = ownerOf(ctx, q, spec.Namespace); err != nil {
		return nil, err
	}
	return pod.Make(spec)
}

// placeOf is where the pod of a probe runs, with what holds where a step does not say.
func placeOf(a *pipelines.ProbeAim) pipelines.ProbePod {
	p := pipelines.ProbePod{}
	if a.Pod != nil {
		p = *a.Pod
	}
	p.Namespace, p.Profile = cmp.Or(p.Namespace, kube.LeaseNamespace), cmp.Or(p.Profile, pipelines.ProfileRestricted)
	return p
}

// heard is the finding of a pod that ended by itself. Whatever is no whole answer says nothing about the change.
func heard(end pod.End) Finding {
	if end.Exit != 0 {
		return Finding{Verdict: api.Error, Message: "its pod could not ask: " + withStatus(int(end.Exit), quote(end.Said))}
	}
	var a insideAnswer
	decoder := json.NewDecoder(strings.NewReader(end.Said))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&a)
	switch {
	case err != nil:
		said := fmt.Sprintf("its pod's answer cannot be read: %v: is its image a sluice of this version?", err)
		return Finding{Verdict: api.Error, Message: said}
	case a.Verdict != api.Passed && a.Verdict != api.Failed && a.Verdict != api.Inconclusive && a.Verdict != api.Error:
		return Finding{Verdict: api.Error, Message: fmt.Sprintf("its pod answered with the verdict %q, which is none", a.Verdict)}
	}
	for name, value := range a.Seen {
		a.Seen[name] = counted(value)
	}
	return Finding{Verdict: a.Verdict, Message: a.Message, Seen: a.Seen, Results: plainOf(a.Seen)}
}

// counted is a value as a probe here would have seen it: what JSON has of numbers are whole ones.
func counted(value any) any {
	number, ok := value.(json.Number)
	if !ok {
		return value
	}
	if n, err := number.Int64(); err == nil {
		return n
	}
	return number.String()
}
