package engine_test

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// windowed has the pipeline of a bench hold what windows deny.
func windowed(b *bench, window string) {
	check := "  defaults: {checks: [{name: hours, taskSpec: {steps: [{name: w, window: {timeZone: UTC, " + window + "}}]}}]}\n  stages:"
	b.write("fleet.yaml", strings.Replace(fleet, "  stages:", check, 1))
}

// TestWindowsHoldCommands: it is Sunday noon.
func TestWindowsHoldCommands(t *testing.T) {
	const weekend, closed = "deny: [{name: weekends, days: 'Sat,Sun'}]", "window hours/w is closed: denied by weekends; it opens Mon 2026-11-23 00:00 UTC"
	const named = "deny: [{name: weekends, days: 'Sat,Sun', actions: [rollback, abort]}]"
	for reason, c := range map[string]struct {
		window, command string
		by              api.Command
		ended           bool
		want            string // "" where it is taken
	}{
		"a run is not resumed while its windows are closed": {weekend, api.UpdateResume, api.Command{Who: "ann"}, false, "cannot resume agent-1: " + closed},
		"pausing moves nothing":                             {weekend, api.UpdatePause, api.Command{Who: "ann"}, false, ""},
		"approving moves nothing":                           {weekend, api.UpdateApprove, api.Command{Who: "bob"}, false, ""},
		"rollback passes where nobody names it":             {weekend, api.UpdateRollback, api.Command{Who: "ann"}, false, ""},
		"abort passes where nobody names it":                {weekend, api.UpdateAbort, api.Command{Who: "ann"}, false, ""},
		"rollback is held where a window names it":          {named, api.UpdateRollback, api.Command{Who: "ann"}, false, "cannot roll back agent-1: " + closed},
		"abort is held where a window names it":             {named, api.UpdateAbort, api.Command{Who: "ann"}, false, "cannot abort agent-1: " + closed},
		"a dry run says what would go where":                {named, api.UpdateRollback, api.Command{Who: "ann", DryRun: true}, false, ""},
		"a window for robots lets people resume": {
			"deny: [{days: Sun, invokers: [ci, automatic]}]", api.UpdateResume, api.Command{Who: "ann"}, false, ""},
		"and holds a job of a build system": {
			"deny: [{name: weekends, days: 'Sat,Sun', invokers: [ci, automatic]}]", api.UpdateResume, api.Command{Who: "ann [ci]"}, false,
			"cannot resume agent-1: " + closed},
		"of a run that has ended there is nothing to resume": {weekend, api.UpdateResume, api.Command{Who: "ann"}, true, ""},
		"what has ended is not rolled back either":           {named, api.UpdateRollback, api.Command{Who: "ann"}, true, "cannot roll back agent-1: " + closed},
	} {
		t.Run(reason, func(t *testing.T) {
			b := newBench(t)
			windowed(b, c.window)
			run := b.started()
			if c.ended {
				b.end(run, moved("c1"))
			}
			b.temporal.onUpdate = func(client.UpdateWorkflowOptions) (api.Answer, error) { return api.Answer{Message: "taken"}, nil }
			_, err := b.Command(t.Context(), run.Name, c.command, c.by)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wants(t, err, fault.Refused, c.want)
			entries, err := b.Audit(t.Context(), run.Name, 1)
			if err != nil || len(entries) != 1 || entries[0].Outcome != "refused: "+c.want {
				t.Errorf("audit has %+v, %v", entries, err)
			}
			if len(b.temporal.updates) > 0 {
				t.Errorf("the run has heard of it: %+v", b.temporal.updates)
			}
			b.clock.SetTime(noon.Add(12 * time.Hour))
			b.temporal.open = map[string]bool{run.Name: true}
			if _, err := b.Command(t.Context(), run.Name, c.command, c.by); fault.CodeOf(err) == fault.Refused && strings.Contains(err.Error(), "window") {
				t.Errorf("on Monday it says %v", err)
			}
		})
	}
}
