package cluster

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/rights"
)

// office is a real API server with RBAC, as its administrator has it.
type office struct {
	config *rest.Config
	client *kubernetes.Clientset
	admin  *kube.Cluster
}

func openOffice(t *testing.T, kubeconfig string) *office {
	t.Helper()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: "a"},
	).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 100, 200
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{kubeconfig}})
	t.Cleanup(pool.Close)
	admin, err := pool.Cluster(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	return &office{config: config, client: client, admin: admin}
}

func (o *office) create(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	if _, err := o.admin.Create(t.Context(), object); err != nil && !apierrors.IsAlreadyExists(errors.Unwrap(err)) {
		t.Fatal(err)
	}
}

// hires gives an account its roles, and returns the token by which it is known.
func (o *office) hires(t *testing.T, name string, roles []rights.Role) string {
	t.Helper()
	given := rights.Manifest{
		Name: name, Whose: rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: kube.LeaseNamespace, Name: name}, Roles: roles,
	}
	for _, object := range given.Objects() {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			t.Fatal(err)
		}
		o.create(t, &unstructured.Unstructured{Object: content})
	}
	asked, err := o.client.CoreV1().ServiceAccounts(kube.LeaseNamespace).CreateToken(t.Context(), name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(3600))}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return asked.Status.Token
}

// settled waits until the API server goes by all of the roles.
func (o *office) settled(t *testing.T, token string, roles []rights.Role) {
	t.Helper()
	mine := rest.AnonymousClientConfig(o.config)
	mine.BearerToken = token
	client, err := kubernetes.NewForConfig(mine)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range grantsOf(roles) {
		if g.group == "*" || g.url != "" {
			continue
		}
		resource, sub, _ := strings.Cut(g.resource, "/")
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: g.namespace, Group: g.group, Resource: resource, Subresource: sub, Verb: g.verb, Name: g.name,
			},
		}}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			answer, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
			if err == nil && answer.Status.Allowed {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("the API server does not give %s: %v", g, err)
			}
		}
	}
}

// grant is one verb of one rule.
type grant struct{ namespace, group, resource, name, verb, url string }

func (g grant) String() string {
	text := strings.TrimPrefix(g.verb+" "+g.resource+"."+g.group+g.url, " ")
	if g.name != "" {
		text += " " + g.name
	}
	if g.namespace != "" {
		text += " in " + g.namespace
	}
	return text
}

func grantsOf(roles []rights.Role) (all []grant) {
	for _, role := range roles {
		for _, r := range role.Rules {
			names := r.ResourceNames
			if len(names) == 0 {
				names = []string{""}
			}
			for _, verb := range r.Verbs {
				for _, url := range r.NonResourceURLs {
					all = append(all, grant{verb: verb, url: url})
				}
				for _, name := range names {
					if len(r.Resources) > 0 {
						all = append(all, grant{role.Namespace, r.APIGroups[0], r.Resources[0], name, verb, ""})
					}
				}
			}
		}
	}
	return all
}

// gives reports whether a grant lets a request pass.
func (g grant) gives(asked grant) bool {
	return g.verb == asked.verb && g.group == asked.group && g.resource == asked.resource &&
		(g.namespace == "" || g.namespace == asked.namespace) && (g.name == "" || g.name == asked.name)
}

// clerk stands before the API server and writes down what it is asked. Old, it knows no streamed state, as servers before 1.34.
type clerk struct {
	old     bool
	forward *httputil.ReverseProxy

	mu      sync.Mutex
	taken   map[grant]bool
	refused map[grant]bool
}

// seats a clerk before the API server, and returns a kubeconfig by which an account asks it.
func (o *office) seats(t *testing.T, token string, old bool) (*clerk, string) {
	t.Helper()
	to, err := url.Parse(o.config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(o.config))
	if err != nil {
		t.Fatal(err)
	}
	c := &clerk{old: old, taken: map[grant]bool{}, refused: map[grant]bool{}}
	c.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Header.Set("Authorization", "Bearer "+token) // client-go shows none where there is no TLS
		},
		Transport:     transport,
		FlushInterval: -1,
		ModifyResponse: func(r *http.Response) error {
			c.note(r)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(c)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "a", "cluster": {"server": %q}}],
		"contexts": [{"name": "a", "context": {"cluster": "a"}}]}`, server.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return c, path
}

// ServeHTTP implements http.Handler.
func (c *clerk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.old && r.URL.Query().Get("sendInitialEvents") != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422,
			"message": "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"}`)
		return
	}
	c.forward.ServeHTTP(w, r)
}

func (c *clerk) note(r *http.Response) {
	asked, about := requestOf(r.Request)
	if !about {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.StatusCode == http.StatusForbidden {
		c.refused[asked] = true
		return
	}
	c.taken[asked] = true
}

// requestOf is what a request asks for; false where it is about no object.
func requestOf(r *http.Request) (grant, bool) {
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var g grant
	switch {
	case len(part) > 2 && part[0] == "api":
		part = part[2:]
	case len(part) > 3 && part[0] == "apis":
		g.group, part = part[1], part[3:]
	default:
		return g, false
	}
	if part[0] == "namespaces" && len(part) > 2 {
		g.namespace, part = part[1], part[2:]
	}
	g.resource = part[0]
	if len(part) > 1 {
		g.name = part[1]
	}
	if len(part) > 2 {
		g.resource += "/" + part[2]
	}
	switch r.Method {
	case http.MethodGet:
		g.verb = "get"
		if g.name == "" {
			g.verb = "list"
		}
		if w := r.URL.Query().Get("watch"); w != "" && w != "false" {
			g.verb = "watch"
		}
	default:
		g.verb = map[string]string{
			http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
		}[r.Method]
	}
	return g, true
}

// asked are the requests that were let pass, or were not, in words.
func (c *clerk) asked(of map[grant]bool) (all []grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for g := range of {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b grant) int { return strings.Compare(a.String(), b.String()) })
	return all
}
