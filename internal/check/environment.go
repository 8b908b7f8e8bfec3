package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"sluice.dev/sluice/pipelines"
)

// variable is one of a program's environment.
type variable struct{ name, value string }

// environment is what a program of a check finds in its environment: its params, and what is known of the unit. Of what is not known
// there is no variable.
func environment(q Question) ([]variable, error) {
	var env []variable
	given := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(q.Params)) {
		v := variable{pipelines.EnvName(name), textOf(q.Params[name])}
		if other, twice := given[v.name]; twice {
			return nil, fmt.Errorf("params %s and %s are both the variable %s", other, name, v.name)
		}
		given[v.name] = name
		env = append(env, v)
	}
	f := q.Facts
	for _, v := range []variable{
		{"SLUICE_RUN", f.Change.Run},
		{"SLUICE_COMPONENT", f.Change.Component},
		{"SLUICE_VERSION", f.Change.Version},
		{"SLUICE_PREVIOUS", f.Change.Previous},
		{"SLUICE_POINT", string(q.Point)},
		{"SLUICE_UNIT", f.Unit.Path},
		{"SLUICE_CLUSTER", clusterOf(q)},
		{"SLUICE_GROUP", f.Unit.Group},
		{"SLUICE_STAGE", cmp.Or(f.Unit.Stage, f.Stage.Name)},
		{"SLUICE_ENVIRONMENT", f.Unit.Environment},
		{"SLUICE_REGION", f.Unit.Region},
		{"SLUICE_WORKLOAD_KIND", f.Workload.Kind},
		{"SLUICE_WORKLOAD_NAMESPACE", f.Workload.Namespace},
		{"SLUICE_WORKLOAD_NAME", f.Workload.Name},
		{"SLUICE_WORKLOAD_REVISION", f.Workload.Revision},
		{"SLUICE_BATCH", numberOf(f.Batch.Number)},
	} {
		if v.value != "" {
			env = append(env, v)
		}
	}
	return env, nil
}

func clusterOf(q Question) string {
	if q.Place != nil && q.Place.Cluster != "" {
		return q.Place.Cluster
	}
	return q.Facts.Unit.Cluster
}

func numberOf(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// textOf is a param as a program reads it; an array or object is JSON.
func textOf(v any) string {
	return pipelines.ParamValue{Value: v}.Text()
}
