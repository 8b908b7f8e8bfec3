package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func (w *world) retreats(after time.Duration) *heard {
	return w.command(after, api.UpdateRetreat, api.Command{Who: "ann", Reason: "its pods log errors", Scope: api.Scope{Clusters: []string{"a"}}})
}

// inOrder checks that lines which begin so were logged one after the other.
func (w *world) inOrder(t *testing.T, want ...string) {
	t.Helper()
	asked := w.asked()
	rest := asked
	for _, line := range want {
		i := slices.IndexFunc(rest, func(l string) bool { return strings.HasPrefix(l, line) })
		if i < 0 {
			t.Fatalf("no %q in its turn:\n%s", line, strings.Join(asked, "\n"))
		}
		rest = rest[i+1:]
	}
}

func (w *world) count(begins string) (n int) {
	for _, line := range w.asked() {
		if strings.HasPrefix(line, begins) {
			n++
		}
	}
	return n
}

// secondBatch is a cluster whose second of two batches takes a while.
func secondBatch(t *testing.T) (w *world, went *[]step.AdvanceRequest) {
	t.Helper()
	w = newWorld(t, "a")
	went = &[]step.AdvanceRequest{}
	w.reverts = func(r step.AdvanceRequest) { *went = append(*went, r) }
	return w, went
}

func breaksAt(w *world, number int64) (mend func()) {
	broken := true
	w.facts = func(_ string, f *rule.Facts) {
		if broken && f.Batch.Number == number {
			f.Workload.Restarts = 1
		}
	}
	return func() { broken = false }
}

func TestABatchThatFailedGoesBackAloneAndMovesAnew(t *testing.T) {
	w, went := secondBatch(t)
	w.rules.Soak.Batch = pipelines.Duration(10 * time.Minute)
	mend := breaksAt(w, 2)
	first := w.retreats(time.Hour)
	second := w.retreats(70 * time.Minute)
	var held api.RunStatus
	w.env.RegisterDelayedCallback(func() { held = w.now(t) }, 80*time.Minute)
	w.at(90*time.Minute, mend)
	w.command(2*time.Hour, api.UpdateRetry, api.Command{})
	late := w.retreats(2*time.Hour + time.Minute)
	end := w.run(t)
	if !first.accepted || !strings.HasPrefix(first.answer.Message, "batch prod/a/all/2 goes back; its cluster stays") {
		t.Errorf("it answers %+v", first)
	}
	if !second.accepted || second.answer.Message != "nothing to do: batch prod/a/all/2 was taken back, by ann (unverified): its pods log errors" {
		t.Errorf("the second time it answers %+v", second)
	}
	if late.rejected == nil || !strings.Contains(late.rejected.Error(), "pause agent-1 first") {
		t.Errorf("while it moves: %+v", late)
	}
	u := unitOf(held, "a")
	if u.Phase != api.PhaseHeld || u.Failure == nil || u.Last == nil || u.Last.Back.Said() != "by ann (unverified): its pods log errors" {
		t.Errorf("meanwhile it is %+v", u)
	}
	if said := strings.Join(u.Waiting.Unmet, "; "); !strings.Contains(said, "batch prod/a/all/2 was taken back, by ann (unverified): its pods log errors; it moves anew once it is resumed") {
		t.Errorf("it waits for %s", said)
	}
	w.inOrder(t, "Advance a/1", "Advance a/2", "Disarm", "Retreat a/2", "Arm",
		"Advance a/2", "Finish")
	if n := w.count("Advance"); n != 3 || len(*went) != 1 {
		t.Fatalf("%d batches moved, and %d went back", n, len(*went))
	}
	if r := (*went)[0]; r.Goal.Amount != pipelines.Count(1) || r.Goal.Set != 0 || r.Target != 9 || r.Version != "v1" || len(r.Checks) > 0 {
		t.Errorf("it was taken back by %+v", r)
	}
	b := w.records[0].Batches
	if end.Phase != api.PhaseSucceeded || len(b) != 2 || b[1].Phase != api.PhaseSucceeded || b[1].Back == nil || b[0].Back != nil || b[1].Updated != 10 {
		t.Errorf("it ended %s, with %+v", end.Phase, b)
	}
	if soaked := b[1].Ended.Sub(b[1].Started); soaked < 10*time.Minute {
		t.Errorf("it soaked for %s the second time", soaked)
	}
	if w.records[0].Last != nil {
		t.Error("what has ended still says what could go back")
	}
	var audited []string
	for _, a := range w.audit {
		audited = append(audited, a.Command+" "+a.Scope)
	}
	if !slices.Contains(audited, "rollback --batch cluster a") {
		t.Errorf("the audit says %q", audited)
	}
}

func TestWhatStandsHasItsLastBatchTakenBack(t *testing.T) {
	const hour = time.Hour
	for _, c := range []struct {
		reason string
		set    func(w *world)
		want   []string
		amount pipelines.Amount
		phase  api.Phase // once it is back
	}{
		{"paused as it moves", func(w *world) {
			w.advances = 2 * hour
			w.command(3*hour, api.UpdatePause, api.Command{})
			w.retreats(3*hour + time.Second)
		}, []string{"Disarm", "Retreat", "Arm", "Advance a/2", "Finish"}, pipelines.Count(1), api.PhasePaused},
		{"paused as the first one soaks", func(w *world) {
			w.rules.Soak.FirstBatch = new(pipelines.Duration(24 * hour))
			w.command(3*hour, api.UpdatePause, api.Command{})
			w.retreats(4 * hour)
		}, []string{"Advance a/1", "Retreat", "Arm", "Advance a/1", "Advance a/2", "Finish"}, pipelines.Amount{}, api.PhasePaused},
		{"at its freeze, and it stays once that is over", func(w *world) {
			w.advances = 2 * hour
			w.holds(3*hour, 1, freeze("freeze-1", api.PauseNow))
			w.retreats(4 * hour)
			w.holds(7*hour, 2)
		}, []string{"Disarm", "Retreat", "Arm", "Advance a/2", "Finish"}, pipelines.Count(1), api.PhasePaused},
		{"between two batches", func(w *world) {
			w.advances = 2 * hour
			w.holds(hour, 1, freeze("freeze-1", api.PauseAtBoundary))
			w.retreats(4 * hour)
			w.holds(7*hour, 2)
		}, []string{"Advance a/1", "Retreat", "Arm", "Advance a/1", "Advance a/2", "Finish"}, pipelines.Amount{}, api.PhasePaused},
		{"stalled", func(w *world) {
			stalls := true
			w.stalls = func(_ string, number int) bool { return stalls && number == 2 }
			w.retreats(4 * hour)
			w.at(5*hour, func() { stalls = false })
		}, []string{"Disarm", "Retreat", "Arm", "Advance a/2", "Finish"}, pipelines.Count(1), api.PhaseStalled},
		{"before it is given back", func(w *world) {
			no := true
			w.fails = func(name, _ string) error {
				if no && name == step.Finish.Name() {
					return fault.New(fault.Refused, "not yet")
				}
				return nil
			}
			w.retreats(4 * hour)
			w.at(5*hour, func() { no = false })
		}, []string{"Finish", "Disarm", "Retreat", "Arm", "Advance a/2", "Finish"}, pipelines.Count(1), api.PhaseRefused},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w, went := secondBatch(t)
			c.set(w)
			var now api.RunStatus
			w.env.RegisterDelayedCallback(func() { now = w.now(t) }, 9*hour)
			w.command(10*hour, api.UpdateResume, api.Command{})
			end := w.run(t)
			w.inOrder(t, c.want...)
			if u := unitOf(now, "a"); u.Phase != c.phase || u.Last == nil || u.Last.Back == nil {
				t.Errorf("an hour before it was resumed it was %+v", u)
			}
			if len(*went) != 1 || (*went)[0].Goal.Amount != c.amount {
				t.Errorf("went back: %+v", *went)
			}
			if end.Phase != api.PhaseSucceeded || w.records[0].FailedBatches != 0 || len(w.records[0].Batches) != 2 {
				t.Errorf("it ended %s: %+v", end.Phase, w.records[0])
			}
		})
	}
}

func TestWhatComesWhileABatchGoesBack(t *testing.T) {
	const hour = time.Hour
	give := func(name string) func(w *world) {
		return func(w *world) {
			c := api.Command{Reason: "hm"}
			if name == api.UpdateSkip {
				c.Scope.Clusters = []string{"a"}
				w.command(20*hour, api.UpdateResume, api.Command{}) // the run is paused still
			}
			w.command(7*hour+5*time.Minute, name, c)
		}
	}
	for _, c := range []struct {
		reason string
		set    func(w *world)
		unit   api.Phase
		want   []string
		never  string
	}{
		{"a rollback goes before it", give(api.UpdateRollback), api.PhaseRolledBack, []string{"Retreat", "Revert", "Finish"}, "Arm"},
		{"and so does an abort", give(api.UpdateAbort), api.PhaseAborted, []string{"Disarm", "Disarm", "Release"}, "Arm"},
		{"and a skip", give(api.UpdateSkip), api.PhaseSkipped, []string{"Disarm", "Disarm", "Release"}, "Arm"},
		{"a resume waits for it", give(api.UpdateResume), api.PhaseSucceeded, []string{"Retreat", "Arm", "Advance", "Finish"}, "Revert"},
		{"a pause makes no difference", func(w *world) {
			give(api.UpdatePause)(w)
			w.command(20*hour, api.UpdateResume, api.Command{})
		}, api.PhaseSucceeded, []string{"Retreat", "Arm", "Advance", "Finish"}, "Revert"},
		{"a cluster that is lost is waited for", func(w *world) {
			w.once(step.Retreat.Name(), "a", fault.New(fault.Unreachable, "gone"))
			w.returns("a", hour)
			w.command(20*hour, api.UpdateResume, api.Command{})
		}, api.PhaseSucceeded, []string{"Retreat", "ledger.Unobserved", "Retreat", "Arm", "Advance", "Finish"}, "Revert"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.advances = 10 * time.Minute
			mend := breaksAt(w, 2)
			w.command(6*hour, api.UpdatePause, api.Command{})
			w.retreats(7 * hour)
			w.at(7*hour+time.Minute, mend)
			c.set(w)
			end := w.run(t)
			w.inOrder(t, c.want...)
			asked := w.asked()
			from := slices.IndexFunc(asked, func(l string) bool { return strings.HasPrefix(l, "Retreat") })
			if slices.ContainsFunc(asked[max(0, from):], func(l string) bool { return strings.HasPrefix(l, c.never) }) {
				t.Errorf("there is a %s:\n%s", c.never, strings.Join(asked, "\n"))
			}
			if got := unitPhases(end)["a"]; got != c.unit || w.records[0].Batches[1].Back == nil {
				t.Errorf("it ended %s: %+v", got, w.records[0].Batches)
			}
		})
	}
}

func TestABatchThatCannotGoBackStaysWhereItIs(t *testing.T) {
	for reason, set := range map[string]func(w *world){
		"it is refused": func(w *world) { w.once(step.Retreat.Name(), "a", fault.New(fault.Refused, "somebody else changed it")) },
		"it does not get on": func(w *world) {
			first := true
			w.bends = func(name, _ string, seen *api.Facts) {
				if name == step.Retreat.Name() && first {
					first, seen.Stalled = false, true
					seen.Checks = []api.Check{{Name: api.Progress, Verdict: api.Inconclusive, Message: "somebody else changed it"}}
				}
			}
		},
	} {
		t.Run(reason, func(t *testing.T) {
			w, went := secondBatch(t)
			mend := breaksAt(w, 2)
			set(w)
			w.retreats(time.Hour)
			var now api.RunStatus
			w.env.RegisterDelayedCallback(func() { now = w.now(t) }, 90*time.Minute)
			again := w.retreats(2 * time.Hour)
			w.at(3*time.Hour, mend)
			w.command(4*time.Hour, api.UpdateResume, api.Command{})
			end := w.run(t)
			if u := unitOf(now, "a"); u.Phase != api.PhaseHeld || u.Last == nil || u.Last.Back != nil {
				t.Errorf("it is %+v", u)
			}
			w.inOrder(t, "Disarm", "Retreat", "Disarm", "Retreat", "Arm", "Advance a/2")
			if !again.accepted || len(*went) != 2 || end.Phase != api.PhaseSucceeded {
				t.Errorf("the second time: %+v; %d went back, it ended %s", again, len(*went), end.Phase)
			}
		})
	}
}

func TestNoBatchGoesBackAlone(t *testing.T) {
	for _, c := range []struct {
		reason string
		set    func(w *world)
		want   string
	}{
		{"of what was not there", func(w *world) { w.created = true; breaksAt(w, 1) }, "its workload was not there before"},
		{"of what has not moved", func(w *world) {
			w.once(step.Prepare.Name(), "a", fault.New(fault.Refused, "no"))
		}, "none that has moved can go back alone"},
		{"of what is given back", func(w *world) {
			w.rules.Checks[0].At = []pipelines.Point{pipelines.AfterCluster}
			w.facts = func(_ string, f *rule.Facts) { f.Workload.Restarts = 1 }
		}, "none that has moved can go back alone"},
		{"of a component that never goes back", func(w *world) { w.plan.Rollback = pipelines.RollbackNever; breaksAt(w, 2) }, "rollback: Never"},
		{"out of reach", func(w *world) {
			w.fails = func(name, _ string) error {
				if name == step.Advance.Name() {
					return fault.New(fault.Unreachable, "gone")
				}
				return nil
			}
			w.returns("a", 48*time.Hour)
		}, "it is out of reach"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w, went := secondBatch(t)
			c.set(w)
			h := w.retreats(time.Hour)
			w.command(2*time.Hour, api.UpdateAbort, api.Command{})
			w.command(3*time.Hour, api.UpdateAbort, api.Command{})
			w.run(t)
			if h.rejected == nil || !strings.Contains(h.rejected.Error(), c.want) || len(*went) > 0 {
				t.Errorf("%+v, want a refusal with %q", h, c.want)
			}
		})
	}
}

// TestAFailedBatchThatIsTakenBackCountsNoMore has a cluster bear a batch, whose pods go back before the next one.
func TestAFailedBatchThatIsTakenBackCountsNoMore(t *testing.T) {
	w, went := secondBatch(t)
	w.rules.Batches = []pipelines.Amount{{Value: 1}, {Value: 5}, {Value: 100, Percent: true}}
	w.rules.MaxBatchFailures = 1
	mend := breaksAt(w, 2)
	w.advances = 2 * time.Hour
	w.holds(3*time.Hour, 1, freeze("freeze-1", api.PauseAtBoundary))
	w.retreats(6 * time.Hour)
	w.at(7*time.Hour, mend)
	w.holds(8*time.Hour, 2)
	w.command(9*time.Hour, api.UpdateResume, api.Command{})
	end := w.run(t)
	if len(*went) != 1 || (*went)[0].Goal.Amount != pipelines.Count(1) {
		t.Errorf("went back: %+v", *went)
	}
	if b := w.records[0].Batches; end.Phase != api.PhaseSucceeded || w.records[0].FailedBatches != 0 || len(b) != 3 || b[1].Phase != api.PhaseSucceeded {
		t.Errorf("it ended %s: %+v", end.Phase, w.records[0])
	}
}

func TestABatchOfABigStageGoesBackAlone(t *testing.T) {
	w := many(t, 150)
	w.plan.Stages[0].Groups[0].MaxConcurrency = 1
	broken := true
	w.facts = func(cluster string, f *rule.Facts) {
		if broken && cluster == "c000" {
			f.Workload.Restarts = 1
		}
	}
	back := w.command(time.Hour, api.UpdateRetreat, api.Command{Who: "ann", Reason: "hm", Scope: api.Scope{Clusters: []string{"c000"}}})
	w.at(2*time.Hour, func() { broken = false })
	w.command(3*time.Hour, api.UpdateResume, api.Command{})
	end := w.run(t)
	if !back.accepted || back.answer.Message != "batch prod/c000/all/1 goes back; its cluster stays where it stands, and moves it anew once it is resumed" {
		t.Errorf("it answers %+v", back)
	}
	w.inOrder(t, "Advance c000/1", "Retreat c000/1", "Arm c000", "Advance c000/1", "Finish c000")
	if end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
}
