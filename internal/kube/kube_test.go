package kube_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/localtest"
)

var stack localtest.Get

func TestMain(m *testing.M) {
	os.Exit(localtest.Main(m, []string{"a"}, 2, func(get localtest.Get) { stack = get }))
}

var (
	podKind       = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
	configMapKind = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	configMaps    = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
)

func cluster(t *testing.T) (context.Context, *kube.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{stack(t).Kubeconfig}})
	t.Cleanup(pool.Close)
	c, err := pool.Cluster(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	return ctx, c
}

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return o
}

func create(t *testing.T, ctx context.Context, c *kube.Cluster, text string) *unstructured.Unstructured {
	t.Helper()
	stored, err := c.Create(ctx, object(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func code(t *testing.T, err error, want fault.Code, parts ...string) {
	t.Helper()
	if fault.CodeOf(err) != want {
		t.Fatalf("got error %v with code %q, want %q", err, fault.CodeOf(err), want)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func configMap(name string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: default}, data: {a: b}}", name)
}

func TestErrors(t *testing.T) {
	ctx, c := cluster(t)
	create(t, ctx, c, configMap("errors"))
	create(t, ctx, c, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-forbidden}
spec:
  failurePolicy: Fail
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]}
  validations: [{expression: "object.metadata.name != 'forbidden'", message: "this name is forbidden here"}]
`)
	create(t, ctx, c, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-forbidden}
spec: {policyName: no-forbidden, validationActions: [Deny]}
`)
	cases := map[string]struct {
		do    func() error
		want  fault.Code
		parts []string
	}{
		"get what is not there": {func() error {
			_, err := c.Get(ctx, configMapKind, "default", "absent")
			return err
		}, fault.NotFound, []string{"cannot get ConfigMap default/absent in cluster a"}},
		"create what is there": {func() error {
			_, err := c.Create(ctx, object(t, configMap("errors")))
			return err
		}, fault.Conflict, []string{"cannot create ConfigMap default/errors in cluster a"}},
		"create what is wrong": {func() error {
			_, err := c.Create(ctx, object(t, configMap("WRONG_NAME")))
			return err
		}, fault.Invalid, nil},
		"create what a policy denies": {func() error {
			for range 50 { // the policy takes a moment to be in force
				o := object(t, configMap("forbidden"))
				if _, err := c.Create(ctx, o); err != nil {
					return err
				}
				if err := c.Delete(ctx, configMapKind, "default", "forbidden", ""); err != nil {
					return err
				}
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		}, fault.Refused, []string{"this name is forbidden here"}},
		"patch with an old version": {func() error {
			_, err := c.Patch(ctx, configMapKind, "default", "errors", types.MergePatchType, []byte(`{"metadata":{"resourceVersion":"1"},"data":{"a":"c"}}`))
			return err
		}, fault.Conflict, nil},
		"a kind that is not served": {func() error {
			_, err := c.Get(ctx, schema.GroupVersionKind{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "CloneSet"}, "default", "x")
			return err
		}, fault.NotFound, []string{"apps.kruise.io/v1alpha1/CloneSet", "not served"}},
		"delete with another UID": {func() error {
			return c.Delete(ctx, configMapKind, "default", "errors", "00000000-0000-0000-0000-000000000000")
		}, fault.Conflict, nil},
		"a caller that gives up": {func() error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := c.Get(ctx, configMapKind, "default", "errors")
			return err
		}, fault.Internal, []string{"context canceled"}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { code(t, test.do(), test.want, test.parts...) })
	}
}

func TestCapabilities(t *testing.T) {
	ctx, c := cluster(t)
	before := c.Requests()
	capabilities, err := c.Capabilities(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"v1", "v1/Pod", "apps/v1", "apps/v1/Deployment"} {
		if !slices.Contains(capabilities.APIVersions, version) {
			t.Errorf("%s is missing in %v", version, capabilities.APIVersions)
		}
	}
	if !strings.HasPrefix(capabilities.Version, "v1.") || capabilities.Major != "1" {
		t.Errorf("the version is %+v", capabilities.Version)
	}
	mapping, err := c.Mapping(ctx, schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"})
	if err != nil {
		t.Fatal(err)
	}
	if mapping.Namespaced || mapping.Resource.Resource != "clusterroles" {
		t.Errorf("the mapping is %+v", mapping)
	}
	if took := c.Requests() - before; took != 3 {
		t.Errorf("it took %d requests, want 3", took)
	}
}

func TestPool(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	write := func(path, name, server string) {
		t.Helper()
		text := fmt.Sprintf(`
apiVersion: v1
kind: Config
clusters: [{name: %[1]s, cluster: {server: "%[2]s"}}]
users: [{name: %[1]s, user: {token: x}}]
contexts: [{name: %[1]s, context: {cluster: %[1]s, user: %[1]s}}]
`, name, server)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(first, "hz", "https://127.0.0.1:1")
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{first, second}})
	defer pool.Close()
	_, err := pool.Cluster(ctx, "sh")
	code(t, err, fault.Invalid, `"sh"`, first, second+" (is not there)", "contexts there: hz")
	hz, err := pool.Cluster(ctx, "hz")
	if err != nil {
		t.Fatal(err)
	}
	write(second, "sh", "https://127.0.0.1:1")
	if _, err := pool.Cluster(ctx, "sh"); err != nil {
		t.Errorf("a context of a file that came later is not found: %v", err)
	}
	if again, _ := pool.Cluster(ctx, "hz"); again != hz {
		t.Error("a context that did not change got another cluster")
	}
	write(first, "hz", "https://127.0.0.1:2222")
	moved, err := pool.Cluster(ctx, "hz")
	if err != nil || moved == hz {
		t.Errorf("a context that moved to another port has the old cluster (%v)", err)
	}
	code(t, moved.Reachable(ctx), fault.Unreachable, "cannot reach the API server in cluster hz", "refused")
	_, err = pool.Cluster(ctx, "bj")
	code(t, err, fault.Invalid, "contexts there: hz, sh")
}

func TestAKubeconfigThatIsBeingWrittenChangesNothing(t *testing.T) {
	const both = `apiVersion: v1
kind: Config
contexts: [{name: hz, context: {cluster: hz, user: hz}}, {name: sh, context: {cluster: sh, user: sh}}]
clusters: [{name: hz, cluster: {server: "https://127.0.0.1:1"}}, {name: sh, cluster: {server: "https://127.0.0.1:2"}}]
users: [{name: hz, user: {token: x}}, {name: sh, user: {token: x}}]
`
	whole := strings.SplitAfter(both, "\n")
	cases := map[string]struct {
		text   string
		reason string
		known  bool // after it has stayed so
	}{
		"it is empty":           {"", "truncated, the first half of a write", false},
		"it cannot be parsed":   {both[:70], "cut off in the middle of a line", true},
		"its users are missing": {strings.Join(whole[:4], ""), "cut off at the end of a line", true},
		"a context is missing":  {strings.Replace(both, "name: hz, context", "name: other, context", 1), "the next write brings it back", false},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "kubeconfig")
				write := func(text string) {
					t.Helper()
					if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				pool := kube.NewPool(kube.Options{Kubeconfigs: []string{path}})
				defer pool.Close()
				write(both)
				before, err := pool.Cluster(t.Context(), "hz")
				if err != nil {
					t.Fatal(err)
				}
				write(test.text)
				for range 2 {
					if now, err := pool.Cluster(t.Context(), "hz"); err != nil || now != before {
						t.Errorf("it gave another cluster and %v: %s", err, test.reason)
					}
					time.Sleep(20 * time.Second)
				}
				if _, err := pool.Cluster(t.Context(), "hz"); (err == nil) != test.known {
					t.Errorf("after 40 s it says %v", err)
				}
				write(both)
				if _, err := pool.Cluster(t.Context(), "hz"); err != nil {
					t.Errorf("after it was written again: %v", err)
				}
			})
		})
	}
	t.Run("a context that nobody has asked for", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "kubeconfig")
		pool := kube.NewPool(kube.Options{Kubeconfigs: []string{path}})
		defer pool.Close()
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := pool.Cluster(t.Context(), "new")
		code(t, err, fault.Unreachable, "cannot read kubeconfig "+path)
		old := time.Now().Add(-time.Minute)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		_, err = pool.Cluster(t.Context(), "new")
		code(t, err, fault.Invalid, "cannot read kubeconfig "+path)
		if err := os.WriteFile(path, []byte(both), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = pool.Cluster(t.Context(), "new")
		code(t, err, fault.Invalid, "contexts there: hz, sh")
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = pool.Cluster(t.Context(), "new")
		code(t, err, fault.Unreachable, `cannot find context "new"`, "cannot read kubeconfig "+path)
	})
}

func TestAnAPIServerThatIsReadyAndRefusesIsNotReachable(t *testing.T) {
	refuse := func(w http.ResponseWriter, status int) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"message":"not now"}`, status)
	}
	cases := map[string]struct {
		reason      string
		list, watch int
		want        fault.Code
	}{
		"it serves":                     {"all is well", 200, 200, ""},
		"it has too much to do":         {"the next request would be refused too", 429, 200, fault.Unreachable},
		"it has no etcd":                {"nothing can be read", 500, 200, fault.Unreachable},
		"its caches are not filled":     {"a view would not come up", 200, 429, fault.Unreachable},
		"it does not show us all pods":  {"our role is for some namespaces only", 403, 403, ""},
		"it lets us list and not watch": {"that is no outage", 200, 403, ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := served(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/readyz":
					fmt.Fprint(w, "ok")
				case r.URL.Query().Get("watch") != "" && test.watch != 200:
					refuse(w, test.watch)
				case r.URL.Query().Get("watch") != "":
					w.(http.Flusher).Flush()
					<-r.Context().Done()
				case test.list != 200:
					refuse(w, test.list)
				default:
					fmt.Fprint(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[]}`)
				}
			})
			if err := c.Reachable(t.Context()); fault.CodeOf(err) != test.want {
				t.Errorf("it says %v, want %q: %s", err, test.want, test.reason)
			}
		})
	}
	ctx, c := cluster(t)
	if err := c.Reachable(ctx); err != nil {
		t.Errorf("a real one: %v", err)
	}
}

func TestUnauthorized(t *testing.T) {
	text, err := os.ReadFile(stack(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	for _, user := range config["users"].([]any) {
		user.(map[string]any)["user"] = map[string]any{"token": "wrong"}
	}
	text, err = yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{path}})
	defer pool.Close()
	c, err := pool.Cluster(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Get(context.Background(), configMapKind, "default", "x")
	code(t, err, fault.Unauthorized)
	view := kube.Watch(c, kube.Selection{Resource: configMaps}, nameOnly)
	defer view.Close()
	code(t, view.Wait(context.Background()), fault.Unauthorized)
}

func TestEvict(t *testing.T) {
	ctx, c := cluster(t)
	pod := `{apiVersion: v1, kind: Pod, metadata: {name: POD, namespace: default, labels: {app: evict}}, spec: {containers: [{name: c, image: "registry.local/agent:1"}]}}`
	victim := create(t, ctx, c, strings.ReplaceAll(pod, "POD", "victim"))
	create(t, ctx, c, `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: tight, namespace: default}, spec: {minAvailable: 1, selector: {matchLabels: {app: evict}}}}`)
	for range 100 {
		live, err := c.Get(ctx, podKind, "default", "victim")
		if err != nil {
			t.Fatal(err)
		}
		conditions, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
		if strings.Contains(fmt.Sprint(conditions), "status:True type:Ready") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	code(t, c.Evict(ctx, "default", "victim", victim.GetUID()), fault.Refused, "cannot evict Pod default/victim")
	if c.Deleted(victim.GetUID()) {
		t.Error("a pod whose eviction was refused counts as deleted")
	}
	if err := c.Delete(ctx, schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}, "default", "tight", ""); err != nil {
		t.Fatal(err)
	}
	code(t, c.Evict(ctx, "default", "victim", "00000000-0000-0000-0000-000000000000"), fault.Conflict)
	for range 100 {
		err := c.Evict(ctx, "default", "victim", victim.GetUID())
		if err == nil {
			break
		}
		code(t, err, fault.Refused)
		time.Sleep(50 * time.Millisecond)
	}
	if !c.Deleted(victim.GetUID()) {
		t.Error("the evicted pod does not count as deleted")
	}
}
