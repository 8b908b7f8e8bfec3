package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// asking is a run whose only stage wants approvals.
func asking(t *testing.T, need int, a plan.Approvers) *world {
	t.Helper()
	w := newWorld(t, "a")
	w.plan.Stages[0].Approvals, w.plan.Stages[0].Approvers = need, a
	return w
}

func (w *world) approves(after time.Duration, who string) *heard {
	return w.command(after, api.UpdateApprove, api.Command{Who: who, Reason: "read it", Plan: "0123456789"})
}

// looks keeps what the first stage waits for at a time.
func (w *world) looks(t *testing.T, after time.Duration) *api.Waiting {
	t.Helper()
	seen := &api.Waiting{}
	w.env.RegisterDelayedCallback(func() {
		if now := w.now(t).Stages[0].Waiting; now != nil {
			*seen = *now
		}
	}, after)
	return seen
}

func refused(h *heard, with string) bool {
	return h.rejected != nil && strings.Contains(h.rejected.Error(), with)
}

func TestOnlyPeopleWhoMayApprove(t *testing.T) {
	w := asking(t, 2, plan.Approvers{People: []string{"ann", "ben", "cat"}, Groups: []string{"sre"}})
	other := w.approves(time.Hour, "dan")
	first := w.approves(2*time.Hour, "Ann")
	seen := w.looks(t, 3*time.Hour)
	w.approves(4*time.Hour, "ben")
	end := w.run(t)
	if !refused(other, "dan may not; ask ann, ben, cat (group sre)") || !first.accepted {
		t.Errorf("dan heard %v, Ann %+v", other.rejected, first)
	}
	if want := "1 of 2 approvals of plan 0123456789ab, by ben, cat (group sre)"; seen.Unmet[0] != want || seen.Owner != "ben, cat (group sre)" {
		t.Errorf("it waited for %+v, want %q", seen, want)
	}
	var who []string
	for _, v := range end.Stages[0].Approvals {
		who = append(who, v.Who+": "+v.Reason)
	}
	if want := []string{"Ann (unverified): read it", "ben (unverified): read it"}; !slices.Equal(who, want) || end.Phase != api.PhaseSucceeded {
		t.Errorf("it ended %s, approved by %q", end.Phase, who)
	}
	if took := end.Ended.Sub(end.Started); took < 4*time.Hour {
		t.Errorf("the stage started after %s", took)
	}
}

func TestNoUnverifiedNameCountsWhereOnlyVerifiedOnesDo(t *testing.T) {
	w := asking(t, 1, plan.Approvers{Verified: true})
	bare, marked := w.approves(time.Hour, "ann"), w.approves(2*time.Hour, "ann (unverified)")
	w.command(3*time.Hour, api.UpdateAbort, api.Command{})
	if end := w.run(t); end.Phase != api.PhaseAborted {
		t.Errorf("it ended %s", end.Phase)
	}
	if !refused(marked, "only verified names count") {
		t.Errorf("an unverified name heard %v", marked.rejected)
	}
	if bare.rejected == nil && (bare.err == nil || !strings.Contains(bare.err.Error(), "only verified names count")) {
		t.Errorf("a name without a mark, which nobody has proven, counted: %+v", bare)
	}
}

func TestApprovalsExpire(t *testing.T) {
	w := asking(t, 2, plan.Approvers{Expires: pipelines.Duration(24 * time.Hour)})
	w.approves(time.Hour, "ann")
	before := w.looks(t, 24*time.Hour)
	after := w.looks(t, 26*time.Hour)
	w.approves(27*time.Hour, "ben")
	anew := w.approves(30*time.Hour, "ben") // it counts from now on
	w.approves(52*time.Hour, "ann")
	end := w.run(t)
	if before.Unmet[0] != "1 of 2 approvals of plan 0123456789ab" || !strings.HasPrefix(before.Unmet[1], "approved by ann (unverified) until ") {
		t.Errorf("before ann's expired it waited for %q", before.Unmet)
	}
	if want := "ben (unverified) had approved stage production, and has anew: it has 1 of 2 approvals"; anew.answer.Message != want {
		t.Errorf("ben's second was heard as %q", anew.answer.Message)
	}
	if after.Unmet[0] != "0 of 2 approvals of plan 0123456789ab" || !strings.HasPrefix(after.Unmet[1], "expired: ann (unverified) at ") {
		t.Errorf("after ann's expired it waited for %q", after.Unmet)
	}
	if took := end.Ended.Sub(end.Started); end.Phase != api.PhaseSucceeded || took < 52*time.Hour || took > 53*time.Hour {
		t.Errorf("it ended %s after %s: ben's is of the 30th hour, ann's new one of the 52nd", end.Phase, took)
	}
}

func TestAnApprovalThatExpiresBeforeTheStageStartsIsAskedForAgain(t *testing.T) {
	for name, keep := range map[string]func(w *world){
		"by a pause": func(w *world) {
			w.command(30*time.Minute, api.UpdatePause, api.Command{Who: "eve"})
			w.command(40*time.Hour, api.UpdateResume, api.Command{Who: "eve"})
		},
		"by a window": func(w *world) {
			w.opensAfter(pipelines.BeforeStage, 40*time.Hour, 0)
			n := len(w.rules.Checks) - 1
			w.plan.Stages[0].Checks, w.rules.Checks = w.rules.Checks[n:], w.rules.Checks[:n]
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := asking(t, 1, plan.Approvers{Expires: pipelines.Duration(24 * time.Hour)})
			keep(w)
			first := w.approves(time.Hour, "ann")
			seen := w.looks(t, 42*time.Hour)
			again := w.approves(50*time.Hour, "ann")
			end := w.run(t)
			if !first.accepted || !again.accepted || len(seen.Unmet) < 2 || !strings.HasPrefix(seen.Unmet[1], "expired: ann") {
				t.Errorf("heard %+v and %+v; an hour after it could go on it waited for %+v", first, again, seen)
			}
			if took := end.Ended.Sub(end.Started); end.Phase != api.PhaseSucceeded || took < 50*time.Hour {
				t.Errorf("it ended %s after %s", end.Phase, took)
			}
		})
	}
}

func TestARejectionEndsTheRunAndWhatHasMovedStays(t *testing.T) {
	w := newWorld(t, "a")
	w.plan.OnFailure = pipelines.Rollback // which is about failures
	w.plan.Stages = append(w.plan.Stages, step.RunStage{Name: "last", Approvals: 2, Groups: []plan.Group{{
		Units: []plan.Unit{{Path: "prod/z", Cluster: "z", Group: "prod", WayBack: plan.WayBack{Version: "v1", Objects: "sha256:1"}}}, MaxConcurrency: 1,
	}}})
	early := w.command(time.Second, api.UpdateReject, api.Command{Who: "ben", Reason: "no"})
	w.approves(time.Hour, "ann")
	mute := w.command(2*time.Hour, api.UpdateReject, api.Command{Who: "ops"})
	no := w.command(3*time.Hour, api.UpdateReject, api.Command{Who: "ops", Reason: "not tonight"})
	end := w.play(t, api.RolloutInput{Run: "agent-1", Plan: "0123456789abcdef", By: "ops"})
	if !refused(early, "no stage waits for approval; an abort ends it") || !refused(mute, "no reason is given") {
		t.Errorf("before its time it heard %v, without a reason %v", early.rejected, mute.rejected)
	}
	if want := "stage last is rejected: agent-1 ends, and 1 unit that moved stays; a rollback takes it back"; no.answer.Message != want {
		t.Errorf("heard %q", no.answer.Message)
	}
	st := end.Stages[1]
	if end.Phase != api.PhaseFailed || st.Phase != api.PhaseFailed || unitPhases(end)["a"] != api.PhaseSucceeded || unitPhases(end)["z"] != api.PhaseSkipped {
		t.Errorf("it ended %s, its stage %s, its units %v", end.Phase, st.Phase, unitPhases(end))
	}
	if want := (api.Ending{By: "ops (unverified)", Reason: "rejected stage last: not tonight"}); end.Ending == nil || *end.Ending != want {
		t.Errorf("it was ended by %+v", end.Ending)
	}
	if st.Rejected == nil || end.Rejection() != "ops (unverified) rejected stage last: not tonight" || len(st.Approvals) != 1 {
		t.Errorf("on record are %+v and %+v", st.Rejected, st.Approvals)
	}
	w.expect(t, nil, []string{"Revert a/1", "Acquire z"})
}

// A task that comes last keeps the run open for a while.
func TestNothingIsApprovedAfterARejection(t *testing.T) {
	w := asking(t, 1, plan.Approvers{})
	w.does(&plan.Tasks{Finally: []plan.Task{task("z")}}, nil, map[string]time.Duration{"z": time.Hour})
	w.command(time.Hour, api.UpdateReject, api.Command{Who: "ann", Reason: "not tonight"})
	late := w.approves(time.Hour+time.Minute, "ben")
	twice := w.command(time.Hour+2*time.Minute, api.UpdateReject, api.Command{Who: "ben", Reason: "nor tomorrow"})
	end := w.run(t)
	for _, h := range []*heard{late, twice} {
		if !refused(h, "ann (unverified) rejected stage production: not tonight; once it has ended, a retry of it asks anew") {
			t.Errorf("after the rejection it was heard: %v", h.rejected)
		}
	}
	if end.Phase != api.PhaseFailed || end.Ended.Sub(end.Started) < 2*time.Hour {
		t.Errorf("it ended %s after %s", end.Phase, end.Ended.Sub(end.Started))
	}
	w.expect(t, nil, []string{"Acquire a"})
}
