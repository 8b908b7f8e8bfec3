package engine_test

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

func TestReconcileAsksNearTheClusterAndIsInTheAudit(t *testing.T) {
	b := newBench(t)
	req := engine.ReconcileRequest{Component: "agent", Cluster: "c1", Trust: api.TrustCluster, By: "ann", Reason: "from a backup"}
	_, err := b.Reconcile(t.Context(), req)
	wants(t, err, fault.NotFound, "cannot find cluster c1")
	b.plan()
	if _, err := b.Reconcile(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	in, is := b.temporal.inputs[len(b.temporal.inputs)-1].(api.ReconcileInput)
	if !is || in.Cluster != "c1" || in.Context != "c1" || in.Trust != api.TrustCluster || in.Subject != api.Component("agent") {
		t.Errorf("asked for %+v", in)
	}
	entries, err := b.Audit(t.Context(), "agent", 1)
	if err != nil || len(entries) != 1 || entries[0].Command != "reconcile" || entries[0].Reason != "from a backup" ||
		!strings.Contains(entries[0].Scope, "c1, trust cluster") {
		t.Errorf("the audit has %+v, %v", entries, err)
	}
}
