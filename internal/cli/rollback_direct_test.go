package cli_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/ledger"
)

func TestRollbackDirect(t *testing.T) {
	s := newSession(t, api.PhaseMoving)
	s.types("run agent -f " + s.files + " --go --reason because")
	s.server.away = errors.New("Temporal is gone")
	l := s.server.open()
	defer l.Close()
	w := ledger.Write{Run: "agent-1", Cluster: "c1", Subject: api.Component("agent"), Object: "v1/ConfigMap/a/a", Step: "apply", Intent: "x", At: noon}
	if err := l.SaveWrite(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(`{"apiVersion": "v1", "kind": "Config", "contexts": [{"name": "c1", "context": {"cluster": "c"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ends := api.UnitStatus{Path: "prod/c1", Cluster: "c1", Phase: api.PhaseUnreachable, Failure: &api.Check{Message: "it does not answer"}}
	s.direct = func(ctx context.Context, r cli.DirectRun) (api.RunStatus, error) {
		if len(r.Clusters) != 1 || r.Kubeconfigs[0] != file || r.First == "" {
			t.Errorf("asked for %+v", r)
		}
		r.Said(api.UnitStatus{Path: "prod/c1", Cluster: "c1", Phase: api.PhaseRollingBack})
		r.Said(ends)
		end := api.RunStatus{Name: r.Run.Name, Back: r.Run.Back, Phase: api.PhaseFailed, Stages: []api.StageStatus{{Units: []api.UnitStatus{ends}}}}
		if ends.Phase == api.PhaseRolledBack {
			end.Phase = api.PhaseRolledBack
		}
		return end, nil
	}
	want := func(line string, code int, said ...string) {
		t.Helper()
		out, errs, got := s.types(line)
		for _, words := range said {
			if got != code || !strings.Contains(out+errs, words) {
				t.Errorf("%s: %d, %s%s; want %d and %q", line, got, out, errs, code, words)
			}
		}
	}
	direct := "rollback agent-1 --direct --kubeconfig " + file
	want("rollback agent-1 --kubeconfig "+file, 2, "go with --direct")
	want(direct, 2, "--reason is missing")
	want("rollback agent-1 --direct --reason x --kubeconfig "+file+".not", 2, "cannot read kubeconfig")
	want("rollback agent-1 --direct --reason x --cluster c9 --kubeconfig "+file, 3, "it has no cluster c9")
	want(direct+" --dry-run", 0, "this process would take back all of agent-1, 1 unit", "prod/c1: way back")
	want(direct+" --reason night", 1, "agent-2 takes back all of agent-1 without Temporal, 1 unit", "prod/c1 goes back",
		"prod/c1 is out of reach, and owed: it does not answer", "agent-2: 0 of 1 unit back", "owed, out of reach: c1",
		"reconcile agent-1 --reason TEXT", "not all of agent-1 is back")
	ends.Phase, ends.Version = api.PhaseRolledBack, "0.9.0"
	want(direct+" --reason night", 0, "agent-3 takes back all", "prod/c1 is back at version 0.9.0", "agent-3: 1 of 1 unit back")
	if err := l.SaveBeat(t.Context(), ledger.Beat{Worker: "7@here", Seen: s.now}); err != nil {
		t.Fatal(err)
	}
	want(direct+" --reason night", 3, "7@here")
	want(direct+" --dry-run", 0, "it would be refused now")
	want("reconcile agent-1", 2, "--reason is missing")
	want("reconcile agent-1 --trust ledger --reason x", 2, "CLUSTER is missing")
}
