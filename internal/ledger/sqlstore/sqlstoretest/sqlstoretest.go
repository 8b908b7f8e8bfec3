// Package sqlstoretest is what every database of sqlstore has to pass besides the contract: what it does with rows that the contract's
// callers cannot write. It is for tests only.
package sqlstoretest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
)

// Run holds a database against what sqlstore needs of it. Open returns an empty ledger each time that it is called, and another way into
// its database; both are closed when the test ends.
func Run(t *testing.T, open func(*testing.T) (ledger.Ledger, *sql.DB)) {
	for name, test := range map[string]func(*testing.T, ledger.Ledger, *sql.DB){
		"a blob that was changed in the store is not handed out": testChangedBlob,
		"a deployment that was taken back is kept":               testTakenBack,
		"a cancelled write has no effect":                        testCancelled,
		"a rollback enters whatever the bound":                   testBound,
		"who asks reads what is near":                            testNear,
		"the bytes that the ledger takes grow with it":           testSize,
		"what fails at its very end happens not at all":          testEnd,
	} {
		t.Run(name, func(t *testing.T) {
			l, raw := open(t)
			test(t, l, raw)
		})
	}
}

func testChangedBlob(t *testing.T, l ledger.Ledger, raw *sql.DB) {
	digest := must(l.PutBlob(t.Context(), []byte("replicas: 3")))
	encoder := must(zstd.NewWriter(nil))
	other := literal(t, raw, encoder.EncodeAll([]byte("replicas: 0"), nil))
	does(t, raw, fmt.Sprintf(`UPDATE blobs SET data = %s WHERE digest = '%s'`, other, digest))
	if _, err := l.Blob(t.Context(), digest); fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), "its bytes were changed") {
		t.Errorf("bytes that do not fit their digest are never rolled out: got %v", err)
	}
}

// literal writes bytes as the database does.
func literal(t *testing.T, raw *sql.DB, data []byte) string {
	t.Helper()
	var is string
	if err := raw.QueryRowContext(t.Context(), `SELECT CAST(x'6869' AS TEXT)`).Scan(&is); err == nil && is == "hi" {
		return fmt.Sprintf(`x'%x'`, data)
	}
	return fmt.Sprintf(`'\x%x'`, data)
}

func testTakenBack(t *testing.T, l ledger.Ledger, raw *sql.DB) {
	objects := must(l.PutBlob(t.Context(), []byte("objects")))
	d := ledger.Deployment{Cluster: "a", Subject: api.Component("agent"), Version: "1", Objects: objects, Run: "agent-1", Fence: 1}
	if err := l.SaveDeployment(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := l.RemoveDeployment(t.Context(), "a", api.Component("agent"), "agent-2"); err != nil {
		t.Fatal(err)
	}
	var run, by string
	if err := raw.QueryRow(`SELECT run, removed_by FROM deployments`).Scan(&run, &by); err != nil || run != "agent-1" || by != "agent-2" {
		t.Errorf("there is one of run %q, taken back by %q, %v", run, by, err)
	}
}

func testCancelled(t *testing.T, l ledger.Ledger, _ *sql.DB) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.NextFence(ctx, "c", api.Component("agent"), 0); err == nil {
		t.Error("a cancelled call returned a fence")
	}
	if fence := must(l.NextFence(t.Context(), "c", api.Component("agent"), 0)); fence != 1 {
		t.Errorf("a cancelled call has had an effect: the first fence is %d", fence)
	}
}

func testBound(t *testing.T, l ledger.Ledger, raw *sql.DB) {
	does(t, raw, fmt.Sprintf(`
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO permits (run, cluster, body) SELECT 'many-1', 'c' || i, '{}' FROM n`, permit.Most))
	p := permit.Permit{Run: "agent-1", Subject: api.Component("agent"), Cluster: "a", Holder: permit.Holder{Workflow: "w"}}
	if _, err := l.Enter(t.Context(), p, nil, time.Unix(0, 0)); fault.CodeOf(err) != fault.Refused {
		t.Errorf("one more than there may be: %v", err)
	}
	p.Back = true
	if said, err := l.Enter(t.Context(), p, nil, time.Unix(0, 0)); err != nil || !said.Given() {
		t.Errorf("what goes back is %+v, %v", said, err)
	}
}

// testNear: thousands that wait elsewhere cost nobody anything. What cannot be read shows who reads it.
func testNear(t *testing.T, l ledger.Ledger, raw *sql.DB) {
	p := permit.Permit{
		Run: "agent-1", Subject: api.Component("agent"), Cluster: "a", Domains: []string{"rack=7"}, Holder: permit.Holder{Workflow: "w"},
	}
	far, near := p, p
	far.Run, far.Cluster, far.Domains = "agent-2", "b", []string{"rack=8"}
	near.Run, near.Cluster = "agent-3", "c"
	for _, other := range []permit.Permit{far, near} {
		if _, err := l.Enter(t.Context(), other, nil, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	spoil := func(run string) { does(t, raw, fmt.Sprintf(`UPDATE permits SET body = '{' WHERE run = '%s'`, run)) }
	spoil(far.Run)
	if said, err := l.Enter(t.Context(), p, nil, time.Unix(0, 0)); err != nil || !said.Given() {
		t.Errorf("what is far from it is read: %+v, %v", said, err)
	}
	spoil(near.Run)
	if _, err := l.Enter(t.Context(), p, nil, time.Unix(0, 0)); err == nil {
		t.Error("what is near is not read")
	}
}

func testEnd(t *testing.T, l ledger.Ledger, raw *sql.DB) {
	does(t, raw, `DROP TABLE permit_revision`)
	run := must(l.NewRun(t.Context(), ledger.Run{Plan: "p", Subject: api.Component("agent"), Phase: "Moving"}))
	ended := run
	ended.Phase, ended.Ended = "Succeeded", time.Unix(1, 0)
	if err := l.SaveRun(t.Context(), ended); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a run whose permits cannot be given back has ended: %v", err)
	}
	if there := must(l.Run(t.Context(), run.Name)); there.Phase != "Moving" || !there.Ended.IsZero() {
		t.Errorf("half of it was written: %+v", there)
	}
}

func testSize(t *testing.T, l ledger.Ledger, _ *sql.DB) {
	before := must(l.Size(t.Context()))
	noise := make([]byte, 1<<20)
	for i, state := 0, uint32(1); i < len(noise); i++ {
		state = state*1664525 + 1013904223 // which no compression shortens by much
		noise[i] = byte(state >> 24)
	}
	must(l.PutBlob(t.Context(), noise))
	if grown := must(l.Size(t.Context())) - before; before <= 0 || grown < 1<<19 {
		t.Errorf("it takes %d bytes, and %d more with a blob of a MiB", before, grown)
	}
}

func does(t *testing.T, raw *sql.DB, query string) {
	t.Helper()
	if _, err := raw.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// must is for what is no part of what a test is about.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
