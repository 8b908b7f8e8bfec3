package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines/rule"
)

// CompareRequest asks which of a case's targets are unlike the others.
type CompareRequest struct {
	Case string
	// Rule is a condition in CEL that what was observed has to fulfil; "": each text and each bool is as most targets have it.
	Rule string
}

// Compared is what came of a comparison.
type Compared struct {
	Targets  int            `json:"targets"` // that were held against each other
	Usual    map[string]any `json:"usual"`   // of each thing that was observed, what most have
	Outliers []Outlier      `json:"outliers"`
	Silent   []string       `json:"silent,omitempty"` // clusters of which nothing counts: they are as unknown as they were
}

// Outlier is a target that does not fit.
type Outlier struct {
	Cluster string   `json:"cluster"`
	Target  string   `json:"target,omitempty"`
	Run     string   `json:"run"`
	Because []string `json:"because"`
}

// CompareProbes holds what a case observed last at all of its targets against each other. What is too old does not count, nor what its run
// could not tell. It is fault.NotFound where there is nothing to be compared.
func (e *Engine) CompareProbes(ctx context.Context, req CompareRequest) (out Compared, err error) {
	var fits *rule.ObservedRule
	if req.Rule != "" {
		if fits, err = rule.CompileObserved(req.Rule); err != nil {
			return out, fault.Wrap(fault.Invalid, err, "cannot compare case %s by %q", req.Case, req.Rule)
		}
	}
	all, err := e.Probes(ctx, ProbesQuery{Case: req.Case})
	if err != nil {
		return out, err
	}
	var observed []rule.Observed
	var of []KnownProbe
	for _, k := range all {
		if k.State == probing.Unknown || k.Last == nil || len(k.Last.Observations) == 0 {
			if !slices.Contains(out.Silent, k.Cluster) {
				out.Silent = append(out.Silent, k.Cluster)
			}
			continue
		}
		of = append(of, k)
		observed = append(observed, rule.Observed{
			Cluster: k.Cluster, Target: k.Target, Environment: k.Environment, Observed: plainly(k.Last.Observations),
		})
	}
	if len(of) == 0 {
		return out, fault.New(fault.NotFound, "cannot compare case %s: it has observed nothing that counts", req.Case)
	}
	out.Targets, out.Usual = len(of), usual(observed)
	median := medians(observed)
	out.Outliers = []Outlier{}
	for i, o := range observed {
		o.Usual, o.Median = out.Usual, median
		because := unusual(o)
		if fits != nil {
			because = unfit(ctx, fits, req.Rule, o)
		}
		if len(because) > 0 {
			out.Outliers = append(out.Outliers, Outlier{of[i].Cluster, of[i].Target, of[i].Last.ID, because})
		}
	}
	return out, nil
}

// plainly are observations as rules read them.
func plainly(raw map[string]json.RawMessage) map[string]any {
	all := map[string]any{}
	for name, text := range raw {
		var value any
		if json.Unmarshal(text, &value) == nil {
			all[name] = value
		}
	}
	return all
}

// usual is of each thing what most have; of two that as many have, the one that comes first as it is written.
func usual(all []rule.Observed) map[string]any {
	counts, values := map[string]map[string]int{}, map[string]any{}
	for _, o := range all {
		for name, value := range o.Observed {
			text := written(value)
			if counts[name] == nil {
				counts[name] = map[string]int{}
			}
			counts[name][text]++
			values[name+"\n"+text] = value
		}
	}
	most := map[string]any{}
	for name, of := range counts {
		best := ""
		for _, text := range slices.Sorted(maps.Keys(of)) {
			if best == "" || of[text] > of[best] {
				best = text
			}
		}
		most[name] = values[name+"\n"+best]
	}
	return most
}

// written is a value as JSON has it.
func written(value any) string {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if enc.Encode(value) != nil {
		return "?" // it was read from JSON
	}
	return strings.TrimSpace(text.String())
}

// medians are those of the numbers that were observed.
func medians(all []rule.Observed) map[string]float64 {
	numbers := map[string][]float64{}
	for _, o := range all {
		for name, value := range o.Observed {
			if n, is := value.(float64); is {
				numbers[name] = append(numbers[name], n)
			}
		}
	}
	middle := map[string]float64{}
	for name, of := range numbers {
		slices.Sort(of)
		middle[name] = of[len(of)/2]
	}
	return middle
}

// unusual says which texts and bools are not as most have them. Numbers are seldom equal: they need a rule.
func unusual(o rule.Observed) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(o.Usual)) {
		if _, number := o.Usual[name].(float64); number {
			continue
		}
		value, there := o.Observed[name]
		switch {
		case !there:
			all = append(all, name+" was not observed")
		case written(value) != written(o.Usual[name]):
			all = append(all, fmt.Sprintf("%s is %s, and %s with most", name, written(value), written(o.Usual[name])))
		}
	}
	return all
}

// unfit says why what was observed does not fulfil a rule; nothing where it does. What cannot be told does not fit.
func unfit(ctx context.Context, fits *rule.ObservedRule, source string, o rule.Observed) []string {
	is, err := fits.Fits(ctx, o)
	switch {
	case err != nil:
		return []string{"it cannot be told: " + err.Error()}
	case is:
		return nil
	}
	seen := []string{}
	for _, name := range slices.Sorted(maps.Keys(o.Observed)) {
		if strings.Contains(source, name) {
			seen = append(seen, name+" is "+written(o.Observed[name]))
		}
	}
	if len(seen) == 0 {
		seen = append(seen, "it does not fulfil the rule")
	}
	return seen
}
