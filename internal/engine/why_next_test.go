package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/plan"
)

// TestWhySaysWhatComesNext: by the clock where there is one, else by what goes on by itself, else whom it needs.
func TestWhySaysWhatComesNext(t *testing.T) {
	soon := noon.Add(7 * time.Minute)
	soak := api.Waiting{Kind: api.WaitSoak, Name: "afterBatch", Since: noon.Add(3 * time.Second), Until: soon}
	batch := func(number int) []api.BatchStatus {
		return []api.BatchStatus{{NodeSet: "all", Workload: "DaemonSet/x/agent", Number: number, Phase: api.PhaseSoaking}}
	}
	waits := func(kind api.WaitKind, name, owner string) *api.Waiting {
		return &api.Waiting{Kind: kind, Name: name, Owner: owner, Since: noon}
	}
	for name, c := range map[string]struct {
		unit  api.UnitStatus // c2
		run   *api.Waiting
		stage *api.Waiting
		want  engine.Next
	}{
		"the batch behind a soak, past one that is skipped": {
			unit: api.UnitStatus{Phase: api.PhaseSoaking, Waiting: &soak, Batches: batch(1)},
			want: engine.Next{Subject: "prod/c2", What: "batch 3 of all begins when its soak ends", At: soon},
		},
		"the end behind the soak of the last batch": {
			unit: api.UnitStatus{Phase: api.PhaseSoaking, Waiting: &soak, Batches: batch(3)},
			want: engine.Next{Subject: "prod/c2", What: "batch 3 of all, its last, ends when its soak ends", At: soon},
		},
		"a batch that the plan did not see": {
			unit: api.UnitStatus{Phase: api.PhaseSoaking, Waiting: &soak, Batches: batch(9)},
			want: engine.Next{Subject: "prod/c2", What: "what follows on batch 9 of all begins when its soak ends", At: soon},
		},
		"pods have no clock": {
			unit: api.UnitStatus{
				Phase: api.PhaseMoving, Waiting: waits(api.WaitPods, "prod/c2/all/1", ""),
				Batches: []api.BatchStatus{{NodeSet: "all", Number: 1, Phase: api.PhaseMoving}},
			},
			want: engine.Next{Subject: "prod/c2", What: "batch 1 of all has its pods ready, and soaks"},
		},
		"a clock goes before pods": {
			unit:  api.UnitStatus{Phase: api.PhaseMoving, Waiting: waits(api.WaitPods, "prod/c2/all/1", "")},
			stage: &api.Waiting{Kind: api.WaitFreeze, Name: "freeze-1", Until: soon},
			want:  engine.Next{Subject: "stage all", What: "freeze-1 is over", At: soon},
		},
		"what goes on goes before what needs somebody": {
			unit:  api.UnitStatus{Phase: api.PhaseUnreachable, Waiting: waits(api.WaitCluster, "c2", "")},
			stage: waits(api.WaitBudget, "all", "whoever may abort"),
			want:  engine.Next{Subject: "prod/c2", What: "it goes on as soon as the cluster answers"},
		},
		"a person is needed": {
			unit: api.UnitStatus{Phase: api.PhaseHeld, Waiting: waits(api.WaitDecision, "pods", "whoever may resume")},
			want: engine.Next{Subject: "prod/c2", What: "waits for decision pods", Needs: "whoever may resume decides"},
		},
		"a check that runs ends; one that did not pass has an owner": {
			unit: api.UnitStatus{Phase: api.PhaseHeld, Waiting: waits(api.WaitCheck, "hours", "ann")},
			want: engine.Next{Subject: "prod/c2", What: "waits for check hours", Needs: "ann decides"},
		},
		"an approval": {
			unit:  api.UnitStatus{Phase: api.PhasePending},
			stage: waits(api.WaitApproval, "all", "anybody but ann"),
			want:  engine.Next{Subject: "stage all", What: "waits for approval all", Needs: "anybody but ann approves"},
		},
		"a freeze that does not end": {
			unit: api.UnitStatus{Phase: api.PhasePaused, Waiting: waits(api.WaitFreeze, "freeze-2", "cat")},
			want: engine.Next{Subject: "prod/c2", What: "waits for freeze freeze-2", Needs: "freeze-2 is lifted"},
		},
		"nobody serves it": {
			unit: api.UnitStatus{Phase: api.PhaseSoaking, Waiting: &soak, Batches: batch(1)},
			run:  waits(api.WaitWorker, "", "whoever runs the workers"),
			want: engine.Next{What: "waits for worker", Needs: "a worker takes the run up"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.clusters["c2"] = plan.ClusterDiff{Diff: "sha256:d", Workloads: []plan.Division{{Object: "DaemonSet/x/agent", NodeSets: []plan.NodeSetBatch{
				{Name: "all", Batches: []plan.Batch{{Number: 1}, {Number: 2, Skipped: "it moves nothing"}, {Number: 3}}},
			}}}}
			run := b.underWay()
			all := b.temporal.answers[run.Name].(api.RunStatus)
			c.unit.Path, c.unit.Cluster, c.unit.Stage = "prod/c2", "c2", "all"
			all.Plan, all.Waiting, all.Stages[1].Waiting, all.Stages[1].Units[1] = run.Plan, c.run, c.stage, c.unit
			b.temporal.answers[run.Name] = all
			why, err := b.Why(t.Context(), run.Name, "")
			if err != nil || why.Next == nil {
				t.Fatalf("it says %+v, %v", why.Next, err)
			}
			if diff := cmp.Diff(c.want, *why.Next); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhySaysWhenItGotOnLast(t *testing.T) {
	b := newBench(t)
	run := b.underWay()
	why, err := b.Why(t.Context(), run.Name, "")
	want := engine.LastProgress{At: noon.Add(time.Minute), What: "prod/c2: 3 of 4 pods updated, 2 ready"}
	if err != nil || why.Last == nil || *why.Last != want {
		t.Errorf("by its heartbeats: %+v, %v", why.Last, err)
	}
	b.temporal.progress = nil
	if why, err = b.Why(t.Context(), run.Name, ""); err != nil || why.Last.What != "prod/c2 began" || !why.Last.At.Equal(noon.Add(time.Second)) {
		t.Errorf("without any: %+v, %v", why.Last, err)
	}
	all := b.temporal.answers["prod/c2/agent"].(api.UnitStatus)
	all.Waiting = &api.Waiting{Kind: api.WaitSoak, Name: "afterBatch", Since: noon.Add(9 * time.Second)}
	b.temporal.answers["prod/c2/agent"] = all
	if why, err = b.Why(t.Context(), run.Name, "c2"); err != nil || why.Last.What != "prod/c2: batch 1 of all was ready" {
		t.Errorf("once it soaks: %+v, %v", why.Last, err)
	}
	b.end(run, api.UnitStatus{Path: "all/c1", Cluster: "c1", Phase: api.PhaseSucceeded, Ended: noon})
	if why, err = b.Why(t.Context(), run.Name, ""); err != nil || why.Next != nil || why.Last.What != "all/c1 ended: Succeeded" {
		t.Errorf("of one that has ended: %+v, %+v, %v", why.Next, why.Last, err)
	}
}
