package scenario

import (
	"cmp"
	"fmt"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// diff is what would change in a cluster: one DaemonSet, in the batches of its stage.
func (w *play) diff(r step.DiffRequest) (step.DiffResult, error) {
	_, stage, _ := w.plan.Unit(r.Cluster)
	rules := stage.Rules
	if r.Back {
		rules = rules.Back()
	}
	work := plan.Division{Object: "DaemonSet/" + w.plan.Source.Namespace + "/" + w.plan.Subject.Name}
	for i, set := range rules.NodeSets {
		pods := w.script.podsOf(r.Cluster, set.Name, i == len(rules.NodeSets)-1)
		work.NodeSets = append(work.NodeSets, plan.NodeSetBatch{Name: set.Name, Pods: pods, Batches: plan.Batches(rules.Batches, pods)})
	}
	found := plan.ClusterDiff{Cluster: r.Cluster, Workloads: []plan.Division{work}}
	if st, is := w.script.is(refuses, "", r.Cluster, w.now()); is {
		found.Refusals = []api.Refusal{{Rule: "drift", Object: work.Object, Message: cmp.Or(st.message, "somebody has changed it")}}
	}
	return step.DiffResult{Cluster: found, Before: true, Changes: "sha256:changes"}, nil
}

// factsOf is a batch whose pods are there.
func factsOf(r step.AdvanceRequest) api.Facts {
	n := int64(r.Target)
	return api.Facts{Facts: rule.Facts{
		Unit: r.Unit, Change: r.Change,
		Workload: rule.Workload{Kind: "DaemonSet", Name: r.Subject.Name, Desired: int64(r.Total), Updated: n, UpdatedReady: n},
		Batch:    rule.Batch{Number: int64(r.Goal.Number), Target: n, Total: int64(r.Total), Updated: n, UpdatedReady: n},
	}}
}

// advance moves a batch, under the checks that judge it meanwhile.
func (w *play) advance(r step.AdvanceRequest, now time.Duration) answer[api.Facts] {
	return w.moving(r, now, r.Checks)
}

func (w *play) revert(r step.AdvanceRequest, now time.Duration) answer[api.Facts] {
	return w.moving(r, now, nil)
}

func (w *play) moving(r step.AdvanceRequest, now time.Duration, checks []pipelines.ResolvedCheck) answer[api.Facts] {
	takes := w.script.moves(r.Cluster)
	for t := now; ; {
		st, stands := w.script.is(stalls, "", r.Cluster, t)
		if !stands {
			takes += t - now
			break
		}
		if r.Deadline > 0 && st.to-now >= r.Deadline || st.to == forever {
			return w.stalled(r, now, st, checks)
		}
		t = st.to
	}
	seen := w.looking(r.Cluster, []step.AdvanceRequest{r}, checks, now, takes)
	if seen.err == nil && len(seen.out.Checks) == 0 {
		seen.out = factsOf(r)
	}
	return seen
}

// stalled is a batch that does not get on until its deadline, or ever.
func (w *play) stalled(r step.AdvanceRequest, now time.Duration, st state, checks []pipelines.ResolvedCheck) answer[api.Facts] {
	takes := r.Deadline
	if takes <= 0 {
		takes = 2 * MaxVirtual
	}
	seen := w.looking(r.Cluster, []step.AdvanceRequest{r}, checks, now, takes)
	if seen.err != nil || len(seen.out.Checks) > 0 {
		return seen
	}
	why := cmp.Or(st.message, "nothing got on")
	seen.out.Stalled = true
	seen.out.Checks = []api.Check{{Name: api.Progress, At: pipelines.During, Verdict: api.Inconclusive, Message: why}}
	return seen
}

// observe looks at a unit while it soaks.
func (w *play) observe(r step.ObserveRequest, now time.Duration) answer[api.Facts] {
	workloads := r.Workloads
	if r.Record != "" {
		var record step.UnitRecord
		if err := w.records.read(r.Record, &record); err != nil {
			return answer[api.Facts]{err: err}
		}
		workloads = record.Soaking
	}
	var checks []pipelines.ResolvedCheck
	for _, one := range workloads {
		checks = one.Checks
	}
	if len(checks) == 0 {
		return answer[api.Facts]{err: w.script.away(r.Cluster, now)}
	}
	return w.looking(r.Cluster, workloads, checks, now, r.For)
}

// looking looks for a time, until a check does not pass, or the cluster is out of reach.
func (w *play) looking(
	cluster string, workloads []step.AdvanceRequest, checks []pipelines.ResolvedCheck, now, takes time.Duration,
) answer[api.Facts] {
	times := append([]time.Duration{now}, w.script.changes(now, now+takes)...)
	for _, t := range append(times, now+takes) {
		seen := answer[api.Facts]{took: t - now, err: w.script.away(cluster, t)}
		if seen.err != nil {
			return seen
		}
		if len(checks) == 0 {
			continue
		}
		facts := factsOf(workloads[0])
		found := measuring{w.script, cluster, pipelines.During, facts.Facts, t}.rules(checks)
		if _, bad := plan.FirstBad(found); bad {
			facts.Checks, seen.out = found, facts
			seen.out.Checks = found
			return seen
		}
	}
	return answer[api.Facts]{took: takes}
}

// enter says who keeps a unit out, and then lets it in once nobody does.
func (w *play) enter(r step.EnterRequest, now time.Duration) answer[permit.Admission] {
	for at := now; ; {
		st, is := w.script.is(occupied, "", r.Cluster, at)
		why := cmp.Or(st.message, st.by+" is in trouble")
		switch {
		case !is || r.Back:
			return answer[permit.Admission]{took: at - now}
		case r.Known != why:
			return answer[permit.Admission]{took: at - now, out: permit.Admission{Holder: st.by, Why: why}}
		case st.to == forever:
			return answer[permit.Admission]{took: 2 * MaxVirtual}
		}
		at = st.to
	}
}

// reach ends once a cluster answers.
func (w *play) reach(r step.Ref, now time.Duration) answer[step.Note] {
	return answer[step.Note]{took: w.script.back(r.Cluster, now) - now}
}

// ask measures checks at a point.
func (w *play) ask(r step.ChecksRequest, now time.Duration) answer[[]api.Check] {
	if err := w.script.away(r.Cluster, now); err != nil {
		return answer[[]api.Check]{err: err}
	}
	took, found := w.measuring(r, now).ask(w.checksOf(r))
	return answer[[]api.Check]{took: took, out: found}
}

// watch measures checks in the background.
func (w *play) watch(r step.ChecksRequest, now time.Duration) answer[[]api.Check] {
	if err := w.script.away(r.Cluster, now); err != nil {
		return answer[[]api.Check]{err: err}
	}
	took, found := w.measuring(r, now).watch(w.checksOf(r))
	for _, t := range w.script.changes(now, now+took) {
		if err := w.script.away(r.Cluster, t); err != nil {
			return answer[[]api.Check]{took: t - now, err: err}
		}
	}
	return answer[[]api.Check]{took: took, out: found}
}

func (w *play) measuring(r step.ChecksRequest, now time.Duration) measuring {
	return measuring{w.script, r.Cluster, r.Point, r.Facts, now}
}

func (w *play) checksOf(r step.ChecksRequest) []pipelines.ResolvedCheck {
	if r.Record == "" {
		return r.Checks
	}
	var record step.UnitRecord
	if err := w.records.read(r.Record, &record); err != nil {
		return nil
	}
	return record.Watched
}

// attempt makes one attempt at a task.
func (w *play) attempt(r step.AttemptRequest, now time.Duration) answer[step.AttemptResult] {
	if err := w.script.away(r.Cluster, now); err != nil {
		return answer[step.AttemptResult]{err: err}
	}
	end := answer[step.AttemptResult]{took: w.script.lasting(r.Task.Name)}
	if st, said := w.script.is(aTask, r.Task.Name, r.Cluster, now+end.took); said && st.verdict != api.Passed {
		end.out.Reason, end.out.Message = api.ReasonFailed, fmt.Sprintf("%s: %s", st.verdict, st.message)
		return end
	}
	end.out.Succeeded, end.out.Reason = true, api.ReasonSucceeded
	for _, d := range r.Declared {
		text, said := w.script.yields[r.Task.Name][d.Name]
		if !said {
			continue // whoever reads it is not started
		}
		value, err := d.Check(text)
		if err != nil {
			end.err = fault.New(fault.Invalid, "result %s of task %s %v", d.Name, r.Task.Name, err)
		}
		end.out.Results = append(end.out.Results, pipelines.ParamValue{Name: d.Name, Value: value})
	}
	return end
}
