// Package pod makes the pods that Sluice itself runs in clusters, jobs and probes, and reads from a pod's status how it
// ended. Pods are made here and nowhere else, so that none of them gets more than its profile says. It reads nothing, waits for
// nothing and writes nothing.
package pod

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"sluice.dev/sluice/internal/fault"
)

// Labels and annotations of the pods. Selectors of workloads name none of them.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by" // sluice
	LabelPurpose   = "sluice.dev/pod"               // Spec.Purpose
	LabelRun       = "sluice.dev/run"
	LabelCheck     = "sluice.dev/check"
	LabelComponent = "sluice.dev/component"

	annotationKey    = "sluice.dev/key"
	annotationKeep   = "sluice.dev/keep-failed"
	annotationScript = "sluice.dev/script"

	annotationCollect = "sluice.dev/collect"
)

// Bounds on what a pod is made of. A script travels in an annotation, of which Kubernetes takes 256 KiB.
const (
	maxScript    = 64 << 10
	maxVariables = 200
	maxVariable  = 32 << 10
	maxNotOn     = 100
)

// container is the name of the one container of a pod.
const container = "main"

// Spec says what pod is wanted. Purpose, Key, Namespace and Image are required.
type Spec struct {
	Purpose   string // what it is made for: job, probe
	Key       string // there is one pod of a key in a namespace, whoever makes it and how often
	Namespace string
	Image     string
	Command   []string // instead of the image's own
	Args      []string
	// Script is a program as text, run instead of Command, with Args. Its first line names its interpreter; without, it is
	// /bin/sh, which ends at the first command that fails.
	Script string
	// Results are the names of what the script leaves in files of ResultsDir, for Results to be read from what the pod says.
	Results      []string
	WorkingDir   string          // the folder in which it starts; "" is the image's own
	Env          []corev1.EnvVar // texts, and fields of the pod: see Fields
	Mounts       []Mount         // what it reads beside its image
	Profile      Profile
	Node         string   // its name; the scheduler is not asked. Not for Restricted
	OnlyOn       string   // a node's name: the scheduler has no other choice
	NotOn        []string // names of nodes that the scheduler must not choose
	NodeSelector map[string]string
	// Capabilities are what it may do beyond its profile, each of them by name: see Exceptional. A program has one where its file does.
	Capabilities   []string
	ServiceAccount string            // "": the pod gets no token, and can ask the API server for nothing
	Limits         Limits            // what it may use; defaults where a field is ""
	Within         time.Duration     // after which its node ends it; 0 never
	KeepFailed     time.Duration     // for how long it stays once it failed
	About          map[string]string // values of labels: of what it is a part
	Owner          *metav1.OwnerReference
}

// Make makes the pod: never restarted, with no more rights than its profile has. What it cannot be made of is fault.Invalid.
func Make(s Spec) (*corev1.Pod, error) {
	c, err := s.container()
	if err == nil {
		err = s.valid()
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot make a pod of image %s", s.Image)
	}
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Namespace, Name: Name(s.Purpose, s.Key),
			Labels:      map[string]string{LabelManagedBy: "sluice", LabelPurpose: s.Purpose},
			Annotations: map[string]string{annotationKey: s.Key, annotationKeep: s.KeepFailed.String()},
		},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			AutomountServiceAccountToken:  new(s.ServiceAccount != ""),
			ServiceAccountName:            s.ServiceAccount,
			EnableServiceLinks:            new(false), // or the environment would depend on what else is in the namespace
			TerminationGracePeriodSeconds: new(int64(5)),
			NodeName:                      s.Node,
			NodeSelector:                  s.NodeSelector,
			Containers:                    []corev1.Container{c},
		},
	}
	for label, value := range s.About {
		pod.Labels[label] = LabelValue(value)
	}
	if s.Within > 0 {
		pod.Spec.ActiveDeadlineSeconds = new(int64((s.Within + time.Second - 1) / time.Second))
	}
	if s.Owner != nil {
		pod.OwnerReferences = []metav1.OwnerReference{*s.Owner}
	}
	if s.Script != "" {
		addScript(pod, s.Script)
	}
	if len(s.Results) > 0 {
		addResults(pod, ResultsDir(s.Purpose, s.Key), s.Results)
	}
	addMounts(pod, s.Mounts)
	s.Profile.shape(&pod.Spec)
	except(&pod.Spec, s.Capabilities)
	place(&pod.Spec, s.OnlyOn, s.NotOn)
	return pod, nil
}

// container is the one container. What it fails with is worth reading: without a word of its own it is the end of its log.
func (s Spec) container() (corev1.Container, error) {
	resources, err := s.Limits.requirements()
	return corev1.Container{
		Name: container, Image: s.Image, Command: s.Command, Args: s.Args, WorkingDir: s.WorkingDir,
		Env: s.Env, Resources: resources,
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}, err
}

func (s Spec) valid() error {
	switch {
	case s.Purpose == "" || s.Key == "" || s.Namespace == "" || s.Image == "":
		return fmt.Errorf("purpose, key, namespace and image are required")
	case !s.Profile.known():
		return fmt.Errorf("there is no profile %q", s.Profile)
	case s.Profile == Restricted && s.Node != "":
		return fmt.Errorf("a pod of the profile %s goes where the scheduler puts it, not to node %s", Restricted, s.Node)
	case s.Node != "" && (s.OnlyOn != "" || len(s.NotOn) > 0):
		return fmt.Errorf("the scheduler is not asked for node %s, and is told where it may put it", s.Node)
	case len(s.NotOn) > maxNotOn:
		return fmt.Errorf("there are %d nodes that it must not run on, at most %d are allowed", len(s.NotOn), maxNotOn)
	case s.Script != "" && len(s.Command) > 0:
		return fmt.Errorf("it has a command and a script")
	case len(s.Script) > maxScript:
		return fmt.Errorf("its script has %d bytes, at most %d are allowed", len(s.Script), maxScript)
	}
	if err := validResults(s.Results, s.Script); err != nil {
		return err
	}
	for _, c := range s.Capabilities {
		if !slices.Contains(Exceptional(), c) {
			return fmt.Errorf("no pod gets the capability %s: there are %s", c, strings.Join(Exceptional(), ", "))
		}
	}
	if err := validMounts(s.Mounts); err != nil {
		return err
	}
	return validEnv(s.Env)
}

func validEnv(env []corev1.EnvVar) error {
	if len(env) > maxVariables {
		return fmt.Errorf("it has %d variables, at most %d are allowed", len(env), maxVariables)
	}
	bytes, seen := 0, map[string]bool{}
	for _, v := range env {
		switch problems := validation.IsEnvVarName(v.Name); {
		case len(problems) > 0:
			return fmt.Errorf("variable %q: %s", v.Name, problems[0])
		case seen[v.Name]:
			return fmt.Errorf("variable %s is given twice", v.Name)
		}
		if from := v.ValueFrom; from != nil && (v.Value != "" || from.FieldRef == nil || !slices.Contains(Fields(), from.FieldRef.FieldPath)) {
			return fmt.Errorf("variable %s is a text or one of the fields %s of its pod", v.Name, strings.Join(Fields(), ", "))
		}
		seen[v.Name] = true
		bytes += len(v.Name) + len(v.Value)
	}
	if bytes > maxVariable {
		return fmt.Errorf("its variables have %d bytes, at most %d are allowed", bytes, maxVariable)
	}
	return nil
}
