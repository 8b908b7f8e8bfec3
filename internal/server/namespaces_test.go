package server_test

import (
	"net/http"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/pipelines"
)

// TestScopesOfNamespaces follows somebody who has rights in some namespaces through plans that touch them, and plans that do not.
func TestScopesOfNamespaces(t *testing.T) {
	b := newBench(t)
	all := pipelines.BindingRoles()
	b.bind("ann", pipelines.BindingScope{Components: []string{"agent"}, Namespaces: []string{"agent*"}}, all...)
	b.bind("system", pipelines.BindingScope{Namespaces: []string{"sluice-system"}}, all...)
	b.bind("chief", everything, all...)
	h := b.handler()
	plans := func(who string) int {
		return b.ask(h, "POST", "/plans", "{"+b.sent()+`,"component":"agent"}`, b.token(who)).Code
	}
	ask := func(who, method, path, body string) int { return b.ask(h, method, path, body, b.token(who)).Code }

	if code := plans("ann"); code != http.StatusOK {
		t.Fatalf("she plans within her namespace: %d", code)
	}
	hash := b.plan()
	if code := ask("ann", "POST", "/runs", `{"plan":"`+hash+`"}`); code != http.StatusOK {
		t.Fatalf("she starts it: %d", code)
	}
	for reason, sees := range map[string][]string{
		"a namespace of others":        {"ConfigMap/agent/a", "ConfigMap/kube-system/a"},
		"something in no namespace":    {"ConfigMap/agent/a", "ClusterRole/a"},
		"a name that begins like hers": {"ConfigMap/my-agent/a"},
		"nothing":                      nil,
	} {
		b.temporal.sees = sees
		w := b.ask(h, "POST", "/plans", "{"+b.sent()+`,"component":"agent"}`, b.token("ann"))
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), access.Denied) || strings.Contains(w.Body.String(), "kube-system") {
			t.Errorf("of %s she hears %d %s", reason, w.Code, w.Body)
		}
		for _, of := range []struct{ method, path, body string }{
			{"GET", "/plans/" + hash, ""}, {"POST", "/runs", `{"plan":"` + hash + `"}`}, {"GET", "/audit?object=" + hash, ""},
			{"POST", "/bypasses", `{"of":"freeze-1","for":"` + hash + `","reason":"x"}`}, {"POST", "/bypasses", `{"of":"freeze-1","for":"agent-1","reason":"x"}`},
		} {
			w := b.ask(h, of.method, of.path, of.body, b.token("ann"))
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), access.Denied) {
				t.Errorf("of %s: %s %s is %d %s", reason, of.method, of.path, w.Code, w.Body)
			}
		}
		for _, of := range []struct{ method, path, body string }{
			{"GET", "/runs/agent-1", ""}, {"GET", "/audit?object=agent-1", ""},
		} {
			if code := ask("ann", of.method, of.path, of.body); code != http.StatusOK {
				t.Errorf("her run is hers still, after a look that found %s: %s %s is %d", reason, of.method, of.path, code)
			}
		}
		if code := plans("chief"); code != http.StatusOK {
			t.Errorf("of %s: who has everything hears %d", reason, code)
		}
	}

	b.temporal.sees = []string{"ConfigMap/agent/a"}
	if code := plans("ann"); code != http.StatusOK {
		t.Errorf("once it is within her namespace again: %d", code)
	}
	if code := ask("ann", "GET", "/plans/"+hash, ""); code != http.StatusOK {
		t.Errorf("she reads it again: %d", code)
	}
	w := b.ask(h, "POST", "/bypasses", `{"of":"freeze-1","for":"agent-1","reason":"x"}`, b.token("ann"))
	if w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), access.Denied) {
		t.Errorf("she may let it pass again: %s", w.Body)
	}
}

// TestChecksTouchTheNamespacesOfTheirPods: a check that makes a pod somewhere takes the right there.
func TestChecksTouchTheNamespacesOfTheirPods(t *testing.T) {
	job := func(where string) string {
		return "{name: x, taskSpec: {steps: [{name: run, job: {image: busybox" + where + "}}]}}"
	}
	for name, c := range map[string]struct {
		pipeline string
		scope    []string
		want     int
	}{
		"in one of hers":              {"checks: [" + job(", namespace: agent") + "]", []string{"agent"}, http.StatusOK},
		"in one of others":            {"checks: [" + job(", namespace: kube-system") + "]", []string{"agent"}, http.StatusForbidden},
		"in Sluice's own":             {"checks: [" + job("") + "]", []string{"agent"}, http.StatusForbidden},
		"in Sluice's own, given that": {"checks: [" + job("") + "]", []string{"agent", "sluice-system"}, http.StatusOK},
		"in one that is known later":  {"checks: [" + job(", namespace: $(workload.namespace)") + "]", []string{"*"}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write("all.yaml", strings.Replace(documents, "stages: [{name: all, clusterGroups: {all: true}}]",
				"stages: [{name: all, clusterGroups: {all: true}, "+c.pipeline+"}]", 1))
			b.bind("ann", pipelines.BindingScope{Namespaces: c.scope}, pipelines.BindingRoles()...)
			b.bind("chief", everything, pipelines.BindingRoles()...)
			h := b.handler()
			body := "{" + b.sent() + `,"component":"agent"}`
			if w := b.ask(h, "POST", "/plans", body, b.token("chief")); w.Code != http.StatusOK {
				t.Fatalf("there is no such plan: %s", w.Body)
			}
			if w := b.ask(h, "POST", "/plans", body, b.token("ann")); w.Code != c.want {
				t.Errorf("she hears %d %s", w.Code, w.Body)
			}
		})
	}
}
