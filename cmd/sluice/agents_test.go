package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
	"sluice.dev/sluice/internal/remote"
)

const farFleet = `apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: prod}
spec: {environment: production}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: a}
spec: {group: prod, site: far}
`

const ownsTheFleet = `apiVersion: sluice.dev/v1alpha1
kind: Binding
metadata: {name: owner}
spec:
  subjects: 'subject == "people:ann@example.org"'
  rights: [register]
  scope: {all: true}
`

// nobodysKubeconfig has no cluster of the fleet.
const nobodysKubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: none, context: {cluster: none}}]
`

// link is what an agent dials the server through. It can be cut.
type link struct {
	address string
	mu      sync.Mutex
	to      string // "" while it is cut
	open    map[net.Conn]bool
}

func newLink(t *testing.T) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	l := &link{address: listener.Addr().String(), open: map[net.Conn]bool{}}
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go l.pass(from)
		}
	}()
	return l
}

// set has the link lead somewhere, and cuts what goes elsewhere.
func (l *link) set(to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = to
	for c := range l.open {
		_ = c.Close()
	}
	clear(l.open)
}

func (l *link) pass(from net.Conn) {
	defer from.Close()
	l.mu.Lock()
	to := l.to
	l.open[from] = true
	l.mu.Unlock()
	if to == "" {
		return
	}
	at, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer at.Close()
	go func() {
		_, _ = io.Copy(at, from)
		_ = at.Close()
	}()
	_, _ = io.Copy(from, at)
}

// TestAnAgentThroughItsLife has all work near a cluster be done by an agent that dials in: the worker has no credentials of it. The agent,
// the link and the server are cut off in the middle, a copy of the agent is refused, and it is turned out at the end. Payloads
// are encrypted at Temporal, by keys that the agent has not.
func TestAnAgentThroughItsLife(t *testing.T) {
	sealed(t)
	in := prepare(t, postgrestest.Start(t).Database(t), farFleet)
	in.write("bindings.yaml", everybody+"---\n"+ownsTheFleet)
	in.write("whole/fleet.yaml", farFleet)
	in.write("nobody.kubeconfig", nobodysKubeconfig)
	in.start("serving task queue", "worker", "--kubeconfig", filepath.Join(in.dir, "nobody.kubeconfig"), "--address", in.temporal)
	keys := filepath.Join(in.dir, "agents")
	if code := (operator{t, in.dir}).types(t.Context(), &page{}, "cluster", "keys", keys); code != 0 {
		t.Fatal("there are no keys")
	}
	first, agents := in.serveAgents(keys)
	l := newLink(t)
	l.set(agents)
	ann := in.as("ann", first.at)
	if _, err := ann.Apply(t.Context(), engine.ApplyRequest{Files: engine.Files{Paths: []string{filepath.Join(in.dir, "whole")}}}); err != nil {
		t.Fatal(err)
	}
	invited, err := ann.InviteAgent(t.Context(), "a", "", time.Now().Add(time.Hour))
	if err != nil || invited.Site != "far" {
		t.Fatalf("%+v (%v)", invited, err)
	}
	in.write("token", invited.Invitation)
	state := filepath.Join(in.dir, "agent")
	agent := func() func() {
		_, kill := in.start("the server knows that this agent is there", "agent", "-v", "--server", l.address, "--state", state,
			"--token-file", filepath.Join(in.dir, "token"), "--kubeconfig", stack(t).Kubeconfig)
		return kill
	}
	kill := agent()

	// It is killed before it has anything to do, and comes back.
	run := in.approved(ann, first, "killed")
	kill()
	in.waits(first, run)
	kill = agent()
	in.until(run, first, api.PhaseSucceeded)
	if d, err := in.ledger.Deployment(t.Context(), "a", api.Component(in.of("killed"))); err != nil || d.Run != run {
		t.Errorf("the ledger knows %+v (%v)", d, err)
	}

	// The link is cut.
	run = in.approved(ann, first, "cut")
	l.set("")
	in.waits(first, run)
	l.set(agents)
	in.until(run, first, api.PhaseSucceeded)

	// The server is killed, and another one is there.
	second, agents := in.serveAgents(keys)
	run = in.approved(in.as("ann", second.at), second, "moved")
	first.kill()
	l.set(agents)
	in.until(run, second, api.PhaseSucceeded)
	ann = in.as("ann", second.at)

	all, err := ann.Agents(t.Context())
	if err != nil || len(all) != 1 || all[0].State != engine.AgentThere || len(all[0].Clusters) != 1 || all[0].Clusters[0].Nodes == 0 ||
		all[0].Clusters[0].UID == "" {
		t.Errorf("what is known of it: %+v (%v)", all, err)
	}

	copied := filepath.Join(in.dir, "copy")
	if err := os.CopyFS(copied, os.DirFS(state)); err != nil {
		t.Fatal(err)
	}
	said, end := in.start("this agent waits", "agent", "--server", l.address, "--state", copied, "--kubeconfig", stack(t).Kubeconfig)
	if host, _ := os.Hostname(); !strings.Contains(said, "is there already: a process on "+host) {
		t.Errorf("a copy of it is told: %s", said)
	}
	end()

	if _, err := ann.RevokeAgent(t.Context(), "a", "", "it was stolen"); err != nil {
		t.Fatal(err)
	}
	kill()
	if said := in.fails("agent", "--server", l.address, "--state", state, "--kubeconfig", stack(t).Kubeconfig); !strings.Contains(said,
		"agent a was revoked by people:ann@example.org") {
		t.Errorf("once it is revoked it ends with: %s", said)
	}
	entries, err := ann.Audit(t.Context(), "agent a", 10)
	if err != nil || len(entries) != 3 {
		t.Errorf("the audit of it: %+v (%v)", entries, err)
	}
}

// serveAgents starts a server that lets agents in, and returns where.
func (in *installation) serveAgents(keys string) (process, string) {
	in.t.Helper()
	heard, kill := in.starts([]string{"agents are let in at ", "serving https://"},
		in.server("--agents", "127.0.0.1:0", "--agents-dir", keys)...)
	at, _, _ := strings.Cut(heard[1], " ")
	return process{at, kill}, heard[0]
}

// approved starts a run of a component that nobody has declared before, and has it approved.
func (in *installation) approved(by *remote.Engine, at process, name string) (run string) {
	in.t.Helper()
	hash := in.plan(by, in.of(name))
	r, err := by.Run(in.t.Context(), engine.RunRequest{Plan: hash})
	if err != nil {
		in.t.Fatal(err)
	}
	in.until(r.Name, at, api.PhaseWaiting)
	if _, err := in.as("bob", at.at).Command(in.t.Context(), r.Name, api.UpdateApprove, api.Command{Plan: hash, Reason: "read it"}); err != nil {
		in.t.Fatal(err)
	}
	return r.Name
}

// fails runs the program to its end, which is not a good one, and returns what it says.
func (in *installation) fails(args ...string) string {
	in.t.Helper()
	self, err := os.Executable()
	if err != nil {
		in.t.Fatal(err)
	}
	cmd := exec.CommandContext(in.t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asSluice+"=1")
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		in.t.Fatal(err)
	}
	defer lifeline.Close()
	said, err := cmd.CombinedOutput()
	if err == nil {
		in.t.Errorf("%v ends well", args)
	}
	return string(said)
}

// waits has nothing come of a run for a while: nobody does the work of its site. That its unit is Unreachable after two minutes is for
// the workflows' own tests.
func (in *installation) waits(at process, run string) {
	in.t.Helper()
	time.Sleep(5 * time.Second)
	if view, err := in.as("bob", at.at).Status(in.t.Context(), run); err != nil || view.Phase != api.PhaseMoving {
		in.t.Fatalf("%s is %s while nobody does its work (%v)", run, view.Phase, err)
	}
}
