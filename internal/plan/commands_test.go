package plan_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

func TestWhichCommandsARunTakes(t *testing.T) {
	const (
		pause, resume, approve, abort, rollback = api.UpdatePause, api.UpdateResume, api.UpdateApprove, api.UpdateAbort, api.UpdateRollback
		reject                                  = api.UpdateReject
		skip, endSoak, retry, batch             = api.UpdateSkip, api.UpdateEndSoak, api.UpdateRetry, api.UpdateRetreat
		hash                                    = "0123456789abcdef"
	)
	moves := plan.Doing{}
	back, aborts, closes := plan.Doing{RollingBack: true}, plan.Doing{Aborting: true}, plan.Doing{Closing: true}
	awaits, never := plan.Doing{Awaits: true, ByOthers: true}, plan.Doing{Rollback: pipelines.RollbackNever}
	named := plan.Doing{Awaits: true, ByOthers: true, Approvers: plan.Approvers{People: []string{"ann", "ben"}, Groups: []string{"sre"}}}
	verified := plan.Doing{Awaits: true, ByOthers: true, Approvers: plan.Approvers{Verified: true}}
	rejected := plan.Doing{Aborting: true, Rejected: "bob rejected stage prod: no"}
	by := func(c api.Command) api.Command { c.Who = "ops"; return c }
	of := func(clusters ...string) api.Command {
		return by(api.Command{Reason: "hm", Scope: api.Scope{Clusters: clusters}})
	}
	units := map[string]api.Phase{
		"pending": api.PhasePending, "held": api.PhaseHeld, "away": api.PhaseUnreachable, "failed": api.PhaseFailed,
		"moving": api.PhaseMoving, "soaking": api.PhaseSoaking, "there": api.PhaseSucceeded, "skipped": api.PhaseSkipped, "refused": api.PhaseRefused,
	}
	elsewhere, nowhere := api.Scope{Stage: "elsewhere"}, api.Scope{Stage: "nowhere"}
	for _, c := range []struct {
		reason  string
		doing   plan.Doing
		name    string
		command api.Command
		want    string // part of the refusal; "" where it is taken
	}{
		{"somebody has to ask", moves, pause, api.Command{}, "does not say who asks"},
		{"what has ended takes nothing", closes, resume, by(api.Command{}), "it has just ended"},

		{"what moves can be paused", moves, pause, by(api.Command{}), ""},
		{"a rollback goes before a pause", back, pause, by(api.Command{}), "a rollback goes before that"},
		{"and so does an abort", aborts, pause, by(api.Command{}), "it is being aborted"},
		{"what moves can be told to go on: units look again", moves, resume, by(api.Command{}), ""},
		{"a rollback that stands can go on", back, resume, by(api.Command{}), ""},
		{"an abort cannot be resumed", aborts, resume, by(api.Command{}), "it is being aborted"},

		{"an approval names the plan that was read", awaits, approve, by(api.Command{Plan: hash[:6]}), ""},
		{"well enough to be told from others", awaits, approve, by(api.Command{Plan: hash[:5]}), "too short"},
		{"another plan voids it", awaits, approve, by(api.Command{Plan: "123456"}), `it runs plan 0123456789ab, the approval is for "123456"`},
		{"nothing waits for it", moves, approve, by(api.Command{Plan: hash}), "no stage waits for approval"},
		{"nobody approves what they started", awaits, approve, api.Command{Who: "starter", Plan: hash}, "whoever starts a run"},
		{"nor somebody who may not", named, approve, by(api.Command{Plan: hash}), "ops may not; ask ann, ben (group sre)"},
		{"in capitals or not", named, approve, api.Command{Who: "ANN (unverified)", Plan: hash}, ""},
		{"nor whoever nobody has verified", verified, approve, api.Command{Who: "ann (unverified)", Plan: hash}, "only verified names count there"},
		{"as far as that is known", verified, approve, api.Command{Who: "ann", Plan: hash}, ""},
		{"nor after a rejection", rejected, approve, by(api.Command{Plan: hash}), "bob rejected stage prod: no; once it has ended, a retry of it asks anew"},
		{"nor after an abort", aborts, approve, by(api.Command{Plan: hash}), "it is being aborted"},

		{"anybody says no, whoever started it too", named, reject, api.Command{Who: "starter", Reason: "hm"}, ""},
		{"not without a reason", awaits, reject, by(api.Command{}), "no reason is given"},
		{"nor before a stage waits", moves, reject, by(api.Command{Reason: "hm"}), "no stage waits for approval; an abort ends it"},
		{"an abort goes before it", aborts, reject, by(api.Command{Reason: "hm"}), "it is being aborted"},
		{"and so does a rollback", back, reject, by(api.Command{Reason: "hm"}), "it is rolling back"},
		{"one no is enough", rejected, reject, by(api.Command{Reason: "hm"}), "bob rejected stage prod: no"},
		{"what a rejection ends can be taken back", rejected, rollback, by(api.Command{}), ""},

		{"runs of the first shape let them", plan.Doing{Awaits: true}, approve, api.Command{Who: "starter", Plan: hash}, ""},

		{"what moves can be aborted", moves, abort, by(api.Command{}), ""},
		{"twice", aborts, abort, by(api.Command{}), ""},
		{"a rollback goes before an abort", back, abort, by(api.Command{}), "--abandon-rollback"},
		{"unless it is to be left half done", back, abort, by(api.Command{Abandon: true}), ""},

		{"a rollback is taken from everywhere", aborts, rollback, by(api.Command{}), ""},
		{"and twice", back, rollback, by(api.Command{}), ""},
		{"but not of a component that never goes back", never, rollback, by(api.Command{}), "rollback: Never"},
		{"nor of what the run does not have", moves, rollback, by(api.Command{Scope: nowhere}), "it has no stage nowhere"},
		{"nor to where nothing was", moves, rollback, by(api.Command{Scope: elsewhere}), "no way back was recorded for stage elsewhere"},

		{"what has not begun is left out", moves, skip, of("pending"), ""},
		{"and what stands, or is out of reach, or has failed", moves, skip, of("held", "away", "failed"), ""},
		{"twice", moves, skip, of("skipped"), ""},
		{"not without a reason", moves, skip, by(api.Command{Scope: api.Scope{Clusters: []string{"held"}}}), "no reason is given"},
		{"nor by stage", moves, skip, by(api.Command{Reason: "hm", Scope: elsewhere}), "it takes names of clusters"},
		{"nor what the run does not have", moves, skip, of("pending", "nowhere"), "it has no cluster nowhere"},
		{"nor many", moves, skip, of(slices.Repeat([]string{"held"}, 501)...), "it names 501 clusters, and 500 may be"},
		{"nor what moves", moves, skip, of("held", "moving"), "skip moving in agent-1: it is Moving; pause agent-1 first"},
		{"nor what has arrived", moves, skip, of("there"), "to take it back: rollback agent-1 --cluster there"},
		{"nor what goes back", back, skip, of("held"), "it is rolling back"},
		{"an abort goes before it", aborts, skip, of("held"), "it is being aborted"},

		{"what soaks can be told to end", moves, endSoak, of("soaking"), ""},
		{"all of it", moves, endSoak, of(), ""},
		{"also a stage", plan.Doing{Soaks: "stage prod"}, endSoak, of(), ""},
		{"not without a reason", moves, endSoak, by(api.Command{}), "no reason is given"},
		{"what moves may soak by now", moves, endSoak, of("soaking", "moving"), ""},
		{"not what cannot soak", moves, endSoak, of("soaking", "skipped"), "end the soak of skipped in agent-1: it is Skipped"},
		{"nor a cluster of a stage that soaks", plan.Doing{Soaks: "stage prod"}, endSoak, of("there"), "stage prod soaks as a whole"},
		{"nor what stands still", plan.Doing{Paused: true}, endSoak, of("soaking"), "resume it first"},
		{"nor what goes back", back, endSoak, of("soaking"), "it is rolling back"},
		{"an abort goes before it", aborts, endSoak, of("soaking"), "it is being aborted"},
		{"a pause has stopped what moved", plan.Doing{Paused: true}, skip, of("moving"), ""},

		{"what stands, or failed where units still start, is tried again", plan.Doing{Again: true}, retry, by(api.Command{}), ""},
		{"not where nothing does", moves, retry, by(api.Command{}), "nothing of it stands or has failed"},
		{"nor what the run has gone on from", plan.Doing{Left: "c1"}, retry, by(api.Command{}), "it has gone on from where c1 failed"},
		{"a person's pause goes before it", plan.Doing{Again: true, ByPerson: true}, retry, by(api.Command{}), "resume it first"},
		{"a rollback goes before it", plan.Doing{Again: true, RollingBack: true}, retry, by(api.Command{}), "it is rolling back"},
		{"and so does an abort", plan.Doing{Again: true, Aborting: true}, retry, by(api.Command{}), "it is being aborted"},

		{"a batch of what stands goes back alone", moves, batch, of("held"), ""},
		{"and of what a pause has stopped", plan.Doing{Paused: true}, batch, of("moving"), ""},
		{"not without a reason", moves, batch, by(api.Command{Scope: api.Scope{Clusters: []string{"held"}}}), "no reason is given"},
		{"nor of many", moves, batch, of("held", "moving"), "it takes the name of one cluster"},
		{"nor of none", moves, batch, of(), "it takes the name of one cluster"},
		{"nor of what the run does not have", moves, batch, of("nowhere"), "it has no cluster nowhere"},
		{"nor of what moves", moves, batch, of("moving"), "it is Moving; pause agent-1 first"},
		{"nor of what is out of reach", moves, batch, of("away"), "it is out of reach"},
		{"nor of what has arrived", moves, batch, of("there"), "it is Succeeded, and no batch of it stands"},
		{"nor of what nothing of can go back alone", moves, batch, of("refused"), "rollback agent-1 --cluster refused"},
		{"nor of a component that never goes back", never, batch, of("held"), "rollback: Never"},
		{"a rollback goes before it", back, batch, of("held"), "it is rolling back"},
		{"and so does an abort", aborts, batch, of("held"), "it is being aborted"},

		{"an id has a bound", moves, pause, by(api.Command{ID: strings.Repeat("x", 201)}), "its id has 201 bytes, and 200 may be"},
		{"and so has a reason", moves, abort, by(api.Command{Reason: strings.Repeat("x", 4001)}), "its reason has 4001 bytes"},
		{"there are no others", moves, "dance", by(api.Command{}), "no such command"},
	} {
		c.doing.Run, c.doing.Plan, c.doing.By, c.doing.Component = "agent-1", hash, "starter", "agent"
		c.doing.Has = func(s api.Scope) bool { return s.Stage != "nowhere" && !slices.Contains(s.Clusters, "nowhere") }
		c.doing.Among = func(s api.Scope) (out []api.UnitStatus) {
			for _, name := range slices.Sorted(maps.Keys(units)) {
				if s.Whole() || slices.Contains(s.Clusters, name) {
					u := api.UnitStatus{Cluster: name, Phase: units[name], Moved: true}
					if name == "held" {
						u.Last = &api.LastBatch{}
					}
					out = append(out, u)
				}
			}
			return out
		}
		c.doing.GoesBack = func(s api.Scope) bool { return s.Stage != "elsewhere" }
		got := c.doing.Refuses(c.name, c.command)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.reason, got, c.want)
		}
	}
}
