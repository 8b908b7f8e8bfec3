package pipelines

import (
	"strconv"
	"time"
)

// Rules are how units move. A nil or empty field is "not said here".
type Rules struct {
	NodeSets       []NodeSet `json:"nodeSets,omitempty" items:"1..50"` // default one set, all nodes; the last must be all: true
	Batches        []Amount  `json:"batches,omitempty" items:"1..50"`  // cumulative within a node set; default 1, 10%, 50%, 100%
	MaxUnavailable *Amount   `json:"maxUnavailable,omitempty"`         // pods of a workload that may be unavailable at once; default 1
	MaxBehind      *Amount   `json:"maxBehind,omitempty"`              // dead nodes of a node set that may stay behind; default 10%
	Soak           *Soak     `json:"soak,omitempty"`
	// those of a stage are added to the defaults'; one of the same name replaces it
	Checks []Check `json:"checks,omitempty" items:"0..100"`
	// cluster label, or region, group, environment, businessSide, networkDomain
	GroupBy          string  `json:"groupBy,omitempty" is:"labelKey"`
	Order            *Order  `json:"order,omitempty"`            // default by risk
	MaxConcurrency   *Amount `json:"maxConcurrency,omitempty"`   // clusters that move at once within a group; default 1
	MaxFailures      *Amount `json:"maxFailures,omitempty"`      // failed clusters that a stage bears; default 0
	MaxGroupFailures *Amount `json:"maxGroupFailures,omitempty"` // of these, in one group; default as many as the stage
	// failed batches that a cluster bears, and goes on; default 0
	MaxBatchFailures *int      `json:"maxBatchFailures,omitempty" range:"0..1000"`
	MaxUnreachable   *Amount   `json:"maxUnreachable,omitempty"`   // unreachable clusters that a stage bears; default 0
	ProgressDeadline *Duration `json:"progressDeadline,omitempty"` // without progress for this long, a batch stalls; default 15m
}

// Order says in which order the units of a stage go.
type Order struct {
	By    string   `json:"by,omitempty" is:"order"`   // risk (default) or name
	Units []string `json:"units,omitempty" is:"name"` // explicit cluster names, first to last; the rest follow by By
}

// What units are ordered by.
const (
	OrderByRisk = "risk"
	OrderByName = "name"
)

// DefaultRules are the careful rules that hold where neither a stage nor its pipeline says otherwise.
func DefaultRules() Rules {
	return Rules{
		NodeSets:         []NodeSet{{Name: "all", Selector: Selector{All: true}}},
		Batches:          []Amount{Count(1), Percent(10), Percent(50), Percent(100)},
		MaxUnavailable:   new(Count(1)),
		MaxBehind:        new(Percent(10)),
		Soak:             noSoak(),
		Order:            &Order{By: OrderByRisk},
		MaxConcurrency:   new(Count(1)),
		MaxFailures:      new(Count(0)),
		MaxBatchFailures: new(0),
		MaxUnreachable:   new(Count(0)),
		ProgressDeadline: new(Duration(15 * time.Minute)),
	}
}

// EffectiveRules are the rules of a stage of this pipeline with nothing left unsaid: the stage's over the pipeline's
// defaults over DefaultRules. Lists and order are taken whole, soak field by field; checks add up, and one of the
// stage replaces the default one of the same name in its place. Every node set has a name. The result shares no
// memory with the pipeline that a caller would want to change.
func (p *Pipeline) EffectiveRules(stage *Stage) Rules {
	r := DefaultRules().overlaid(p.Spec.Defaults).overlaid(stage.Rules)
	r.NodeSets = named(r.NodeSets)
	return r
}

func (r Rules) overlaid(over Rules) Rules {
	if len(over.NodeSets) > 0 {
		r.NodeSets = over.NodeSets
	}
	if len(over.Batches) > 0 {
		r.Batches = over.Batches
	}
	if over.MaxUnavailable != nil {
		r.MaxUnavailable = over.MaxUnavailable
	}
	if over.MaxBehind != nil {
		r.MaxBehind = over.MaxBehind
	}
	if over.Soak != nil {
		r.Soak = r.Soak.overlaid(*over.Soak)
	}
	if len(over.Checks) > 0 {
		r.Checks = overlaidChecks(r.Checks, over.Checks)
	}
	if over.GroupBy != "" {
		r.GroupBy = over.GroupBy
	}
	if over.Order != nil {
		r.Order = &Order{By: over.Order.By, Units: over.Order.Units}
		if r.Order.By == "" {
			r.Order.By = OrderByRisk
		}
	}
	if over.MaxConcurrency != nil {
		r.MaxConcurrency = over.MaxConcurrency
	}
	if over.MaxFailures != nil {
		r.MaxFailures = over.MaxFailures
	}
	if over.MaxGroupFailures != nil {
		r.MaxGroupFailures = over.MaxGroupFailures
	}
	if over.MaxBatchFailures != nil {
		r.MaxBatchFailures = over.MaxBatchFailures
	}
	if over.MaxUnreachable != nil {
		r.MaxUnreachable = over.MaxUnreachable
	}
	if over.ProgressDeadline != nil {
		r.ProgressDeadline = over.ProgressDeadline
	}
	return r
}

func overlaidChecks(under, over []Check) []Check {
	replacing := make(map[string]Check, len(over))
	for _, c := range over {
		replacing[c.name()] = c
	}
	merged := make([]Check, 0, len(under)+len(over))
	for _, c := range under {
		if by, ok := replacing[c.name()]; ok {
			c = by
			delete(replacing, c.name())
		}
		merged = append(merged, c)
	}
	for _, c := range over {
		if _, ok := replacing[c.name()]; ok {
			merged = append(merged, c)
		}
	}
	return merged
}

// named gives every node set a name of its own: the one it has, else one made of its selector.
func named(sets []NodeSet) []NodeSet {
	result := make([]NodeSet, 0, len(sets))
	taken := map[string]bool{}
	for _, set := range sets {
		if set.Name != "" {
			taken[set.Name] = true
		}
	}
	for _, set := range sets {
		if set.Name == "" {
			base := set.derivedName()
			set.Name = base
			for i := 2; taken[set.Name]; i++ {
				set.Name = base + "-" + strconv.Itoa(i)
			}
			taken[set.Name] = true
		}
		result = append(result, set)
	}
	return result
}
