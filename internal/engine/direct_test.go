package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// wrote has a run write something in clusters.
func (b *bench) wrote(run ledger.Run, clusters ...string) {
	b.t.Helper()
	for _, c := range clusters {
		w := ledger.Write{Run: run.Name, Cluster: c, Subject: run.Subject, Object: "apps/DaemonSet/agent/agent", Step: "prepare", Intent: "x", At: noon}
		if err := b.ledger.SaveWrite(b.t.Context(), w); err != nil {
			b.t.Fatal(err)
		}
	}
}

// night is an engine on the same ledger whose Temporal is gone.
func (b *bench) night() *engine.Engine {
	return engine.New(b.ledger, func(context.Context) (*engine.Server, error) {
		return nil, fault.New(fault.Unreachable, "cannot reach a Temporal server")
	}, engine.Options{Clock: b.clock})
}

func TestFailureMode_R25_WhenARunIsTakenBackWithoutTemporal(t *testing.T) {
	c := api.Command{Who: "ann", Reason: "crash loop"}
	beat := func(seen time.Duration, ended time.Time) func(*bench, ledger.Run) {
		return func(b *bench, _ ledger.Run) {
			err := b.ledger.SaveBeat(b.t.Context(), ledger.Beat{Worker: "7@here", Since: noon.Add(-time.Hour), Seen: noon.Add(-seen), Ended: ended})
			if err != nil {
				b.t.Fatal(err)
			}
		}
	}
	for name, x := range map[string]struct {
		set     func(*bench, ledger.Run)
		anyhow  bool
		answers bool // Temporal does
		why     string
	}{
		"nobody is there":                        {},
		"a worker beats":                         {set: beat(ledger.BeatEvery, time.Time{}), why: "7@here (there since 2026-11-22 11:00:00, seen 2026-11-22 11:59:50)"},
		"a worker beats, whatever Temporal says": {set: beat(0, time.Time{}), anyhow: true, why: "1 worker may still move it"},
		"a worker is silent":                     {set: beat(ledger.BeatsWithin, time.Time{})},
		"a worker has ended":                     {set: beat(0, noon)},
		"Temporal answers":                       {answers: true, why: "it answers at fake:7233"},
		"Temporal answers, and nothing moves":    {answers: true, anyhow: true},
		"a later run moves a cluster": {
			set: func(b *bench, run ledger.Run) {
				run.Started = noon.Add(time.Minute)
				later, err := b.ledger.NewRun(b.t.Context(), run)
				if err != nil {
					b.t.Fatal(err)
				}
				b.wrote(later, "c2")
			},
			why: "agent-2 has begun to move c2 since",
		},
		"another run has ended there since": {
			set: func(b *bench, _ ledger.Run) { b.deploy("c2", "agent-9", "9.0.0") }, why: "other runs have moved c2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			run := b.started()
			b.wrote(run, "c1", "c2")
			if x.set != nil {
				x.set(b, run)
			}
			e := b.night()
			if x.answers {
				e = b.Engine
			}
			d, err := e.BeginDirect(t.Context(), run.Name, c, x.anyhow)
			if x.why != "" {
				wants(t, err, fault.Refused, x.why)
				if over, err := b.ledger.Overtaken(t.Context(), run.Name); fault.CodeOf(err) != fault.NotFound {
					t.Errorf("refused, and overtaken by %+v, %v", over, err)
				}
				return
			}
			if err != nil || d.By == "" || !d.Made.Direct || d.Made.Back != run.Name || !slices.Equal(d.Clusters(), []string{"c2", "c1"}) {
				t.Errorf("got %+v, %v", d, err)
			}
		})
	}
}

func TestADirectRollbackThatIsBegunAgainGoesOn(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.wrote(run, "c1", "c2")
	night, c := b.night(), api.Command{Who: "ann", Reason: "crash loop"}
	first, err := night.BeginDirect(t.Context(), run.Name, c, false)
	if err != nil {
		t.Fatal(err)
	}
	b.deploy("c2", first.By, "0.9.0") // and was killed before its Lease was free
	again, err := night.BeginDirect(t.Context(), run.Name, c, false)
	if err != nil || !slices.Equal(again.Clusters(), []string{"c2", "c1"}) || again.First != first.By {
		t.Fatalf("begun again: %+v, %v", again, err)
	}
	if r, err := b.ledger.Run(t.Context(), first.By); err != nil || r.Phase != string(api.PhaseAborted) || r.Ended.IsZero() {
		t.Errorf("the one that was killed is %+v, %v", r, err)
	}
	if over, err := b.ledger.Overtaken(t.Context(), first.By); err != nil || over.Name != again.By {
		t.Errorf("it is overtaken by %+v, %v", over, err)
	}
	b.deploy("c2", again.By, "0.9.0")
	made := again.Made
	made.Phase, made.Ended = string(api.PhaseFailed), noon
	if err := b.ledger.SaveRun(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	c.DryRun = true
	rest, err := night.BeginDirect(t.Context(), run.Name, c, false)
	if err != nil || rest.By != "" || !slices.Equal(rest.Clusters(), []string{"c1"}) {
		t.Errorf("what it left is %+v, %v", rest, err)
	}
}

// TestADrillIsTakenBackAsOne: what it moved was bad by design, and is to freeze nothing and tell nobody.
func TestADrillIsTakenBackAsOne(t *testing.T) {
	b := newBench(t)
	run := b.started()
	run.Drill = "crash/1"
	run, err := b.ledger.NewRun(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	b.wrote(run, "c1")
	d, err := b.night().BeginDirect(t.Context(), run.Name, api.Command{Who: "ann", Reason: "Temporal is gone"}, false)
	if err != nil || d.Made.Drill != run.Drill {
		t.Errorf("it is taken back by %+v, %v", d.Made, err)
	}
}

func TestSettleEndsWhatWasOvertaken(t *testing.T) {
	b := newBench(t)
	run := b.started()
	b.wrote(run, "c1", "c2")
	_, err := b.Settle(t.Context(), run.Name, "ann", "because")
	wants(t, err, fault.Refused, "nobody has taken it back without Temporal")
	d, err := b.night().BeginDirect(t.Context(), run.Name, api.Command{Who: "ann", Reason: "crash loop"}, false)
	if err != nil {
		t.Fatal(err)
	}
	b.deploy("c2", d.By, "0.9.0")
	b.end(run, api.UnitStatus{Path: "g/c1", Cluster: "c1", Phase: api.PhaseAborted, Moved: true}, api.UnitStatus{Path: "g/c2", Cluster: "c2", Phase: api.PhaseAborted, Moved: true})
	for range 2 {
		s, err := b.Settle(t.Context(), run.Name, "ann", "because")
		if err != nil || s.By != d.By || s.Took != run.Name || !slices.Equal(s.Owed, []string{"c1"}) {
			t.Fatalf("settled as %+v, %v", s, err)
		}
		if r, err := b.ledger.Run(t.Context(), d.By); err != nil || r.Ended.IsZero() {
			t.Errorf("of %s, whoever moved it was killed: %+v, %v", d.By, r, err)
		}
	}
	why, err := b.Audit(t.Context(), run.Name, 1)
	if err != nil || len(why) != 1 || why[0].Command != "reconcile" || !strings.Contains(why[0].Outcome, "1 cluster not back") {
		t.Errorf("the audit has %+v, %v", why, err)
	}
}
