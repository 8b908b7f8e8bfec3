package report

import (
	"fmt"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
)

// Cluster is a cluster of a run, or several that went the same way.
type Cluster struct {
	Stage   string
	Group   string
	Names   string
	Phase   api.Phase
	Version string
	Batches int
	Began   time.Time
	Ended   time.Time
	Why     string
}

// Clock is when the first of them began.
func (c Cluster) Clock() string { return clock(c.Began) }

// Lasted is how long it took from the first that began to the last that ended.
func (c Cluster) Lasted() string { return lasted(c.Began, c.Ended) }

// clusters are the rows of a run: one for each cluster, and where that is too many, one for all that went the same way.
func clusters(r *api.RunStatus) ([]Cluster, string) {
	all := units(r)
	alone := len(all) <= maxUnits
	type like struct {
		stage, group, version, why string
		phase                      api.Phase
		batches                    int
	}
	at := map[like]int{}
	var rows []Cluster
	var names [][]string
	for _, u := range all {
		key := like{u.Stage, u.Group, u.Version, unitWhy(u), u.Phase, len(u.Batches)}
		i, known := at[key]
		if !known || alone {
			i = len(rows)
			at[key] = i
			rows = append(rows, Cluster{
				Stage: said(u.Stage), Group: said(u.Group), Phase: u.Phase, Version: said(u.Version), Batches: len(u.Batches), Why: key.why,
			})
			names = append(names, nil)
		}
		row := &rows[i]
		names[i] = append(names[i], u.Cluster)
		if !u.Started.IsZero() && (row.Began.IsZero() || u.Started.Before(row.Began)) {
			row.Began = u.Started
		}
		if u.Ended.After(row.Ended) {
			row.Ended = u.Ended
		}
	}
	for i := range rows {
		rows[i].Names = said(few(names[i]))
		if n := len(names[i]); n > 1 {
			rows[i].Names = fmt.Sprintf("%d: %s", n, rows[i].Names)
		}
	}
	if alone || len(rows) <= maxUnits {
		return rows, ""
	}
	// What did not go well is what a reader looks for.
	slices.SortStableFunc(rows, func(a, b Cluster) int { return plain(a) - plain(b) })
	return rows[:maxUnits], fmt.Sprintf("%d more rows are left out", len(rows)-maxUnits)
}

func plain(c Cluster) int {
	if c.Why == "" {
		return 1
	}
	return 0
}

// unitWhy is what is to be said of a unit beside its phase.
func unitWhy(u *api.UnitStatus) string {
	switch {
	case u.Cause != nil:
		return found(*u.Cause)
	case u.Failure != nil:
		return found(*u.Failure)
	case u.Ending != nil && u.Ending.Reason != "":
		return said(u.Ending.By + ": " + u.Ending.Reason)
	case u.Waiting != nil:
		return said("waits for " + string(u.Waiting.Kind) + " " + u.Waiting.Name)
	case u.FailedBatches > 0:
		return fmt.Sprintf("failed batches that it bore: %d", u.FailedBatches)
	}
	return ""
}
