package server_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/forge/forgetest"
	"sluice.dev/sluice/internal/hook"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/internal/wire"
)

// TestAForgeNudgesWhoFollowsItsRepository goes from a delivery to the workflow of the Source.
func TestAForgeNudgesWhoFollowsItsRepository(t *testing.T) {
	for _, kind := range []forge.Kind{forge.GitHub, forge.GitLab} {
		t.Run(string(kind), func(t *testing.T) {
			t.Setenv("SLUICE_SECRET_HOOK", hookSecret)
			b := newBench(t)
			file := filepath.Join(t.TempDir(), "source.yaml")
			text := "{apiVersion: sluice.dev/v1alpha1, kind: Source, metadata: {name: infra}, spec: {url: 'https://git.example/team/infra', branch: main, " +
				"forge: {kind: " + string(kind) + ", repository: team/infra, token: {file: t}, webhookSecret: {env: SLUICE_SECRET_HOOK}}}}\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			e := b.engine(b.ledger)
			if _, err := e.Apply(t.Context(), engine.ApplyRequest{Files: engine.Files{Paths: []string{file}}, By: "ann"}); err != nil {
				t.Fatal(err)
			}
			web := httptest.NewServer(b.handler(func(o *server.Options) { o.Hooks = server.HooksOf(e) }))
			defer web.Close()
			at := forgetest.New(t, kind, b.clock.Now).Repository("team/infra")
			push := hook.Event{Kind: hook.Push, Ref: "main", After: "0123456789012345678901234567890123456789"}
			for _, c := range []struct {
				reason, source, secret string
				status                 int
			}{
				{"it is the forge's", "infra", hookSecret, 202},
				{"somebody else's secret", "infra", "guessed", 401},
				{"no such Source", "other", hookSecret, 401},
			} {
				if got := at.Deliver(t.Context(), web.URL+wire.Prefix+"/hooks/"+c.source, c.secret, push); got != c.status {
					t.Errorf("%s: it answers %d", c.reason, got)
				}
			}
			installation, err := b.ledger.Installation(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			until(t, "one nudge", func() bool {
				return slices.Equal(b.temporal.nudged(), []string{api.SourceWorkflowID(api.Queue(installation), "infra")})
			})
		})
	}
}
