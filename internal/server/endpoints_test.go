package server_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

var update = flag.Bool("update", false, "write anew what these tests compare with")

// reach is over what a right is needed.
type reach string

const (
	open      reach = "nothing: without a token too"
	known     reach = "nothing: who asks has to be known"
	listed    reach = "each component, else it is left out"
	touched   reach = "all that the plan or run touches"
	frozen    reach = "all that the freeze is about"
	component reach = "the component, in all environments"
	somewhere reach = "the component, in some place; the plan, all that it touches"
	clusters  reach = "the clusters, where the fleet of the installation has them; else everything"
	whole     reach = "everything"
)

// request is what one operation is asked, and what that takes. {run}, {plan} and {freeze} stand for something that is there.
type request struct {
	operation, about string
	method, path     string
	body             string
	right            pipelines.Right
	over             reach
}

func requests() []request {
	const view, plan, operate = pipelines.RightView, pipelines.RightPlan, pipelines.RightOperate
	all := []request{
		{"greet", "", "GET", "", "", "", known},
		{"get-logins", "", "GET", "/logins", "", "", open},
		{"whoami", "", "GET", "/whoami", "", "", known},
		{"can-i", "", "GET", "/can-i/operate", "", "", known},
		{"can-i", "of a run", "GET", "/can-i/operate?run={run}", "", view, touched},
		{"list-audit", "", "GET", "/audit", "", view, whole},
		{"list-audit", "of a run or plan", "GET", "/audit?object={run}", "", view, touched},
		{"list-changes", "", "GET", "/changes/c1?since=2026-11-22T00:00:00Z", "", view, whole},
		{"list-clusters", "", "GET", "/clusters", "", view, listed},
		{"list-workers", "", "GET", "/workers", "", view, whole},
		{"list-agents", "", "GET", "/agents", "", view, whole},
		{"enroll-agent", "", "POST", "/agents", `{"cluster":"a","expires":"2026-11-21T11:00:00Z"}`, pipelines.RightRegister, whole},
		{"revoke-agent", "", "POST", "/agents/{agent}/revoke", `{"reason":"it was stolen"}`, pipelines.RightRegister, whole},
		{"list-probes", "", "GET", "/probes", "", view, whole},
		{"list-probe-outcomes", "", "GET", "/probe-outcomes", "", view, whole},
		{"explain-probe", "", "GET", "/probes/etcd/explanation?cluster=c1", "", view, whole},
		{"compare-probes", "", "GET", "/probes/etcd/comparison", "", view, whole},
		{"list-probe-noise", "", "GET", "/probe-noise", "", view, whole},
		{"label-probe", "", "POST", "/probe-outcomes/etcd-1/label", `{"because":"a test"}`, operate, whole},
		{"list-notices", "", "GET", "/notices", "", view, whole},
		{"list-catalog", "", "GET", "/catalog", "", "", known},
		{"get-schema", "", "GET", "/schemas/Pipeline", "", "", known},
		{"decode-payloads", "", "POST", "/codec/default/decode", `{"payloads":[]}`, view, whole},
		{"lint", "", "POST", "/lint", `{{sent}}`, "", known},
		{"make-plan", "", "POST", "/plans", `{{sent},"component":"agent"}`, plan, touched},
		{"catch-up", "", "POST", "/catch-ups", `{{sent},"component":"agent"}`, plan, somewhere},
		{"list-plans", "", "GET", "/plans", "", view, listed},
		{"get-plan", "", "GET", "/plans/{plan}", "", view, touched},
		{"get-text", "", "GET", "/texts/sha256:" + strings.Repeat("0", 64), "", view, whole},
		{"start-run", "", "POST", "/runs", `{"plan":"{plan}"}`, operate, touched},
		{"list-runs", "", "GET", "/runs", "", view, listed},
		{"settle-run", "", "POST", "/runs/{run}/settle", `{}`, operate, touched},
		{"reconcile", "", "POST", "/reconciliations", `{"component":"agent","cluster":"c1","trust":"ledger"}`, operate, component},
		{"freeze", "of everything", "POST", "/freezes", `{"inFlight":"Finish"}`, operate, whole},
		{"freeze", "of a part", "POST", "/freezes", `{"scope":{"component":"agent","environment":"production"}}`, operate, frozen},
		{"unfreeze", "", "POST", "/freezes/{freeze}/lift", `{"reason":"over"}`, operate, frozen},
		{"list-freezes", "", "GET", "/freezes", "", view, listed},
		{"bypass", "", "POST", "/bypasses", `{"of":"{freeze}","for":"{run}"}`, pipelines.RightApprove, touched},
		{"list-permits", "", "GET", "/permits", "", view, listed},
		{"let-in", "", "POST", "/permits/let-in", `{"run":"{run}","cluster":"c1"}`, operate, touched},
		{"list-documents", "", "GET", "/documents", "", view, whole},
		{"list-sources", "", "GET", "/sources", "", view, whole},
		{"sync-source", "", "POST", "/sources/s/sync", `{}`, operate, whole},
		{"start-drill", "", "PUT", "/drills/d", `{{sent}}`, operate, whole},
		{"stop-drill", "", "POST", "/drills/d/stop", `{}`, operate, whole},
		{"run-drill", "", "POST", "/drills/d/run", `{}`, operate, whole},
		{"list-drills", "", "GET", "/drills", "", view, whole},
		{"list-drilled", "", "GET", "/drill-times", "", view, whole},
		{"run-probes", "", "POST", "/probe-runs", `{"case":"etcd","clusters":["c1"]}`, operate, clusters},
		{"get-health", "", "GET", "/clusters/c1/health", "", view, clusters},
		{"get-probe-run", "", "GET", "/probe-runs/c1/etcd/k", "", view, clusters},
	}
	for _, of := range []string{"", "/blame", "/why", "/report", "/scales", "/soaks", "/page", "/watch"} {
		name := "get-" + strings.TrimPrefix(of, "/")
		name = map[string]string{"get-": "get-run", "get-watch": "watch-run"}[name] + map[bool]string{false: name}[of == "" || of == "/watch"]
		all = append(all, request{name, "", "GET", "/runs/{run}" + of, "", view, touched})
	}
	for _, command := range []string{"pause", "resume", "abort", "rollback", "retreat", "skip", "end-soak", "retry", "approve", "reject"} {
		right := operate
		if command == "approve" || command == "reject" {
			right = pipelines.RightApprove
		}
		all = append(all, request{"tell-run", command, "POST", "/runs/{run}/commands/" + command, `{"plan":"{plan}"}`, right, touched})
	}
	for kind, right := range map[string]pipelines.Right{
		"Binding": pipelines.RightBind, "Policy": pipelines.RightEnforce, "Limit": pipelines.RightRegister,
	} {
		all = append(all,
			request{"apply", "of a " + kind, "POST", "/documents", `{{` + kind + `}}`, right, whole},
			request{"delete-document", "of a " + kind, "DELETE", "/documents/" + kind + "/x?reason=over", "", right, whole})
	}
	slices.SortStableFunc(all, func(a, b request) int { return strings.Compare(a.operation+a.about, b.operation+b.about) })
	return all
}

// names reports whether a request names something that may not be there.
func (r request) names() bool {
	asked := r.path + r.body
	return strings.Contains(asked, "{run}") || strings.Contains(asked, "{plan}") || strings.Contains(asked, "{freeze}")
}

// callers are all sorts of people, by name: what they are given, and where.
func (b *bench) callers() map[string]func(request) bool {
	all := pipelines.BindingRoles()
	in := func(r request, places ...reach) bool {
		return slices.Contains(append(places, known, listed), r.over) || r.over == open
	}
	callers := map[string]func(request) bool{"nobody": func(r request) bool { return in(r) }}
	for _, role := range all {
		b.bind(string(role), everything, role)
		callers[string(role)] = func(r request) bool { return in(r) || slices.Contains(role.Rights(), r.right) }
	}
	b.bind("elsewhere", pipelines.BindingScope{Components: []string{"other"}}, all...)
	callers["elsewhere"] = func(r request) bool { return in(r) }
	b.bind("staging", pipelines.BindingScope{Environments: []string{"staging"}}, all...)
	callers["staging"] = func(r request) bool { return in(r, somewhere) }
	b.bind("agent", pipelines.BindingScope{Components: []string{"agent"}}, all...)
	callers["agent"] = func(r request) bool { return in(r, somewhere, touched, frozen, component) }
	b.bind("production", pipelines.BindingScope{Components: []string{"agent"}, Environments: []string{"production"}}, all...)
	b.bind("within", pipelines.BindingScope{Namespaces: []string{"agent*"}}, all...)
	callers["within"] = func(r request) bool { return in(r, somewhere, touched) }
	b.bind("without", pipelines.BindingScope{Namespaces: []string{"kube-*"}}, all...)
	callers["without"] = func(r request) bool { return in(r, somewhere) }
	callers["production"] = func(r request) bool { return in(r, somewhere, touched, frozen) }
	return callers
}

// seed has there be a plan, a run, a freeze, a deployment and a permit; what they are called is what it returns.
func (b *bench) seed() (there, missing *strings.Replacer) {
	b.t.Helper()
	hash, ctx := b.plan(), b.t.Context()
	stored, err := b.ledger.Plan(ctx, hash)
	if err != nil {
		b.t.Fatal(err)
	}
	run, err := b.ledger.NewRun(ctx, ledger.Run{
		Plan: hash, Live: stored.Live, Subject: api.Component("agent"), Version: "1.0.0", Phase: string(api.PhaseMoving), Started: noon, By: "corp::someone",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.temporal.open[run.Name] = true
	freeze, err := b.ledger.AddFreeze(ctx, api.Freeze{
		Scope: api.FreezeScope{Component: api.Component("agent"), Environment: "production"}, By: "corp::someone", Since: noon,
		Origin: api.FreezePerson, InFlight: api.Finish, Reason: "agent",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	objects, err := b.ledger.PutBlob(ctx, []byte("[]"))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.ledger.SaveDeployment(ctx, ledger.Deployment{
		Cluster: "c1", Subject: api.Component("agent"), Version: "0.9.0", Run: run.Name, Objects: objects, Target: objects, Since: noon,
	}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.ledger.Enter(ctx, permit.Permit{
		Run: run.Name, Subject: api.Component("agent"), Cluster: "c1", Asked: noon, Seen: noon,
		Holder: permit.Holder{Workflow: run.Name + "/c1", Execution: "1", At: noon},
	}, nil, noon); err != nil {
		b.t.Fatal(err)
	}
	const head = "apiVersion: sluice.dev/v1alpha1\nkind: "
	var documents []string
	for kind, spec := range map[string]string{
		"Binding": "{subjects: 'subject == \"corp:x\"', roles: [viewer], scope: {all: true}}",
		"Policy":  "{environments: [production], onFailure: [Pause]}",
		"Limit":   "{domain: rack, clusters: 1}",
	} {
		other := newFiles(b.t, head+kind+"\nmetadata: {name: x}\nspec: "+spec+"\n")
		documents = append(documents, "{"+kind+"}", other)
	}
	common := append(documents, "{sent}", b.sent())
	return strings.NewReplacer(append(common, "{run}", run.Name, "{plan}", hash, "{freeze}", freeze.Name)...),
		strings.NewReplacer(append(common, "{run}", "agent-99", "{plan}", strings.Repeat("f", 64), "{freeze}", "freeze-99")...)
}

func TestEveryRequestOfEveryCaller(t *testing.T) {
	b := newBench(t)
	callers := b.callers()
	there, missing := b.seed()
	h := b.handler()
	var described struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(b.ask(h, "GET", "/openapi.json", "", b.token("nobody")).Body.Bytes(), &described); err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, r := range requests() {
		asked[r.operation] = true
	}
	for path, methods := range described.Paths {
		for method, of := range methods {
			if !asked[of.OperationID] {
				t.Errorf("nobody says who may ask for %s (%s %s): add it to the requests", of.OperationID, method, path)
			}
		}
	}
	refusals, denials := map[string]int{}, map[string]int{}
	for _, r := range requests() {
		if w := b.ask(h, r.method, there.Replace(r.path), there.Replace(r.body), ""); w.Code == http.StatusUnauthorized {
			refusals[w.Body.String()]++
		} else if r.over != open {
			t.Errorf("%s %s without a token: %d %s", r.operation, r.about, w.Code, w.Body)
		}
		for _, name := range slices.Sorted(maps.Keys(callers)) {
			may := callers[name](r)
			for _, named := range []*strings.Replacer{there, missing} {
				w := b.ask(h, r.method, named.Replace(r.path), named.Replace(r.body), b.token(name))
				denied := w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), access.Denied)
				wanted := may
				if named == missing && r.names() {
					wanted = may && everywhere(name)
				}
				if denied == wanted || w.Code == http.StatusUnauthorized || w.Code == http.StatusUnprocessableEntity {
					t.Errorf("%s %s by %s: %d, want it to be allowed: %v: %.300s", r.operation, r.about, name, w.Code, wanted, w.Body)
				}
				if denied {
					denials[w.Body.String()]++
				}
				if sees := strings.Contains(w.Body.String(), "agent"); r.over == listed && sees != (everywhere(name) || slices.Contains([]string{
					"agent", "production", "staging", "within", "without"}, name)) {
					t.Errorf("%s lists %s for %s", r.operation, w.Body, name)
				}
			}
		}
	}
	if len(refusals) != 1 || len(denials) != 1 {
		t.Errorf("who is refused can tell what is there by what he hears: %v %v", refusals, denials)
	}
}

// everywhere reports whether a caller's role is for everything.
func everywhere(name string) bool {
	return slices.Contains(pipelines.BindingRoles(), pipelines.BindingRole(name))
}

// TestAccessPage keeps the table of requests in docs/access.md.
func TestAccessPage(t *testing.T) {
	const file, begin, end = "../../docs/access.md", "-run AccessPage -update -->\n", "<!-- end of the table -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	was, after, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatal("the page has no place for the table")
	}
	table := "| operation | | request | right | over |\n|---|---|---|---|---|\n"
	for _, r := range requests() {
		path, _, _ := strings.Cut(r.path, "?")
		path = strings.NewReplacer(
			"/clusters/c1/health", "/clusters/{cluster}/health", "/probe-runs/c1/etcd/k", "/probe-runs/{cluster}/{subject}/{cause}",
			"sha256:"+strings.Repeat("0", 64), "{digest}", "/c1", "/{name}", "/drills/d", "/drills/{drill}", "/sources/s", "/sources/{source}", "/x", "/{name}",
			"/probes/etcd/", "/probes/{case}/", "/probe-outcomes/etcd-1/", "/probe-outcomes/{run}/",
			"can-i/operate", "can-i/{right}",
		).Replace(path)
		right := ""
		if r.right != "" {
			right = "`" + string(r.right) + "`"
		}
		table += fmt.Sprintf("| `%s` | %s | %s %s%s | %s | %s |\n", r.operation, r.about, r.method, wire.Prefix, path, right, r.over)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table, was); diff != "" {
		t.Errorf("docs/access.md is behind (go test ./internal/server -run AccessPage -update writes it): -want +got\n%s", diff)
	}
}
