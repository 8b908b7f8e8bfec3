package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"sluice.dev/sluice/probe"
	"sluice.dev/sluice/probe/probetest"
	"sluice.dev/sluice/probes/internal/trial"
)

// asked runs the case with these variables.
func asked(t *testing.T, env map[string]string) *probe.More {
	t.Helper()
	r := probetest.Run(t, trial.Case(Run).Check(func(name string) string { return env[name] }))
	if r.More == nil {
		t.Fatal("it does not say what it found")
	}
	return r.More
}

func TestRun(t *testing.T) {
	var turn, open atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		if turn.Add(1)%2 == 0 {
			http.Error(w, "no", http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/well", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/nowhere", http.StatusFound) })
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) {
		if open.Add(1) > maxOpen {
			t.Error("too many requests are open")
		}
		defer open.Add(-1)
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	gone := httptest.NewServer(mux)
	gone.Close()

	for _, c := range []struct {
		reason  string
		env     map[string]string
		verdict probe.Verdict
		code    string
		says    string
	}{
		{"all are answered", map[string]string{"URL": server.URL + "/well"}, probe.Passed, "", ""},
		{"a redirect is an answer, and not followed", map[string]string{"URL": server.URL + "/moved"}, probe.Passed, "", ""},
		{"half are not", map[string]string{"URL": server.URL + "/half"}, probe.Failed, "NotAnswered", "10 of 20 requests were answered, and 99% have to be: the last was told 500"},
		{"half are enough", map[string]string{"URL": server.URL + "/half", "AT_LEAST": "50%"}, probe.Passed, "", ""},
		{"who waits in vain is not answered", map[string]string{"URL": server.URL + "/hangs", "WITHIN": "50ms"}, probe.Failed, "NotAnswered", "0 of 20"},
		{"nobody is there", map[string]string{"URL": gone.URL}, probe.Failed, "NotAnswered", "connection refused"},
		{"no URL", nil, probe.Error, "BadParameter", `URL is ""`},
		{"a URL without a host", map[string]string{"URL": "http:///x"}, probe.Error, "BadParameter", "want one such as"},
		{"another scheme", map[string]string{"URL": "file://host/etc"}, probe.Error, "BadParameter", "want one such as"},
		{"more than may be asked", map[string]string{"URL": server.URL, "TIMES": "1001"}, probe.Error, "BadParameter", "TIMES"},
		{"pods, and no cluster", map[string]string{"URL": server.URL, "PODS": "app=web"}, probe.Error, "NoCredentials", ""},
	} {
		env := map[string]string{"TIMES": "20", "EVERY": "1ms"}
		for k, v := range c.env {
			env[k] = v
		}
		got := asked(t, env)
		if got.Verdict != c.verdict || got.Code != c.code || !strings.Contains(got.Message, c.says) {
			t.Errorf("%s: %s %s: %s", c.reason, got.Verdict, got.Code, got.Message)
		}
		if answered, there := got.Observations["answered"]; there != (c.code == "" || c.code == "NotAnswered") {
			t.Errorf("%s: the share that was answered is %v", c.reason, answered)
		}
	}
}

// TestAskAPod: who is asked changes, and what is asked for does not.
func TestAskAPod(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Host, "web.shop:") || r.URL.Path != "/x" {
			http.Error(w, "no", http.StatusNotFound)
		}
	}))
	defer server.Close()
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	shop, err := url.Parse("http://web.shop:" + at.Port() + "/x")
	if err != nil {
		t.Fatal(err)
	}
	c := caller{url: shop}
	if problem := c.get(t.Context(), server.Client(), at.Hostname()); problem != "" {
		t.Error(problem)
	}
	for text, want := range map[string]string{"http://a/": "80", "https://a/": "443", "https://a:8443/": "8443"} {
		if u, err := url.Parse(text); err != nil || port(u) != want {
			t.Errorf("the port of %s is %s", text, port(u))
		}
	}
}

func TestAddresses(t *testing.T) {
	pod := func(address string, ready corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{Status: corev1.PodStatus{PodIP: address, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}}}
	}
	for _, c := range []struct {
		reason  string
		pods    []*corev1.Pod
		want    []string
		verdict probe.Verdict
		code    string
	}{
		{"ready ones are asked", []*corev1.Pod{pod("10.0.0.1", "True"), pod("10.0.0.2", "False"), pod("10.0.0.3", "True")}, []string{"10.0.0.1", "10.0.0.3"}, probe.Passed, ""},
		{"one without an address cannot be", []*corev1.Pod{pod("", "True")}, nil, probe.Failed, "NoPodReady"},
		{"users reach nobody where none is ready", []*corev1.Pod{pod("10.0.0.1", "False")}, nil, probe.Failed, "NoPodReady"},
		{"what is not there has no users", nil, nil, probe.Skipped, "NoPods"},
	} {
		got, err := addresses(c.pods, "shop")
		if v, code := trial.Judge(err); v != c.verdict || code != c.code {
			t.Errorf("%s: %s %s: %v", c.reason, v, code, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.reason, diff)
		}
	}
}
