package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/probe"
)

// onProcesses has what a case makes run as processes.
var onProcesses = map[string]string{"nodes": processNode + "=true", "tolerate": "everything"}

func with(params ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, p := range params {
		for k, v := range p {
			all[k] = v
		}
	}
	return all
}

// TestCasesPass runs each case where all is well, with what its document says that it touches.
func TestCasesPass(t *testing.T) {
	s := need(t)
	seen := map[string]bool{}
	t.Run("cases", func(t *testing.T) {
		for _, c := range []struct {
			name, reason string
			params, env  map[string]string
			steps        []string
			observes     []string
		}{
			{
				"pod-life", "a real pod takes a command", with(onProcesses, map[string]string{"image": "sluice.local/fixture:1.0", "exec": "sh,-c,exit 0"}), nil,
				[]string{"create", "schedule", "ready", "exec", "delete", "gone"}, []string{"node"},
			},
			{
				"deployment-life", "real pods change", with(onProcesses, map[string]string{"image": "sluice.local/fixture:1.0", "nextImage": "sluice.local/fixture:1.1"}), nil,
				[]string{"create", "ready", "scale", "update", "delete", "gone"}, nil,
			},
			{"etcd", "the stack's own", map[string]string{"endpoints": s.etcd}, nil, of(s.etcd, "status", "put", "get", "txn", "watch", "delete"), []string{"leader." + s.etcd}},
			{"http", "etcd says of itself that it is well", map[string]string{"url": s.etcd + "/health"}, nil, []string{"ask"}, []string{"asked", "answered", "answer.p99"}},
			{"api-server", "the stack's own", nil, nil, []string{"version", "sweep", "list", "create", "read", "watch", "delete"}, []string{"watch.p99"}},
			{
				"node-life", "the real node", map[string]string{"image": "sluice.local/fixture:1.0"}, map[string]string{"SLUICE_TARGET": "a-process"},
				[]string{"a-process/pod"}, []string{"nodes"},
			},
			{
				"certificates", "those of the stack are valid for ten years", map[string]string{"address": "ExternalIP", "minDays": "3000"}, nil,
				[]string{
					"api-server/certificate", "node/a-node-01/certificate", "node/a-node-02/certificate", "node/a-node-03/certificate",
					"node/a-node-04/certificate", "node/a-process/certificate",
				},
				[]string{"days.least", "days.api-server", "days.node/a-process"},
			},
			{
				"canary", "users are answered while pods come and go", with(onProcesses, map[string]string{
					"image": "sluice.local/probes:1.0", "nextImage": "sluice.local/probes:1.1", "via": "pods", "soak": "1s", "rate": "30",
				}), nil,
				[]string{"create", "ready", "reach", "grow", "update", "shrink", "users", "delete"}, []string{"users.answered", "users.outage", "answer.p99"},
			},
			{
				"inspection", "it says what is there and what is not", map[string]string{"configMaps": "default/kube-root-ca.crt,default/nothing"}, nil,
				[]string{"version", "nodes", "webhooks", "flow-control", "storage", "config-maps"},
				[]string{"version", "nodes.ready", "flowControl", "configMap.default/nothing"},
			},
		} {
			seen[c.name] = true
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				m := s.run(t, given{name: c.name, params: c.params, env: c.env, rights: true})
				if m.Verdict != probe.Passed {
					t.Fatalf("%s: it is %s %s: %s", c.reason, m.Verdict, m.Code, m.Message)
				}
				got, want := steps(m), slices.Clone(c.steps)
				if c.name == "certificates" { // those of nodes come as they are done
					slices.Sort(got)
					slices.Sort(want)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("steps, -want +got:\n%s", diff)
				}
				for _, o := range c.observes {
					if _, ok := m.Observations[o]; !ok {
						t.Errorf("it does not say %s: %v", o, m.Observations)
					}
				}
				if left, ok := m.Observations["left"]; ok {
					t.Errorf("it has left something: %v", left)
				}
			})
		}
	})
	for name := range read(t) {
		if !seen[name] && name != "api-server-resident" {
			t.Errorf("no test runs %s", name)
		}
	}
	nothingLeft(t, s)
}

// of puts a target before names.
func of(target string, names ...string) []string {
	var all []string
	for _, n := range names {
		all = append(all, target+"/"+n)
	}
	return all
}

// nothingLeft waits until nothing is there that a case has made.
func nothingLeft(t *testing.T, s *local) {
	t.Helper()
	eventually(t, 30*time.Second, func() string {
		made := metav1.ListOptions{LabelSelector: "sluice.dev/probe-made"}
		pods, err := s.client.CoreV1().Pods("").List(t.Context(), made)
		if err != nil {
			return err.Error()
		}
		services, err := s.client.CoreV1().Services("").List(t.Context(), made)
		if err != nil {
			return err.Error()
		}
		deployments, err := s.client.AppsV1().Deployments("").List(t.Context(), made)
		if err != nil {
			return err.Error()
		}
		maps, err := s.client.CoreV1().ConfigMaps("").List(t.Context(), made)
		if err != nil {
			return err.Error()
		}
		if n := len(pods.Items) + len(services.Items) + len(deployments.Items) + len(maps.Items); n > 0 {
			return fmt.Sprintf("%d objects of cases are left", n)
		}
		return ""
	})
}

// TestCasesTellFaults runs cases where something is wrong, or where they cannot look.
func TestCasesTellFaults(t *testing.T) {
	s := need(t)
	t.Run("cases", func(t *testing.T) {
		for _, c := range []struct {
			reason  string
			given   given
			verdict probe.Verdict
			code    string
			says    string
			targets map[string]probe.Verdict
		}{
			{
				"no node takes the pod", given{name: "pod-life", rights: true, params: map[string]string{"nodes": "pool=nowhere", "within": "2s"}},
				probe.Failed, "PodNotScheduled", "Unschedulable", nil,
			},
			{
				"the pod does not get ready", given{name: "pod-life", rights: true, params: map[string]string{"image": "x:1-never-ready", "within": "3s"}},
				probe.Failed, "PodNotReady", "is not ready after 3s", nil,
			},
			{
				"a command fails", given{name: "pod-life", rights: true, params: with(onProcesses, map[string]string{
					"image": "sluice.local/fixture:1.0", "exec": "sh,-c,echo no; exit 3",
				})},
				probe.Failed, "CommandFailed", "ended with 3 in the pod: no", nil,
			},
			{
				"the new version does not come up", given{name: "deployment-life", rights: true, params: map[string]string{
					"image": "x:1", "nextImage": "x:2-pull-error", "within": "4s",
				}},
				probe.Failed, "", "of the new template after 4s", nil,
			},
			{
				"a pod is scheduled to a node and cannot run there", given{name: "node-life", rights: true, params: map[string]string{
					"image": "sluice.local/no-such-program:1", "within": "4s",
				}, env: map[string]string{"NODES": "a-process,a-node-01"}},
				probe.Failed, "", "cannot pull image", map[string]probe.Verdict{"a-process": probe.Failed, "a-node-01": probe.Passed},
			},
			{
				"one of two members is away", given{name: "etcd", params: map[string]string{"endpoints": s.etcd + ",http://127.0.0.1:1", "within": "1s"}},
				probe.Failed, "NoAnswer", "1 of 2: http://127.0.0.1:1", map[string]probe.Verdict{s.etcd: probe.Passed, "http://127.0.0.1:1": probe.Failed},
			},
			{
				"certificates expire in eleven years", given{name: "certificates", rights: true, params: map[string]string{"minDays": "3650", "sample": "0"}},
				probe.Failed, "CertificateExpires", "api-server: it expires in 36", map[string]probe.Verdict{"api-server": probe.Failed},
			},
			{
				"an application that is not there", given{name: "canary", rights: true, params: with(onProcesses, map[string]string{
					"image": "sluice.local/no-such-program:1", "via": "pods", "within": "4s",
				})},
				probe.Failed, "", "cannot pull image", nil,
			},
			{
				"an application that is ready, and that nobody reaches", given{name: "canary", rights: true, params: map[string]string{
					"image": "x:1", "via": "pods", "within": "3s",
				}},
				probe.Failed, "NotReached", "nobody answers", nil,
			},
			{"who may not make a pod has seen nothing", given{name: "pod-life"}, probe.Error, "Forbidden", "", nil},
			{"nor has who may not list nodes", given{name: "certificates"}, probe.Error, "Forbidden", "", nil},
			{"nor who may not write", given{name: "api-server"}, probe.Error, "Forbidden", "", nil},
			{"nor who is told nonsense", given{name: "node-life", rights: true, env: map[string]string{"SAMPLE": "many"}}, probe.Error, "BadParameter", `"many"`, nil},
			{"nor who is told of no members", given{name: "etcd", params: map[string]string{"endpoints": ""}}, probe.Error, "NoEndpoints", "", nil},
			{"nor who may not list the nodes to choose from", given{name: "node-life", rights: true}, probe.Error, "Forbidden", "", nil},
			{"a node may be gone", given{name: "node-life", rights: true, env: map[string]string{"SLUICE_TARGET": "gone"}}, probe.Skipped, "", "not there any more", nil},
		} {
			t.Run(c.reason, func(t *testing.T) {
				t.Parallel()
				m := s.run(t, c.given)
				if m.Verdict != c.verdict || c.code != "" && m.Code != c.code || !strings.Contains(m.Message, c.says) {
					t.Errorf("it is %s %s: %s; want %s %s with %q", m.Verdict, m.Code, m.Message, c.verdict, c.code, c.says)
				}
				for target, want := range c.targets {
					got := probe.Verdict("nothing")
					for _, p := range m.Parts { // the last step of a target, which is the one that went wrong
						if p.Target == target {
							got = p.Verdict
						}
					}
					if got != want {
						t.Errorf("of %s it says %s, want %s", target, got, want)
					}
				}
			})
		}
	})
	nothingLeft(t, s)
}
