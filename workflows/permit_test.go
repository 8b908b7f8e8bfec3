package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// TestAUnitInTroubleKeepsOthersOut: for as long as it stands at a check, or goes back; until it is resumed, or has ended, which its record
// says. One that has changed nothing keeps nobody out.
func TestAUnitInTroubleKeepsOthersOut(t *testing.T) {
	const crash = "a: ready Failed: does not hold: workload.restarts == 0"
	for reason, c := range map[string]struct {
		set  func(*world)
		want []string
	}{
		"it stands, and goes on": {func(w *world) {
			w.command(time.Minute, api.UpdateResume, api.Command{})
			w.command(time.Hour, api.UpdateAbort, api.Command{})
		}, []string{crash, "a: ", crash}},
		"it goes back by itself": {func(w *world) { w.plan.OnFailure = pipelines.Rollback }, []string{crash, "a: it goes back"}},
		"it never began": {func(w *world) {
			w.fails = func(name, cluster string) error {
				if name == step.Diff.Name() && cluster == "a" {
					return fault.New(fault.Refused, "no")
				}
				return nil
			}
			w.command(time.Hour, api.UpdateAbort, api.Command{})
		}, nil},
	} {
		w := newWorld(t, "a")
		w.facts = crashes("a")
		c.set(w)
		w.run(t)
		if !slices.Equal(w.troubles, c.want) {
			t.Errorf("%s: it says %q, want %q", reason, w.troubles, c.want)
		}
	}
}

// TestAUnitWaitsForItsPermit: it takes no Lease before, says who is in the way, and again where that is somebody else.
func TestAUnitWaitsForItsPermit(t *testing.T) {
	w := newWorld(t, "a")
	says := []permit.Admission{{Holder: "dns-1", Why: "dns-1 is in trouble"}, {Holder: "dns-2", Why: "dns-2 is in trouble"}, {}}
	var known []string
	w.enters = func(r step.EnterRequest) permit.Admission {
		known = append(known, r.Known)
		said := says[0]
		says = says[1:]
		return said
	}
	end := w.run(t)
	if want := []string{"", "dns-1 is in trouble", "dns-2 is in trouble"}; !slices.Equal(known, want) {
		t.Errorf("it asks knowing %q, want %q", known, want)
	}
	if end.Phase != api.PhaseSucceeded {
		t.Errorf("it is %s", end.Phase)
	}
	entered, leased := lastOf(w.log, "ledger.Enter"), lastOf(w.log, "Acquire")
	if entered < 0 || leased < entered {
		t.Errorf("it takes the Lease at %d, and enters at %d of %q", leased, entered, w.log)
	}
}

func lastOf(log []string, what string) int {
	for i, line := range slices.Backward(log) {
		if strings.HasPrefix(line, what) {
			return i
		}
	}
	return -1
}

// TestNoLedgerHoldsUpAWayBack: who keeps others out, or goes back, says so to the ledger and does not wait for it.
func TestNoLedgerHoldsUpAWayBack(t *testing.T) {
	for reason, back := range map[string]*api.BackInput{
		"it goes back by itself": nil, "a run takes it back": {Run: "agent-1", Units: []string{"a"}},
	} {
		w := newWorld(t, "a")
		w.plan.OnFailure = pipelines.Rollback
		w.env.OnActivity(step.Trouble.Name(), mock.Anything, mock.Anything).After(never).Return("", nil)
		if w.facts = crashes("a"); back != nil {
			w.facts = nil
			w.env.OnActivity(step.Enter.Name(), mock.Anything, mock.Anything).After(never).Return(permit.Admission{}, nil)
		}
		end := w.play(t, api.RolloutInput{Run: "agent-2", Plan: "0123456789abcdef", By: "ann", Back: back})
		if took := end.Ended.Sub(end.Started); end.Phase != api.PhaseRolledBack || took > time.Hour {
			t.Errorf("%s: it is %s after %s", reason, end.Phase, took)
		}
	}
}
