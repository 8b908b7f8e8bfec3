package kube_test

import (
	"net/http"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
)

func TestPostToService(t *testing.T) {
	for _, c := range []struct {
		reason string
		to     kube.ServicePort
		status int // of the service; 0 for one without endpoints
		want   fault.Code
		says   string
	}{
		{"by TLS, with a path", kube.ServicePort{Namespace: "default", Name: "a", Port: "443", Path: "/b", TLS: true}, 200, "", "https:a:443 /b {}"},
		{"without", kube.ServicePort{Namespace: "default", Name: "a", Port: "http"}, 200, "", "a:http / {}"},
		{"nobody is there", kube.ServicePort{Namespace: "default", Name: "a", Port: "80"}, 0, fault.Refused, "cannot ask Service default/a in cluster a"},
		{"it does not know that path", kube.ServicePort{Namespace: "default", Name: "a", Port: "80"}, http.StatusNotFound, fault.Refused, ""},
		{"we may not ask", kube.ServicePort{Namespace: "default", Name: "a", Port: "80"}, http.StatusForbidden, fault.Unauthorized, ""},
		{"whose fault it is nobody knows", kube.ServicePort{Namespace: "default", Name: "a", Port: "80"}, http.StatusBadGateway, fault.Unreachable, ""},
		{"no path", kube.ServicePort{Namespace: "default", Name: "a", Port: "80", Path: "%zz"}, 200, fault.Invalid, ""},
	} {
		t.Run(c.reason, func(t *testing.T) {
			server := kubetest.New(t)
			if c.status != 0 {
				server.Service = func(name, path string, body []byte) (int, string) {
					return c.status, strings.Join([]string{name, path, string(body)}, " ")
				}
			}
			got, err := server.Cluster().PostToService(t.Context(), c.to, []byte("{}"))
			if c.want == "" {
				if err != nil || string(got) != c.says {
					t.Errorf("%v: %q, want %q", err, got, c.says)
				}
				return
			}
			code(t, err, c.want, c.says)
		})
	}
}
