package engine

import (
	"context"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// Busy is an open run with the clusters of a plan that it moves.
type Busy struct {
	Run       string   `json:"run"`
	Component string   `json:"component"`
	Version   string   `json:"version"`
	By        string   `json:"by"`
	Clusters  []string `json:"clusters"`
}

// recentRuns is how many runs of a component are looked through for open ones.
const recentRuns = 50

// busy lists the open runs of a plan's component that move clusters of it.
func (e *Engine) busy(ctx context.Context, planned *Planned) ([]Busy, error) {
	units := planned.Plan.AllUnits()
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.Cluster
	}
	open, err := e.openRuns(ctx, planned.Plan.Subject)
	if err != nil {
		return nil, err
	}
	return e.moving(ctx, planned.Plan.Subject, open, names)
}

// alone refuses where an open run of the component moves one of the clusters. Where such a run has arrived, and only soaks,
// it does not: a hotfix waits out no soak, and ends the looks of the run before it. It cannot be told without Temporal.
func (e *Engine) alone(ctx context.Context, subject api.Subject, clusters []string) error {
	if _, err := e.Server(ctx); err != nil {
		return err
	}
	open, err := e.openRuns(ctx, subject)
	if err != nil {
		return err
	}
	others, err := e.moving(ctx, subject, open, clusters)
	if err != nil || len(others) == 0 {
		return err
	}
	r := others[0]
	return fault.New(fault.Refused, "run %s (%s %s, by %s) is open and moves %s too; wait for it, or abort it with: %s abort %s",
		r.Run, r.Component, r.Version, r.By, few(r.Clusters), e.options.Program, r.Run)
}

// openRun is a run that has not ended.
type openRun struct {
	ledger.Run
	back bool // it takes back what it moved, or what another run did
}

// openRuns lists the runs of a component that Temporal still executes; those that the ledger calls open, where it cannot
// be asked.
func (e *Engine) openRuns(ctx context.Context, subject api.Subject) ([]openRun, error) {
	all, err := e.ledger.ListRuns(ctx, subject, recentRuns)
	if err != nil {
		return nil, err
	}
	var open []openRun
	away := false
	for _, r := range all {
		if !r.Ended.IsZero() {
			continue
		}
		is, phase := away, api.Phase(r.Phase)
		if !away {
			is, phase, err = e.openPhase(ctx, r.Name)
			if away = fault.CodeOf(err) == fault.Unreachable; err != nil && !away {
				return nil, err
			}
		}
		if is || away {
			open = append(open, openRun{r, r.Back != "" || phase == api.PhaseRollingBack})
		}
	}
	return open, nil
}

// goesBack names the open run that takes back all of these clusters of a run that has ended; "" where none does.
func (e *Engine) goesBack(ctx context.Context, known ledger.Run, clusters []string) (string, error) {
	server, err := e.Server(ctx)
	if err != nil {
		return "", err
	}
	open, err := e.openRuns(ctx, known.Subject)
	if err != nil {
		return "", err
	}
	for _, r := range open {
		if r.Back != known.Name {
			continue
		}
		began := server.Temporal.GetWorkflowHistory(ctx, r.Name, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		if !began.HasNext() {
			continue
		}
		first, err := began.Next()
		if err != nil {
			return "", e.temporalFault(err, "cannot read what run %s takes back", r.Name)
		}
		var in api.RolloutInput
		input := first.GetWorkflowExecutionStartedEventAttributes().GetInput()
		if err := server.values().FromPayloads(input, &in); err != nil || in.Back == nil {
			continue
		}
		if !slices.ContainsFunc(clusters, func(c string) bool { return !slices.Contains(in.Back.Units, c) }) {
			return r.Name, nil
		}
	}
	return "", nil
}

// moving lists which of some runs of a component move which of some clusters. Those that a run has arrived in it moves no
// more.
func (e *Engine) moving(ctx context.Context, subject api.Subject, runs []openRun, clusters []string) ([]Busy, error) {
	if len(runs) == 0 {
		return nil, nil
	}
	arrived, err := e.waysBack(ctx, subject)
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]bool, len(clusters))
	for _, c := range clusters {
		wanted[c] = true
	}
	var all []Busy
	for _, r := range runs {
		other, err := e.ReadPlan(ctx, r.Plan)
		if err != nil {
			return nil, err
		}
		var both []string
		for _, u := range other.AllUnits() {
			if wanted[u.Cluster] && (r.back || arrived[u.Cluster].Run != r.Name) {
				both = append(both, u.Cluster)
			}
		}
		if len(both) > 0 {
			all = append(all, Busy{Run: r.Name, Component: r.Subject.String(), Version: r.Version, By: r.By, Clusters: both})
		}
	}
	return all, nil
}
