package rightstest

import (
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

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Clerk stands before the API server and writes down what it is asked. Old, it knows no streamed state, as servers before 1.34.
type Clerk struct {
	old     bool
	forward *httputil.ReverseProxy

	mu      sync.Mutex
	taken   map[Grant]bool
	refused map[Grant]bool
}

// Seat seats a clerk before an API server, and returns a kubeconfig by which the account of a token asks it: its context is "a".
func Seat(t *testing.T, server *rest.Config, token string, old bool) (*Clerk, string) {
	t.Helper()
	to, err := url.Parse(server.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(rest.AnonymousClientConfig(server))
	if err != nil {
		t.Fatal(err)
	}
	c := &Clerk{old: old, taken: map[Grant]bool{}, refused: map[Grant]bool{}}
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
	seat := httptest.NewServer(c)
	t.Cleanup(func() {
		seat.CloseClientConnections()
		seat.Close()
	})
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "a", "cluster": {"server": %q}}],
		"contexts": [{"name": "a", "context": {"cluster": "a"}}]}`, seat.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return c, path
}

// ServeHTTP implements http.Handler.
func (c *Clerk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.old && r.URL.Query().Get("sendInitialEvents") != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422,
			"message": "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"}`)
		return
	}
	c.forward.ServeHTTP(w, r)
}

func (c *Clerk) note(r *http.Response) {
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
func requestOf(r *http.Request) (Grant, bool) {
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var g Grant
	switch {
	case len(part) > 2 && part[0] == "api":
		part = part[2:]
	case len(part) > 3 && part[0] == "apis":
		g.Group, part = part[1], part[3:]
	default:
		return g, false
	}
	if part[0] == "namespaces" && len(part) > 2 {
		g.Namespace, part = part[1], part[2:]
	}
	g.Resource = part[0]
	if len(part) > 1 {
		g.Name = part[1]
	}
	if len(part) > 2 {
		g.Resource += "/" + part[2]
	}
	switch r.Method {
	case http.MethodGet:
		g.Verb = "get"
		if g.Name == "" {
			g.Verb = "list"
		}
		if w := r.URL.Query().Get("watch"); w != "" && w != "false" {
			g.Verb = "watch"
		}
	default:
		g.Verb = map[string]string{
			http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
		}[r.Method]
	}
	return g, true
}

// Taken are the requests that were let pass, each once, sorted.
func (c *Clerk) Taken() []Grant { return c.asked(c.taken) }

// Refused are the requests that were forbidden.
func (c *Clerk) Refused() []Grant { return c.asked(c.refused) }

func (c *Clerk) asked(of map[Grant]bool) (all []Grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for g := range of {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b Grant) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// Settled waits until the API server goes by all grants of an account.
func Settled(t *testing.T, server *rest.Config, token string, grants []Grant) {
	t.Helper()
	mine := rest.AnonymousClientConfig(server)
	mine.BearerToken = token
	client, err := kubernetes.NewForConfig(mine)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range grants {
		if g.Group == "*" || g.URL != "" {
			continue
		}
		resource, sub, _ := strings.Cut(g.Resource, "/")
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: g.Namespace, Group: g.Group, Resource: resource, Subresource: sub, Verb: g.Verb, Name: g.Name,
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
