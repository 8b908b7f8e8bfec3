package acceptance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/probe"
)

// documents are the Probe documents of the cases, below this folder.
const documents = "../../../examples/probes/cases"

// document is what of a Probe document a cluster is given.
type document struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Args   []string `json:"args"`
		Params []struct {
			Name    string `json:"name"`
			Default any    `json:"default"`
		} `json:"params"`
		Env []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"env"`
		Touches []struct {
			APIGroups  []string `json:"apiGroups"`
			Resources  []string `json:"resources"`
			Verbs      []string `json:"verbs"`
			Everywhere bool     `json:"everywhere"`
		} `json:"touches"`
	} `json:"spec"`
}

// read returns the documents of all probes.
func read(t *testing.T) map[string]document {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(documents, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no documents in %s: %v", documents, err)
	}
	found := map[string]document{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for part := range strings.SplitSeq(string(text), "\n---\n") {
			var d document
			if err := yaml.Unmarshal([]byte(part), &d); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if d.Kind == "Probe" {
				found[d.Metadata.Name] = d
			}
		}
	}
	return found
}

// given is a run of a case: its document, params, and what is special.
type given struct {
	name    string
	params  map[string]string
	env     map[string]string // beside that of the document
	rights  bool              // those of its document; else none
	timeout time.Duration
}

// begin makes the pod of a run as a prober does, with the account and the roles of the document, and returns the run.
func (s *local) begin(t *testing.T, g given) string {
	t.Helper()
	d, ok := read(t)[g.name]
	if !ok {
		t.Fatalf("there is no document of %s", g.name)
	}
	account := "nobody"
	if g.rights {
		account = "probe-" + g.name
	}
	s.account(t, account, d, g.rights)
	run := fmt.Sprintf("%s-%d", g.name, time.Now().UnixNano())
	timeout := g.timeout
	if timeout == 0 {
		timeout = 90 * time.Second
	}
	env := []corev1.EnvVar{
		{Name: "KH_REPORTING_URL", Value: s.reports.url()}, {Name: "KH_RUN_UUID", Value: run}, {Name: "KH_POD_NAMESPACE", Value: namespace},
		{Name: "KH_CHECK_RUN_DEADLINE", Value: strconv.FormatInt(time.Now().Add(timeout).Unix(), 10)},
		{Name: "SLUICE_PROBE_RUN", Value: run}, {Name: "SLUICE_PROBE", Value: g.name}, {Name: "SLUICE_CLUSTER", Value: "a"},
	}
	for _, e := range d.Spec.Env {
		env = append(env, corev1.EnvVar{Name: e.Name, Value: expand(t, d, e.Value, g.params)})
	}
	for name, value := range g.env {
		env = append(env, corev1.EnvVar{Name: name, Value: value})
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: run, Labels: map[string]string{"sluice.dev/pod": "probe", "sluice.dev/probe-run": run}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, ServiceAccountName: account, TerminationGracePeriodSeconds: new(int64(2)),
			NodeSelector:    map[string]string{processNode: "true"},
			Tolerations:     []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(65532))},
			Containers:      []corev1.Container{{Name: "main", Image: "sluice.local/probes:1.0", Args: d.Spec.Args, Env: env}},
		},
	}
	if _, err := s.client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return run
}

// run runs a case in a pod, and returns what it reports.
func (s *local) run(t *testing.T, g given) *probe.More {
	t.Helper()
	run := s.begin(t, g)
	return s.reports.wait(t, run, 2*time.Minute, func() string { return s.log(run) })
}

func (s *local) log(pod string) string {
	text, err := s.client.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{}).DoRaw(context.Background())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// expand puts params where a variable names them.
func expand(t *testing.T, d document, text string, params map[string]string) string {
	t.Helper()
	for _, p := range d.Spec.Params {
		value, said := params[p.Name]
		if !said {
			value = ""
			if p.Default != nil {
				value = fmt.Sprint(p.Default)
			}
		}
		text = strings.ReplaceAll(text, "$(params."+p.Name+")", value)
	}
	if strings.Contains(text, "$(") {
		t.Fatalf("document %s names what it does not declare: %s", d.Metadata.Name, text)
	}
	return text
}

// account makes the account of a case with what it may touch.
func (s *local) account(t *testing.T, name string, d document, rights bool) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		if err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
	_, err := s.client.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	check(err)
	if !rights {
		return
	}
	var here, everywhere []rbacv1.PolicyRule
	for _, touch := range d.Spec.Touches {
		rule := rbacv1.PolicyRule{APIGroups: touch.APIGroups, Resources: touch.Resources, Verbs: touch.Verbs}
		if len(rule.APIGroups) == 0 {
			rule.APIGroups = []string{""}
		}
		if touch.Everywhere {
			everywhere = append(everywhere, rule)
		} else {
			here = append(here, rule)
		}
	}
	who := []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: namespace}}
	rbac := s.client.RbacV1()
	_, err = rbac.Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: here}, metav1.CreateOptions{})
	check(err)
	_, err = rbac.RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta, Subjects: who, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
	}, metav1.CreateOptions{})
	check(err)
	meta.Namespace = ""
	_, err = rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: everywhere}, metav1.CreateOptions{})
	check(err)
	_, err = rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta, Subjects: who, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
	}, metav1.CreateOptions{})
	check(err)
}
