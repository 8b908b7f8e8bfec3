package main

import (
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/forge/forgetest"
	"sluice.dev/sluice/internal/git/gittest"
	"sluice.dev/sluice/internal/hook"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
	"sluice.dev/sluice/internal/wire"
)

const followed = `apiVersion: sluice.dev/v1alpha1
kind: Source
metadata: {name: infra}
spec:
  url: %q
  branch: main
  interval: 1h
  forge: {kind: github, api: %q, repository: team/infra, token: {env: SLUICE_SECRET_FORGE}, webhookSecret: {env: SLUICE_SECRET_HOOK}}
---
apiVersion: sluice.dev/v1alpha1
kind: Trigger
metadata: {name: merged}
spec: {source: infra, components: {all: true}, run: true}
`

const keepsAll = `apiVersion: sluice.dev/v1alpha1
kind: Binding
metadata: {name: owner}
spec:
  subjects: 'subject == "people:ann@example.org"'
  rights: [register, bind]
  scope: {all: true}
`

// TestADayInTheLife goes from a request at a forge, which is simulated, to the audit: its plan is shown where it is reviewed, its merge is
// rolled out once a second person has approved, and all work near the cluster is an agent's. Git, PostgreSQL, Temporal, the API server and
// all programs are real.
func TestADayInTheLife(t *testing.T) {
	in := prepare(t, postgrestest.Start(t).Database(t), farFleet)
	in.write("bindings.yaml", everybody+"---\n"+keepsAll)
	in.write("nobody.kubeconfig", nobodysKubeconfig)
	hub := forgetest.New(t, forge.GitHub, time.Now)
	requests := hub.Repository("team/infra")
	for _, login := range []string{"sluice", "ann", "bob"} {
		requests.Member(login, forgetest.Writer)
	}
	t.Setenv("SLUICE_SECRET_FORGE", hub.Token("sluice"))
	const secret = "a secret of the webhook"
	t.Setenv("SLUICE_SECRET_HOOK", secret)
	repository := gittest.Start(t).Repository("infra.git")
	name := in.of("day")
	in.declare(name)
	if err := os.CopyFS(repository.Folder(), os.DirFS(filepath.Join(in.dir, "documents"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(repository.Folder(), "fleet.yaml")); err != nil { // it is the installation's
		t.Fatal(err)
	}
	repository.Save("what there is")

	in.start("serving task queue", "worker", "--kubeconfig", filepath.Join(in.dir, "nobody.kubeconfig"), "--address", in.temporal)
	keys := filepath.Join(in.dir, "agents")
	if code := (operator{t, in.dir}).types(t.Context(), &page{}, "cluster", "keys", keys); code != 0 {
		t.Fatal("there are no keys")
	}
	server, agents := in.serveAgents(keys)
	ann, bob := in.as("ann", server.at), in.as("bob", server.at)
	in.write("kept/fleet.yaml", farFleet)
	in.write("kept/source.yaml", fmt.Sprintf(followed, repository.URL, hub.API()))
	if _, err := ann.Apply(t.Context(), engine.ApplyRequest{Files: engine.Files{Paths: []string{filepath.Join(in.dir, "kept")}}}); err != nil {
		t.Fatal(err)
	}
	invited, err := ann.InviteAgent(t.Context(), "a", "", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	in.write("token", invited.Invitation)
	in.start("the server knows that this agent is there", "agent", "-v", "--server", agents, "--state", filepath.Join(in.dir, "agent"),
		"--token-file", filepath.Join(in.dir, "token"), "--kubeconfig", stack(t).Kubeconfig)

	// What the forge sends comes to the server's own address, whose certificate the simulation does not know.
	to, err := url.Parse("https://" + server.at)
	if err != nil {
		t.Fatal(err)
	}
	way := httputil.NewSingleHostReverseProxy(to)
	way.Transport = in.client().Transport
	web := httptest.NewServer(way)
	defer web.Close()
	tells := func(e hook.Event) {
		if status := requests.Deliver(t.Context(), web.URL+wire.Prefix+"/hooks/infra", secret, e); status != 202 {
			t.Fatalf("a delivery is answered with %d", status)
		}
	}
	source := func() (state api.SourceState) {
		all, err := ann.Sources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 1 {
			state = all[0].State
		}
		return state
	}
	until(t, "the repository is followed", func() bool { return source().Known != "" })

	// A change is proposed, and its plan is shown.
	repository.Git("checkout", "--quiet", "-b", "change")
	document := strings.Replace(fmt.Sprintf(component, name), "1.0.0", "1.1.0", 1)
	head := repository.Commit("version 1.1.0", map[string]string{name + ".yaml": document})
	number := requests.Propose(forgetest.Proposal{By: "ann", From: "change", Into: "main", Head: head, Title: "version 1.1.0"})
	tells(hook.Event{Kind: hook.Request, Ref: "main", Request: number})
	until(t, "its plan is shown", func() bool {
		c := requests.Comments(number)
		return len(c) == 1 && strings.Contains(c[0].Text, "This plan can run.") && strings.Contains(c[0].Text, "ConfigMap")
	})
	until(t, "its status passes", func() bool {
		s := requests.Statuses(head)
		return len(s) == 1 && s[0].Standing == forge.Passed
	})

	// It is merged, and rolled out once a second person has approved.
	repository.Git("checkout", "--quiet", "main")
	repository.Git("merge", "--quiet", "--no-ff", "-m", "merge version 1.1.0", "change")
	repository.Git("push", "--quiet", "origin", "main")
	merged := strings.TrimSpace(repository.Git("rev-parse", "HEAD"))
	requests.Merge(number, forgetest.Merging{By: "bob", Commit: merged})
	tells(hook.Event{Kind: hook.Push, Ref: "main", After: merged})
	var run string
	until(t, "a run of it is there", func() bool {
		if runs := source().Runs; len(runs) == 1 {
			run = runs[0].Run
		}
		return run != ""
	})
	in.until(run, server, api.PhaseWaiting)
	view, err := bob.Status(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if view.Origin.Commit != merged || view.Version != "1.1.0" {
		t.Errorf("it is of %+v, version %s", view.Origin, view.Version)
	}
	if _, err := bob.Command(t.Context(), run, api.UpdateApprove, api.Command{Plan: view.Plan, Reason: "read it"}); err != nil {
		t.Fatal(err)
	}
	in.until(run, server, api.PhaseSucceeded)

	d, err := in.ledger.Deployment(t.Context(), "a", api.Component(name))
	if err != nil || d.Version != "1.1.0" || d.Run != run {
		t.Errorf("the ledger knows %+v (%v)", d, err)
	}
	all, err := ann.Agents(t.Context())
	if err != nil || len(all) != 1 || all[0].State != engine.AgentThere {
		t.Errorf("its work was that of %+v (%v)", all, err)
	}
	entries, err := ann.Audit(t.Context(), run, 50)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, e := range slices.Backward(entries) {
		said = append(said, e.Command+" by "+e.Who)
	}
	if want := []string{"run by source:infra [ci]", "approve by people:bob@example.org"}; !slices.Equal(said, want) {
		t.Errorf("the audit says %q, want %q", said, want)
	}
}
