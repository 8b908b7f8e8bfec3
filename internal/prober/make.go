package prober

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/kuberhealthy"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/probing"
)

// What a program finds in its environment beside the contract's.
const (
	EnvCluster  = "SLUICE_CLUSTER"
	EnvCase     = "SLUICE_PROBE"
	EnvRun      = "SLUICE_PROBE_RUN" // the value of the label sluice.dev/probe-run, which all that it makes has to have
	EnvTarget   = "SLUICE_TARGET"    // the node that it is about; not there where it is about the cluster
	EnvRevision = "SLUICE_REVISION"  // of what has changed, where that is why it runs
)

// residentDeadline is by when a resident has to have reported, as far as it is told: never.
var residentDeadline = time.Date(2100, time.January, 1, 0, 0, 0, 0, time.UTC)

// podOf is the pod of a run. It is the same whenever it is asked for. It runs on none of some nodes.
func (s *site) podOf(c *probing.Config, r *probing.Run, notOn []string) (*corev1.Pod, error) {
	spec, of := c.Spec, c.Spec.Pod
	env := []corev1.EnvVar{
		{Name: kuberhealthy.EnvURL, Value: s.URL + kuberhealthy.Path(of.Contract)},
		{Name: kuberhealthy.EnvRun, Value: string(r.UID)},
		{Name: kuberhealthy.EnvDeadline, Value: strconv.FormatInt(deadlineOf(r).Unix(), 10)},
		{Name: kuberhealthy.EnvNamespace, Value: r.Namespace},
		{Name: EnvCluster, Value: s.cluster},
		{Name: EnvCase, Value: r.Spec.Case},
		{Name: EnvRun, Value: r.Name},
	}
	for _, v := range []corev1.EnvVar{{Name: EnvTarget, Value: r.Spec.Target}, {Name: EnvRevision, Value: r.Spec.Cause.Revision}} {
		if v.Value != "" {
			env = append(env, v)
		}
	}
	for _, v := range of.Env {
		one := corev1.EnvVar{Name: v.Name, Value: v.Value}
		if v.Field != "" {
			one.ValueFrom = &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: v.Field}}
		}
		env = append(env, one)
	}
	for i := range env {
		env[i].Value = strings.ReplaceAll(env[i].Value, "$", "$$") // Kubernetes would take $(NAME) for another variable
	}
	want := pod.Spec{
		Purpose: purpose, Key: keyOf(r), Namespace: r.Namespace, Image: of.Image, Command: of.Command, Args: of.Args, Env: env,
		Profile: cmp.Or(pod.Profile(of.Profile), pod.Restricted), NodeSelector: of.NodeSelector, ServiceAccount: of.ServiceAccount,
		Limits: pod.Limits{CPU: of.CPU, Memory: of.Memory, Storage: of.Storage}, KeepFailed: keepOf(c),
		About: aboutOf(r, of.Contract), NotOn: notOn,
		Owner: &metav1.OwnerReference{
			APIVersion: probing.GroupVersion.String(), Kind: probing.KindRun, Name: r.Name, UID: r.UID, Controller: new(true),
			BlockOwnerDeletion: new(false),
		},
	}
	for _, m := range of.Mounts {
		want.Mounts = append(want.Mounts, pod.Mount{Secret: m.Secret, ConfigMap: m.ConfigMap, At: m.At})
	}
	for _, e := range of.Exceptions {
		want.Capabilities = append(want.Capabilities, e.Capabilities...)
	}
	if on := nodeOf(c, r); on != "" {
		want.OnlyOn, want.NotOn = on, nil
	}
	if spec.Mode != probing.Resident { // where nobody else does, its node ends it
		want.Within = beginWithin + startAllowance + spec.Timeout.Duration + time.Minute
	}
	return pod.Make(want)
}

// keyOf is what a run's pod is made for.
func keyOf(r *probing.Run) string { return r.Namespace + "/" + r.Name + "/" + string(r.UID) }

// aboutOf are the labels of a run's pod: our own, and those of the contract.
func aboutOf(r *probing.Run, by probing.Contract) map[string]string {
	about := map[string]string{probing.LabelCase: r.Spec.Case, probing.LabelRun: r.Name}
	if by == probing.ContractV2 {
		about["app"], about["kuberhealthy-check-name"], about["kuberhealthy-run-id"] = "kuberhealthy-check", r.Spec.Case, string(r.UID)
	} else {
		about["healthcheck"], about["kh-run-uuid"] = r.Spec.Case, string(r.UID)
	}
	return about
}

// deadlineOf is by when the program of a run that has begun has to have reported.
func deadlineOf(r *probing.Run) time.Time {
	if r.Spec.Cause.Kind == probing.ByMode || r.Status.Deadline == nil {
		return residentDeadline
	}
	return r.Status.Deadline.Time
}

func keepOf(c *probing.Config) time.Duration {
	if c == nil || c.Spec.Keep.Duration <= 0 {
		return keepUsual
	}
	return max(c.Spec.Keep.Duration, keepLeast)
}
