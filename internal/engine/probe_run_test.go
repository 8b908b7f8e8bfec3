package engine_test

import (
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

func TestProbesAreRunOnceForAClusterAndACause(t *testing.T) {
	b := newBench(t)
	b.plan()
	req := engine.ProbeRequest{ProbeSubject: api.ProbeSubject{Case: "etcd"}, Clusters: []string{"c1", "c1"}, Key: "restore", By: "ann", Reason: "restored"}
	begun, err := b.RunProbes(t.Context(), req)
	if err != nil || len(begun) != 1 || begun[0].ID != "c1/etcd/restore" {
		t.Fatalf("%+v, %v", begun, err)
	}
	last := len(b.temporal.started) - 1
	o, in := b.temporal.started[last], b.temporal.inputs[last].(api.ProbeInput)
	if o.ID != "probe/c1/etcd/restore" || o.WorkflowIDReusePolicy != enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE ||
		o.WorkflowIDConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL || !o.WorkflowExecutionErrorWhenAlreadyStarted || in.Context != "c1" || in.By == "" {
		t.Errorf("%+v of %+v", o, in)
	}
	entries, err := b.Audit(t.Context(), "probe etcd", 1)
	if err != nil || len(entries) != 1 || entries[0].Command != "probe run" || !strings.Contains(entries[0].Scope, "c1, key restore") {
		t.Errorf("the audit has %+v, %v", entries, err)
	}
	b.temporal.ran(t, in)
	if again, err := b.RunProbes(t.Context(), req); err != nil || again[0].ID != begun[0].ID {
		t.Errorf("asked for again it is %+v, %v", again, err)
	}
	b.temporal.answers = map[string]any{"probe/c1/etcd/restore": api.Probed{ID: "c1/etcd/restore", Problem: "there is none"}}
	if got, err := b.ProbeRun(t.Context(), begun[0].ID); err != nil || got.Problem != "there is none" {
		t.Errorf("%+v, %v", got, err)
	}
}

// ran has a Probe have been started under its ID before.
func (f *fakeTemporal) ran(t *testing.T, in api.ProbeInput) {
	t.Helper()
	input, err := f.keys.Converter(nil).ToPayloads(in)
	if err != nil {
		t.Fatal(err)
	}
	f.history = []*historypb.HistoryEvent{{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: input},
	}}}
	f.onStart = func(client.StartWorkflowOptions, any) error {
		return serviceerror.NewWorkflowExecutionAlreadyStarted("it is there", "", "")
	}
}

func TestAKeyIsOfOneRequest(t *testing.T) {
	for _, c := range []struct {
		reason     string
		was, nodes []string
		says       string
	}{
		{reason: "the same", was: []string{"n1", "n2"}, nodes: []string{"n2", "n1", "n1"}},
		{reason: "another node", was: []string{"n1"}, nodes: []string{"n2"},
			says: "key restore was used for node-life of 1 node (n1), by bob; ask for 1 node (n2) under another one"},
		{reason: "one node more", was: []string{"n1"}, nodes: []string{"n1", "n2"}, says: "ask for 2 nodes (n1, n2)"},
		{reason: "those that it is about", was: []string{"n1"}, says: "ask for the nodes that it is about"},
		{reason: "not those that it is about", nodes: []string{"n1"}, says: "was used for node-life of the nodes that it is about"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newBench(t)
			b.plan()
			subject := api.ProbeSubject{Case: "node-life"}
			b.temporal.ran(t, api.ProbeInput{ProbeSubject: subject, Cluster: "c1", Key: "restore", Nodes: c.was, By: "bob", Reason: "x"})
			begun, err := b.RunProbes(t.Context(), engine.ProbeRequest{
				ProbeSubject: subject, Clusters: []string{"c1"}, Nodes: c.nodes, Key: "restore", By: "ann",
			})
			if c.says != "" {
				wants(t, err, fault.Conflict, c.says)
				return
			}
			if err != nil || len(begun) != 1 || begun[0].By != "bob" {
				t.Errorf("%+v, %v", begun, err)
			}
		})
	}
}

// What was begun before Temporal was gone runs, and the audit has who wanted it.
func TestTheAuditHasProbesThatWereBegunInSomeClusters(t *testing.T) {
	b := newBench(t)
	b.plan()
	b.temporal.onStart = func(o client.StartWorkflowOptions, _ any) error {
		if strings.Contains(o.ID, "/c2/") {
			return serviceerror.NewUnavailable("gone")
		}
		return nil
	}
	begun, err := b.RunProbes(t.Context(), engine.ProbeRequest{
		ProbeSubject: api.ProbeSubject{Case: "etcd"}, Clusters: []string{"c1", "c2"}, Key: "restore", By: "ann", Reason: "restored",
	})
	wants(t, err, fault.Unreachable, "etcd runs in clusters c1 under key restore")
	if len(begun) != 1 || begun[0].Cluster != "c1" {
		t.Fatalf("%+v, %v", begun, err)
	}
	entries, err := b.Audit(t.Context(), "probe etcd", 1)
	if err != nil || len(entries) != 1 || !strings.Contains(entries[0].Scope, "clusters c1, key restore") ||
		!strings.Contains(entries[0].Outcome, "1 of 2 clusters") {
		t.Errorf("the audit has %+v, %v", entries, err)
	}
}

func TestWhatIsNoRequestForProbesIsRefused(t *testing.T) {
	b := newBench(t)
	b.plan()
	etcd := api.ProbeSubject{Case: "etcd"}
	for _, c := range []struct {
		reason string
		req    engine.ProbeRequest
		code   fault.Code
		says   string
	}{
		{"nothing is named", engine.ProbeRequest{Clusters: []string{"c1"}}, fault.Invalid, "one of a case, a set and an event"},
		{"two are", engine.ProbeRequest{ProbeSubject: api.ProbeSubject{Case: "a", Set: "b"}, Clusters: []string{"c1"}}, fault.Invalid, "one of"},
		{"it is no name", engine.ProbeRequest{ProbeSubject: api.ProbeSubject{Case: "a/b"}, Clusters: []string{"c1"}}, fault.Invalid, "is no name"},
		{"nowhere", engine.ProbeRequest{ProbeSubject: etcd}, fault.Invalid, "clusters or a group"},
		{"twice somewhere", engine.ProbeRequest{ProbeSubject: etcd, Clusters: []string{"c1"}, Group: "g"}, fault.Invalid, "clusters or a group"},
		{"too many", engine.ProbeRequest{ProbeSubject: etcd, Clusters: make([]string, 201)}, fault.Invalid, "at most 200"},
		{"nodes of a group", engine.ProbeRequest{ProbeSubject: etcd, Group: "g", Nodes: []string{"n"}}, fault.Invalid, "they are of one cluster"},
		{"a key that is none", engine.ProbeRequest{ProbeSubject: etcd, Clusters: []string{"c1"}, Key: "a/b"}, fault.Invalid, "a key is"},
		{"a cluster that is not there", engine.ProbeRequest{ProbeSubject: etcd, Clusters: []string{"c9"}}, fault.NotFound, "cannot find cluster c9"},
		{"a group that is not there", engine.ProbeRequest{ProbeSubject: etcd, Group: "g9"}, fault.NotFound, "cannot find cluster group g9"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			began := len(b.temporal.started)
			_, err := b.RunProbes(t.Context(), c.req)
			wants(t, err, c.code, c.says)
			if len(b.temporal.started) != began {
				t.Error("something was started")
			}
		})
	}
	_, err := b.ProbeRun(t.Context(), "etcd")
	wants(t, err, fault.Invalid, "CLUSTER/SUBJECT/KEY")
}
