package pod_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/pod"
)

// least is the smallest spec there is.
func least() pod.Spec {
	return pod.Spec{Purpose: "job", Key: "run-1/prod/eu-1/afterBatch/canary/0", Namespace: "jobs", Image: "registry.example/canary:1", Profile: pod.Restricted}
}

func TestAPodGetsNoMoreThanItsProfileSays(t *testing.T) {
	for _, c := range []struct {
		profile  pod.Profile
		host     bool
		dns      corev1.DNSPolicy
		tolerant bool
	}{
		{pod.Restricted, false, "", false},
		{pod.Node, false, "", true},
		{pod.HostNetwork, true, corev1.DNSClusterFirstWithHostNet, true},
	} {
		t.Run(string(c.profile), func(t *testing.T) {
			s := least()
			s.Profile = c.profile
			p, err := pod.Make(s)
			if err != nil {
				t.Fatal(err)
			}
			one, of := p.Spec.Containers[0].SecurityContext, p.Spec.SecurityContext
			if p.Spec.HostNetwork != c.host || p.Spec.DNSPolicy != c.dns || (len(p.Spec.Tolerations) > 0) != c.tolerant {
				t.Errorf("host network %t, DNS %q, tolerations %v", p.Spec.HostNetwork, p.Spec.DNSPolicy, p.Spec.Tolerations)
			}
			if p.Spec.HostPID || p.Spec.HostIPC || one.Privileged != nil || *one.AllowPrivilegeEscalation || one.Capabilities.Drop[0] != "ALL" ||
				len(one.Capabilities.Add) > 0 || !*of.RunAsNonRoot || *of.RunAsUser == 0 || of.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("it may do more than its profile says: %+v, %+v", one, of)
			}
			if *p.Spec.AutomountServiceAccountToken || p.Spec.RestartPolicy != corev1.RestartPolicyNever {
				t.Errorf("token %t, restarts %s", *p.Spec.AutomountServiceAccountToken, p.Spec.RestartPolicy)
			}
			if len(p.Spec.Containers[0].Resources.Limits) != 3 || len(p.Spec.Containers[0].Resources.Requests) != 3 {
				t.Errorf("it may use %+v", p.Spec.Containers[0].Resources)
			}
		})
	}
}

func TestWhatNoPodIsMadeOf(t *testing.T) {
	for reason, c := range map[string]struct {
		change func(*pod.Spec)
		says   string
	}{
		"no image":                             {func(s *pod.Spec) { s.Image = "" }, "required"},
		"no key: two would be one":             {func(s *pod.Spec) { s.Key = "" }, "required"},
		"a profile nobody knows":               {func(s *pod.Spec) { s.Profile = "privileged" }, `no profile "privileged"`},
		"a node without a profile for it":      {func(s *pod.Spec) { s.Node = "n1" }, "where the scheduler puts it"},
		"a capability that lets it out":        {func(s *pod.Spec) { s.Capabilities = []string{"SYS_ADMIN"} }, "no pod gets the capability SYS_ADMIN"},
		"a node twice over":                    {func(s *pod.Spec) { s.Profile, s.Node, s.OnlyOn = pod.Node, "n1", "n2" }, "is told where it may put it"},
		"more nodes than a pod can name":       {func(s *pod.Spec) { s.NotOn = make([]string, 101) }, "at most 100"},
		"two programs":                         {func(s *pod.Spec) { s.Command, s.Script = []string{"a"}, "b" }, "a command and a script"},
		"a script without end":                 {func(s *pod.Spec) { s.Script = strings.Repeat("x", 64<<10+1) }, "at most 65536"},
		"a limit that is none":                 {func(s *pod.Spec) { s.Limits.CPU = "much" }, "no quantity above 0"},
		"a limit of nothing":                   {func(s *pod.Spec) { s.Limits.Memory = "0" }, "no quantity above 0"},
		"a limit below nothing":                {func(s *pod.Spec) { s.Limits.Memory = "-1Gi" }, "no quantity above 0"},
		"a variable without a name":            {func(s *pod.Spec) { s.Env = []corev1.EnvVar{{Value: "x"}} }, `variable ""`},
		"a variable that is given twice":       {func(s *pod.Spec) { s.Env = []corev1.EnvVar{{Name: "A"}, {Name: "A"}} }, "A is given twice"},
		"a variable of another's":              {func(s *pod.Spec) { s.Env = []corev1.EnvVar{{Name: "A", ValueFrom: fromSecret()}} }, "one of the fields"},
		"a field that no program is told":      {func(s *pod.Spec) { s.Env = []corev1.EnvVar{ofPod("spec.priority")} }, "one of the fields"},
		"a mount of nothing":                   {func(s *pod.Spec) { s.Mounts = []pod.Mount{{At: "/a"}} }, "one of a Secret and a ConfigMap"},
		"a mount of two":                       {func(s *pod.Spec) { s.Mounts = []pod.Mount{{Secret: "a", ConfigMap: "b", At: "/a"}} }, "one of a Secret"},
		"a mount in place of everything":       {func(s *pod.Spec) { s.Mounts = []pod.Mount{{Secret: "a", At: "/"}} }, "no absolute path"},
		"a mount that leads elsewhere":         {func(s *pod.Spec) { s.Mounts = []pod.Mount{{Secret: "a", At: "/a/../b"}} }, "no absolute path"},
		"two mounts in one place":              {func(s *pod.Spec) { s.Mounts = []pod.Mount{{Secret: "a", At: "/a"}, {Secret: "b", At: "/a"}} }, "two are mounted at /a"},
		"mounts without end":                   {func(s *pod.Spec) { s.Mounts = make([]pod.Mount, 11) }, "at most 10"},
		"an environment that no node would do": {func(s *pod.Spec) { s.Env = []corev1.EnvVar{{Name: "A", Value: strings.Repeat("x", 32<<10)}} }, "at most 32768"},
	} {
		t.Run(reason, func(t *testing.T) {
			s := least()
			c.change(&s)
			p, err := pod.Make(s)
			if p != nil || fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it is made: %t, %v; want %q", p != nil, err, c.says)
			}
		})
	}
}

func fromSecret() *corev1.EnvVarSource {
	return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "password"}}
}

func ofPod(field string) corev1.EnvVar {
	return corev1.EnvVar{Name: "A", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: field}}}
}

func TestAPodReadsWhatIsMountedAndNothingElse(t *testing.T) {
	s := least()
	s.Env = []corev1.EnvVar{ofPod("spec.nodeName")}
	s.Mounts = []pod.Mount{{Secret: "cert", At: "/etc/tls"}, {ConfigMap: "conf", At: "/etc/conf.d"}}
	p, err := pod.Make(s)
	if err != nil {
		t.Fatal(err)
	}
	volumes := []corev1.Volume{
		{Name: "mount-0", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "cert"}}},
		{Name: "mount-1", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "conf"}},
		}},
	}
	mounts := []corev1.VolumeMount{{Name: "mount-0", ReadOnly: true, MountPath: "/etc/tls"}, {Name: "mount-1", ReadOnly: true, MountPath: "/etc/conf.d"}}
	if diff := cmp.Diff(volumes, p.Spec.Volumes) + cmp.Diff(mounts, p.Spec.Containers[0].VolumeMounts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if p.Spec.Containers[0].Env[0].ValueFrom.FieldRef.FieldPath != "spec.nodeName" {
		t.Errorf("it is told %+v", p.Spec.Containers[0].Env)
	}
}

func TestAnExceptionIsNoMoreThanItSays(t *testing.T) {
	s := least()
	s.Capabilities = []string{"NET_RAW"}
	p, err := pod.Make(s)
	if err != nil {
		t.Fatal(err)
	}
	may := p.Spec.Containers[0].SecurityContext
	if diff := cmp.Diff(&corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"NET_RAW"}}, may.Capabilities); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !*may.AllowPrivilegeEscalation || may.Privileged != nil || !*p.Spec.SecurityContext.RunAsNonRoot {
		t.Errorf("its program has it by its file alone: %+v", may)
	}
}

func TestTheSchedulerIsToldWhereAPodMayGo(t *testing.T) {
	s := least()
	s.OnlyOn, s.NotOn = "n1", []string{"n2", "n3"}
	p, err := pod.Make(s)
	if err != nil {
		t.Fatal(err)
	}
	term := p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(term) != 1 || term[0].MatchFields[0].Key != "metadata.name" || !cmp.Equal(term[0].MatchFields[0].Values, []string{"n1"}) ||
		term[0].MatchExpressions[0].Operator != corev1.NodeSelectorOpNotIn || !cmp.Equal(term[0].MatchExpressions[0].Values, s.NotOn) {
		t.Errorf("it is told %+v", term)
	}
	if p.Spec.NodeName != "" {
		t.Error("it is not asked")
	}
}

func TestALimitBelowTheUsualRequestIsTheRequest(t *testing.T) {
	s := least()
	s.Limits.Memory = "8Mi"
	p, err := pod.Make(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Spec.Containers[0].Resources; got.Requests.Memory().String() != "8Mi" || got.Limits.Memory().String() != "8Mi" {
		t.Errorf("Kubernetes refuses a request above its limit: %+v", got)
	}
}

func TestAScriptIsAFileOfThePodItself(t *testing.T) {
	for _, c := range []struct{ reason, script, file string }{
		{"without an interpreter it is a shell that ends where something fails", "curl -f $URL", "#!/bin/sh\nset -e\ncurl -f $URL"},
		{"with one it is left as it is", "#!/usr/bin/env python3\nprint(1)", "#!/usr/bin/env python3\nprint(1)"},
	} {
		s := least()
		s.Script, s.Args = c.script, []string{"-v"}
		p, err := pod.Make(s)
		if err != nil {
			t.Fatal(err)
		}
		item := p.Spec.Volumes[0].DownwardAPI.Items[0]
		annotation := strings.TrimSuffix(strings.TrimPrefix(item.FieldRef.FieldPath, "metadata.annotations['"), "']")
		if p.Annotations[annotation] != c.file || *item.Mode&0o111 == 0 {
			t.Errorf("%s: the file is %q with mode %o", c.reason, p.Annotations[annotation], *item.Mode)
		}
		main := p.Spec.Containers[0]
		if want := main.VolumeMounts[0].MountPath + "/" + item.Path; main.Command[0] != want || !cmp.Equal(main.Args, []string{"-v"}) {
			t.Errorf("it runs %q %q, not %s", main.Command, main.Args, want)
		}
	}
}

func TestOneKeyIsOneName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, other := rapid.String().Draw(t, "one"), rapid.String().Draw(t, "other")
		a, b := pod.Name("job", one), pod.Name("job", other)
		if len(a) > 63 || (a == b) != (one == other) || a != pod.Name("job", one) {
			t.Fatalf("%q and %q are %s and %s", one, other, a, b)
		}
	})
}

func TestWhatAPodIsAPartOfCanBeSelected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		if value := pod.LabelValue(text); len(value) > 63 || pod.LabelValue(value) != value {
			t.Fatalf("%q is the label %q", text, value)
		}
	})
	s := least()
	s.About = map[string]string{pod.LabelRun: "run-1", pod.LabelCheck: "smoke test/é", pod.LabelComponent: strings.Repeat("a", 64)}
	p, err := pod.Make(s)
	if err != nil {
		t.Fatal(err)
	}
	if p.Labels[pod.LabelRun] != "run-1" || !strings.HasPrefix(p.Labels[pod.LabelCheck], "smoke-test-") || len(p.Labels[pod.LabelComponent]) != 63 {
		t.Errorf("its labels are %v", p.Labels)
	}
}

func TestAPodIsEqualWhoeverMakesIt(t *testing.T) {
	s := least()
	s.Limits, s.Script = pod.Limits{CPU: "1", Memory: "1Gi"}, "exit 0"
	first, err := pod.Make(s)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := pod.Make(s)
	a, _ := json.Marshal(first)
	b, _ := json.Marshal(second)
	if diff := cmp.Diff(string(a), string(b)); diff != "" {
		t.Errorf("two workers would differ:\n%s", diff)
	}
}
