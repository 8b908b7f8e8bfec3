package workflows_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
)

// payload is the most that Temporal takes at once: a status beyond it leaves its run stuck.
const payload = 2 << 20

// TestFailureMode_R19_TheStatusOfABigRunIsOnePayload plays as many tasks as a run may have, each of which fails with all that it can say, beside
// as many clusters as a run may have.
func TestFailureMode_R19_TheStatusOfABigRunIsOnePayload(t *testing.T) {
	wordy := func(name string) (all []api.Check) {
		for i := range 25 {
			all = append(all, api.Check{
				Name: fmt.Sprintf("%s/step-%d", name, i), Verdict: api.Failed, Message: strings.Repeat(`"<é>"`, 166),
			})
		}
		return all
	}
	w := newWorld(t, "a")
	w.env.SetTestTimeout(time.Minute)
	tasks, made := &plan.Tasks{}, attempts{}
	add := func(name string, combinations int, answer step.AttemptResult) {
		one := task(name)
		one.Matrix, one.Combinations = combinations > 1, make([]pipelines.Combination, combinations)
		one.Retries, one.OnError = 1, pipelines.ContinueOnError
		made[name] = func(step.AttemptRequest) (step.AttemptResult, error) { return answer, nil }
		tasks.First = append(tasks.First, one)
	}
	for i := range plan.MaxYielding {
		name := fmt.Sprintf("yields-%02d", i)
		add(name, 1, step.AttemptResult{
			Succeeded: true, Reason: api.ReasonSucceeded, Steps: wordy(name),
			Results: []pipelines.ParamValue{{Name: "found", Value: strings.Repeat("r", 4090)}},
		})
	}
	add("breaks", 256-plan.MaxYielding, step.AttemptResult{Reason: api.ReasonFailed, Message: strings.Repeat("no ", 400), Steps: wordy("breaks")})
	w.does(tasks, made, nil)
	end := w.run(t)
	if end.Phase != api.PhaseSucceeded || len(end.Tasks) != 256 {
		t.Fatalf("the run ended as %s with %d tasks", end.Phase, len(end.Tasks))
	}
	for _, s := range end.Tasks {
		if s.Phase == api.PhaseFailed && (len(s.Attempts) != 1 || len(s.Steps) == 0 || s.Message == "") {
			t.Fatalf("a task that failed does not say how: %+v", s)
		}
	}
	of := func(v any) int {
		body, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return len(body)
	}
	ofTasks := of(end.Tasks)
	end.Stages = []api.StageStatus{{Name: "production", Units: arrived(plan.MaxRunUnits)}}
	t.Logf("256 tasks take %d bytes, %d clusters %d, all of the status %d of %d", ofTasks, plan.MaxRunUnits, of(end.Stages), of(end), payload)
	if n := of(end); n > payload {
		t.Errorf("the status takes %d bytes, of which tasks %d; Temporal takes %d", n, ofTasks, payload)
	}
}

// arrived are units as a run keeps them; each tenth has failed, in as many words as one of so many may use.
func arrived(n int) (units []api.UnitStatus) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 123456789, time.UTC)
	for i := range n {
		cluster := fmt.Sprintf("production-cn-hangzhou-%04d", i)
		u := api.UnitStatus{
			Path: "production-vpc/" + cluster, Cluster: cluster, Group: "production-vpc", Stage: "production", Phase: api.PhaseSucceeded,
			Version: "2.13.4", Moved: true, Started: now, Ended: now, Workflow: "production-vpc/" + cluster + "/node-agent",
			Detail: "sha256:" + strings.Repeat("0", 64),
		}
		if i%10 == 0 {
			u.Phase, u.FailedAt = api.PhaseFailed, u.Path+"/all/3"
			u.Failure = &api.Check{Name: "success-rate", At: pipelines.AfterBatch, Verdict: api.Failed, Message: strings.Repeat("x", 160)}
		}
		units = append(units, u)
	}
	return units
}

// TestTheRecordOfABigUnitIsOnePayload plays 300 batches, each with a hundred checks that say and see as much as one may.
func TestTheRecordOfABigUnitIsOnePayload(t *testing.T) {
	const batches, checks = 300, 100
	w := newWorld(t, "a")
	w.env.SetTestTimeout(2 * time.Minute)
	w.pods, w.rules.Batches, w.advances = batches, nil, time.Second
	for n := range batches {
		w.rules.Batches = append(w.rules.Batches, pipelines.Amount{Value: n + 1})
	}
	w.rules.Checks = nil
	for n := range checks {
		name := fmt.Sprint("metrics-", n)
		w.rules.Checks = append(w.rules.Checks, pipelines.ResolvedCheck{
			Name: name, At: []pipelines.Point{pipelines.AfterBatch}, Enforcement: pipelines.Advisory,
			Steps: []pipelines.ResolvedStep{{Name: name + "/success", StepKinds: pipelines.StepKinds{Gate: &pipelines.Gate{CEL: "true"}}}},
		})
	}
	w.measures = func(r step.ChecksRequest) (found []api.Check, _ error) {
		for _, c := range r.Checks {
			found = append(found, api.Check{
				Name: c.Name, At: r.Point, Verdict: api.Failed, Advisory: true, Message: strings.Repeat("m", 1000),
				Seen: map[string]any{"series": strings.Repeat("s", 8<<10)},
			})
		}
		return found, nil
	}
	if end := w.run(t); end.Phase != api.PhaseSucceeded || len(w.records) != 1 {
		t.Fatalf("the run ended as %s with %d records", end.Phase, len(w.records))
	}
	record := w.records[0]
	body, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d batches with %d checks each take %d bytes", batches, checks, len(body))
	if len(body) > payload/4 {
		t.Errorf("the record of the unit takes %d bytes", len(body))
	}
	last := record.Batches[len(record.Batches)-1]
	if len(record.Batches) != batches || last.Checks[0].Seen["series"] == nil || !record.Batches[0].Spared {
		t.Errorf("of %d batches the last one saw %v", len(record.Batches), last.Checks[0].Seen)
	}
}
