package rights_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/rights"
	"sluice.dev/sluice/pipelines"
)

func object(version, kind, namespace, name string, more ...func(map[string]any)) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": version, "kind": kind}}
	o.SetNamespace(namespace)
	o.SetName(name)
	for _, m := range more {
		m(o.Object)
	}
	return o
}

func with(key string, value any) func(map[string]any) {
	return func(o map[string]any) { o[key] = value }
}

// lines are roles as people would say them: a rule each, behind the namespace that it is given in.
func lines(roles []rights.Role) (all []string) {
	for _, role := range roles {
		for _, r := range role.Rules {
			what := strings.Join(r.Resources, ",")
			if len(r.APIGroups) > 0 && r.APIGroups[0] != "" {
				what += "." + r.APIGroups[0]
			}
			if len(r.ResourceNames) > 0 {
				what += " " + strings.Join(r.ResourceNames, ",")
			}
			what += strings.Join(r.NonResourceURLs, ",")
			all = append(all, role.Namespace+": "+strings.Join(r.Verbs, " ")+" "+what)
		}
	}
	return all
}

func TestRoles(t *testing.T) {
	every := []string{": get list watch nodes", "sluice-system: get list watch create update leases.coordination.k8s.io"}
	own := []any{map[string]any{"apiGroups": []any{""}, "resources": []any{"nodes"}, "verbs": []any{"patch"}}}
	paths := []any{map[string]any{"nonResourceURLs": []any{"/metrics"}, "verbs": []any{"get"}}}
	for _, c := range []struct {
		reason string
		work   rights.Work
		apart  bool
		want   []string
	}{
		{"every cluster is asked for something", rights.Work{}, false, every},
		{"an agent tells of its cluster too", rights.Work{Agent: true}, true, []string{
			every[0], ": get namespaces kube-system", ": list pods", every[1],
		}},
		{"an agent runs the probes that components bring", rights.Work{Agent: true, Objects: []*unstructured.Unstructured{
			object("sluice.dev/v1alpha1", "ProbeConfig", "sluice-probes", "etcd"),
		}}, true, []string{
			": get list create healthsignals.sluice.dev", ": get list watch create update delete proberuns.sluice.dev", every[0], ": get list watch pods",
			": get list watch probeconfigs.sluice.dev", ": get namespaces kube-system", ": list replicasets.apps",
			": list watch controllerrevisions.apps", ": list watch daemonsets.apps", ": list watch deployments.apps", ": list watch statefulsets.apps",
			": update healthsignals/status.sluice.dev", ": update probeconfigs/status.sluice.dev", ": update proberuns/status.sluice.dev",
			": get patch customresourcedefinitions.apiextensions.k8s.io healthsignals.sluice.dev,probeconfigs.sluice.dev,proberuns.sluice.dev",
			"kube-node-lease: get leases.coordination.k8s.io", "sluice-probes: create delete pods",
			"sluice-probes: create patch delete probeconfigs.sluice.dev", every[1],
		}},
		{"an agent takes away what they leave, where they leave it", rights.Work{Agent: true, Objects: []*unstructured.Unstructured{
			object("sluice.dev/v1alpha1", "ProbeConfig", "sluice-probes", "canary", with("spec", map[string]any{"makes": []any{
				map[string]any{"group": "apps", "resource": "deployments"}, map[string]any{"resource": "namespaces", "everywhere": true},
			}})),
		}}, true, []string{
			": get list create healthsignals.sluice.dev", ": get list watch create update delete proberuns.sluice.dev", ": list delete namespaces", ": get namespaces kube-system", every[0],
			": get list watch pods",
			": get list watch probeconfigs.sluice.dev", ": list replicasets.apps",
			": list watch controllerrevisions.apps", ": list watch daemonsets.apps", ": list watch deployments.apps", ": list watch statefulsets.apps",
			": update healthsignals/status.sluice.dev", ": update probeconfigs/status.sluice.dev", ": update proberuns/status.sluice.dev",
			": get patch customresourcedefinitions.apiextensions.k8s.io healthsignals.sluice.dev,probeconfigs.sluice.dev,proberuns.sluice.dev",
			"kube-node-lease: get leases.coordination.k8s.io", "sluice-probes: create delete pods",
			"sluice-probes: create patch delete probeconfigs.sluice.dev", "sluice-probes: delete deployments.apps", every[1],
		}},
		{"an object is read, written and taken away", rights.Work{Objects: []*unstructured.Unstructured{
			object("v1", "Service", "apps", "web"),
		}}, false, []string{": get list watch nodes", ": get create patch delete services", every[1]}},
		{"in its namespace alone where roles are apart", rights.Work{Objects: []*unstructured.Unstructured{
			object("v1", "Service", "apps", "web"),
		}}, true, []string{every[0], "apps: get create patch delete services", every[1]}},
		{"what is never taken away is not deleted", rights.Work{Objects: []*unstructured.Unstructured{
			object("v1", "PersistentVolumeClaim", "apps", "data"),
		}}, true, []string{
			every[0], ": get storageclasses.storage.k8s.io", "apps: get create patch persistentvolumeclaims", every[1],
		}},
		{"a kind that is defined beside it has the plural of its definition", rights.Work{Objects: []*unstructured.Unstructured{
			object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "mice.example.com", with("spec", map[string]any{
				"group": "example.com", "names": map[string]any{"kind": "Mouse", "plural": "mice"},
			})),
			object("example.com/v1", "Mouse", "apps", "jerry"),
		}}, true, []string{
			every[0], ": get create patch customresourcedefinitions.apiextensions.k8s.io",
			"apps: get create patch delete mice.example.com", every[1],
		}},
		{"who gives a right needs it", rights.Work{Objects: []*unstructured.Unstructured{
			object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "agent", with("rules", slices.Concat(own, paths))),
			object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "agent",
				with("roleRef", map[string]any{"kind": "ClusterRole", "name": "agent"})),
		}}, false, []string{
			": get /metrics", ": get list watch patch nodes", ": get create patch delete clusterrolebindings.rbac.authorization.k8s.io",
			": get create patch delete clusterroles.rbac.authorization.k8s.io", every[1],
		}},
		{"who binds a role that is there is let do that by its name", rights.Work{Objects: []*unstructured.Unstructured{
			object("rbac.authorization.k8s.io/v1", "RoleBinding", "apps", "agent",
				with("roleRef", map[string]any{"kind": "ClusterRole", "name": "view"})),
		}}, true, []string{
			every[0], "apps: bind clusterroles.rbac.authorization.k8s.io view",
			"apps: get create patch delete rolebindings.rbac.authorization.k8s.io", every[1],
		}},
		{"jobs are pods in Sluice's own namespace, or in one that they name", rights.Work{Steps: []pipelines.StepKinds{
			{Job: &pipelines.Job{}}, {Job: &pipelines.Job{Namespace: "jobs"}},
		}}, true, []string{
			every[0], "jobs: get list watch create delete pods", "sluice-system: get list watch create delete pods", every[1],
		}},
		{"one whose namespace is a parameter may be anywhere, its own included", rights.Work{Steps: []pipelines.StepKinds{
			{Job: &pipelines.Job{}}, {Job: &pipelines.Job{Namespace: "$(params.where)"}},
		}}, true, []string{every[0], ": get list watch create delete pods", every[1]}},
		{"a Secret is read by its name", rights.Work{Steps: []pipelines.StepKinds{
			{Certificate: &pipelines.Certificate{Secret: &pipelines.SecretRef{Namespace: "apps", Name: "tls"}}},
		}}, false, []string{every[0], ": get secrets tls", every[1]}},
		{"a name that all of them include is not said again", rights.Work{
			Objects: []*unstructured.Unstructured{object("v1", "Secret", "apps", "key")},
			Steps: []pipelines.StepKinds{
				{Certificate: &pipelines.Certificate{Secret: &pipelines.SecretRef{Namespace: "apps", Name: "tls"}}},
			},
		}, false, []string{every[0], ": get create patch delete secrets", every[1]}},
		{"logs are those of pods of workloads", rights.Work{
			Objects: []*unstructured.Unstructured{object("v1", "Service", "others", "web")},
			Steps:   []pipelines.StepKinds{{Logs: &pipelines.Logs{}}},
		}, true, []string{every[0], "others: get create patch delete services", every[1]}},
		{"a probe from the worker asks no API server", rights.Work{Steps: []pipelines.StepKinds{
			{HTTP: &pipelines.HTTP{}}, {Metrics: &pipelines.Metrics{}}, {Script: &pipelines.Script{}}, {Gate: &pipelines.Gate{}},
		}}, false, every},
		{"a probe from inside is a pod", rights.Work{Steps: []pipelines.StepKinds{
			{TCP: &pipelines.TCP{ProbeAim: pipelines.ProbeAim{From: pipelines.FromCluster}}},
		}}, true, []string{every[0], "sluice-system: get list watch create delete pods", every[1]}},
	} {
		got, want := lines(c.work.Roles(rights.Options{Apart: c.apart})), slices.Clone(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.reason, diff)
		}
	}
}

func TestADriversRightsAreInTheNamespaceOfItsWorkload(t *testing.T) {
	work := rights.Work{
		Objects: []*unstructured.Unstructured{object("apps/v1", "DaemonSet", "infra", "agent")}, Steps: []pipelines.StepKinds{{Logs: &pipelines.Logs{}}},
	}
	got := lines(work.Roles(rights.Options{Apart: true}))
	for _, want := range []string{
		": get list watch nodes", "infra: get list watch create patch delete daemonsets.apps", "infra: create pods/eviction",
		"infra: list watch delete pods", "infra: get pods/log", "infra: list poddisruptionbudgets.policy",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
}

func TestWhatCannotBeToldIsSaid(t *testing.T) {
	work := rights.Work{Objects: []*unstructured.Unstructured{
		object("monitoring.example.com/v1", "Scrape", "apps", "web"),
		object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "all", with("aggregationRule", map[string]any{})),
		object("networking.k8s.io/v1", "Ingress", "apps", "web"),
	}}
	got := strings.Join(work.Doubts(), "\n")
	for _, want := range []string{"Scrape.monitoring.example.com: it is taken that its resource is called scrapes", "ClusterRole all gathers"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if strings.Contains(got, "Ingress") {
		t.Errorf("it doubts what Kubernetes has: %q", got)
	}
}

func TestRolesAreBound(t *testing.T) {
	whose := rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "worker"}
	work := rights.Work{Objects: []*unstructured.Unstructured{object("v1", "Service", "apps", "web")}}
	printed, err := rights.Manifest{Name: "sluice", Whose: whose, Roles: work.Roles(rights.Options{Apart: true})}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	text := string(printed)
	for what, times := range map[string]int{
		"kind: Namespace": 2, "kind: Role\n": 4, "kind: RoleBinding": 2, "kind: ClusterRoleBinding": 1, "kind: ServiceAccount": 0,
		"  name: worker": 3, "# components bring them": 1,
	} {
		if got := strings.Count(text, what); got != times {
			t.Errorf("%q is there %d times, want %d, in\n%s", what, got, times, text)
		}
	}
}
