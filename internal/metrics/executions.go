package metrics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/visible"
)

// underWay is what Temporal has open for a run.
type underWay struct {
	phase api.Phase
	moved time.Time // when its latest unit was begun
	units int
	goes  bool // a unit is to get on
	stuck bool // a unit has stalled
}

// fromTemporal says in which phases open runs and their units are, and who serves them.
func (r *reader) fromTemporal(ctx context.Context, open []ledger.OpenRun, now time.Time, say func(...prometheus.Metric)) error {
	under, count, err := r.executions(ctx)
	if err != nil {
		return err
	}
	served, err := r.served(ctx, open, now)
	if err != nil {
		return err
	}
	phases := map[api.Phase]int{}
	standing := make([]standing, len(open))
	for i, run := range open {
		standing[i] = stand(run, under[run.Name], r.plans[run.Plan].deadline, now)
		phases[standing[i].phase]++
	}
	for _, p := range api.Phases() {
		if !p.Final() {
			say(runs.is(float64(phases[p]), string(p)), units.is(float64(count[p]), string(p)))
		}
	}
	say(slowest(standing)...)
	say(served...)
	return nil
}

// executions lists what the installation has open, by run, and counts its units by phase.
func (r *reader) executions(ctx context.Context) (map[string]underWay, map[api.Phase]int, error) {
	under, count := map[string]underWay{}, map[api.Phase]int{}
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("TaskQueue = '%s' AND ExecutionStatus = 'Running'", r.Queue), PageSize: 1000,
	}
	for range maxPages {
		page, err := r.Temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range page.GetExecutions() {
			run := cmp.Or(e.GetRootExecution().GetWorkflowId(), e.GetExecution().GetWorkflowId())
			u := under[run]
			switch phase := phaseOf(e); e.GetType().GetName() {
			case api.RolloutName:
				u.phase = phase
			case api.ClusterRolloutName:
				count[phase]++
				u.units++
				u.goes = u.goes || goes(phase) || phase == api.PhaseWaiting // for whoever is to begin with it
				u.stuck = u.stuck || phase == api.PhaseStalled
				if at := e.GetStartTime().AsTime(); at.After(u.moved) {
					u.moved = at
				}
			}
			under[run] = u
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			break
		}
	}
	return under, count, nil
}

// phaseOf is what an execution says of itself; Pending before it has said anything, or where it says what nobody knows.
func phaseOf(e *workflowpb.WorkflowExecutionInfo) api.Phase {
	var said string
	visible.Attribute(e, api.AttributePhase, &said)
	if phase := api.Phase(said); slices.Contains(api.Phases(), phase) {
		return phase
	}
	return api.PhasePending
}

// standing is where an open run stands.
type standing struct {
	ledger.OpenRun
	phase    api.Phase
	deadline time.Duration
	stalled  bool
}

// goes tells whether what is in a phase is to get on. What soaks, is checked, waits, was stopped or needs somebody's decision may
// take as long as it takes.
func goes(p api.Phase) bool {
	switch p {
	case api.PhasePending, api.PhaseMoving, api.PhaseUnreachable, api.PhaseRollingBack:
		return true
	}
	return false
}

// stand says whether a run got nowhere for longer than its deadline. A run that moves may have units that all soak; one that has no
// unit, or that Temporal does not know, is to get on.
func stand(run ledger.OpenRun, u underWay, deadline time.Duration, now time.Time) standing {
	s := standing{OpenRun: run, phase: cmp.Or(u.phase, api.PhasePending), deadline: deadline}
	if u.moved.After(s.Moved) {
		s.Moved = u.moved
	}
	late := deadline > 0 && now.Sub(s.Moved) > deadline
	s.stalled = u.stuck || s.phase == api.PhaseStalled || late && goes(s.phase) && (u.goes || u.units == 0)
	return s
}

// slowest are the runs that are longest without progress, those that have stalled first.
func slowest(all []standing) (said []prometheus.Metric) {
	slices.SortFunc(all, func(a, b standing) int {
		return cmp.Or(cmp.Compare(asOne(b.stalled), asOne(a.stalled)), a.Moved.Compare(b.Moved), cmp.Compare(a.Name, b.Name))
	})
	stalled := 0.0
	for i, s := range all {
		stalled += asOne(s.stalled)
		if i < maxRuns {
			component := s.Subject.String()
			said = append(said, runStalled.is(asOne(s.stalled), component, s.Name),
				runProgress.is(seconds(s.Moved), component, s.Name), runDeadline.is(s.deadline.Seconds(), component, s.Name))
		}
	}
	return append(said, stalledRuns.is(stalled))
}

func asOne(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// served says how many workers ask the queues that open runs need for work.
func (r *reader) served(ctx context.Context, open []ledger.OpenRun, now time.Time) (said []prometheus.Metric, err error) {
	type kind struct {
		name string
		of   enumspb.TaskQueueType
	}
	workflows, activities := kind{"workflow", enumspb.TASK_QUEUE_TYPE_WORKFLOW}, kind{"activity", enumspb.TASK_QUEUE_TYPE_ACTIVITY}
	queues := map[string][]kind{r.Queue: {workflows, activities}, api.ChecksQueue(r.Queue): {activities}}
	sites := map[string]bool{}
	for _, run := range open {
		for _, site := range r.plans[run.Plan].sites {
			sites[site] = true
		}
	}
	for i, site := range slices.Sorted(maps.Keys(sites)) {
		if i < maxSites {
			queue := api.SiteQueue(r.Queue, site)
			queues[queue], queues[api.ChecksQueue(queue)] = []kind{activities}, []kind{activities}
		}
	}
	for _, queue := range slices.Sorted(maps.Keys(queues)) {
		for _, k := range queues[queue] {
			there, err := r.Temporal.DescribeTaskQueue(ctx, queue, k.of)
			if err != nil {
				return nil, err
			}
			asking := 0.0
			for _, p := range there.GetPollers() {
				asking += asOne(now.Sub(p.GetLastAccessTime().AsTime()) < servedLast)
			}
			said = append(said, pollers.is(asking, queue, k.name))
		}
	}
	return said, nil
}
