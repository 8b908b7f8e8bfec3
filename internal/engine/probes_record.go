package engine

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

// ProbeRecord is what is known of how well a case judges, held against what it needs to hold what changes.
type ProbeRecord struct {
	Enforcement probing.Enforcement `json:"enforcement"`
	Program     string              `json:"program,omitempty"` // whose record it is, as ConfigSpec.Program has it
	Holds       bool                `json:"holds"`             // it has what it needs; one that is Advisory needs nothing
	Missing     []string            `json:"missing,omitempty"` // what it has not, a sentence each
	Clusters    int                 `json:"clusters"`          // of the environment
	Quiet       int64               `json:"quiet"`             // runs that passed since the last noise
	Noise       time.Time           `json:"noise,omitzero"`    // when a failure ended last that nobody has found to be true
	False       int                 `json:"false"`             // failures that were labelled so
	True        int                 `json:"true"`
	Unlabelled  int                 `json:"unlabelled"`
	Others      []ProgramRecord     `json:"others,omitempty"` // of other programs that went by the name of the case
}

// ProgramRecord is how many quiet runs another program had, or how its failures were labelled.
type ProgramRecord struct {
	Program string `json:"program,omitempty"` // "": it was not noted what ran
	Quiet   int64  `json:"quiet,omitempty"`
	False   int    `json:"false,omitempty"`
	True    int    `json:"true,omitempty"`
}

// mostOthers is how many other programs a record names: those that had most.
const mostOthers = 3

// ProbeRecord holds what a program has done under the name of a case against an enforcement. Either of what that names is enough. What
// another program has proven counts for nothing.
func (e *Engine) ProbeRecord(ctx context.Context, probeCase, program string, of probing.Enforcement) (r ProbeRecord, err error) {
	r.Enforcement, r.Program = of, program
	if of.Mode != probing.Enforcing {
		r.Holds = true
		return r, nil
	}
	fleet, err := e.Fleet(ctx)
	if err != nil {
		return r, err
	}
	everywhere, qualified := fleet.inEnvironment(""), fleet.inEnvironment(of.Environment)
	if of.QuietRuns > 0 {
		r.Clusters = len(qualified)
		if err := e.quiet(ctx, &r, probeCase, qualified); err != nil {
			return r, err
		}
	}
	if of.FalsePositives != "" {
		if err := e.falsePositives(ctx, &r, probeCase, everywhere); err != nil {
			return r, err
		}
	}
	if of.QuietRuns <= 0 && of.FalsePositives == "" {
		r.Missing = append(r.Missing, "it names neither quiet runs nor a share of false positives that it has to keep to")
	}
	r.Holds = r.Holds || len(r.Missing) == 0
	return r, nil
}

// quiet counts runs that passed in an environment since the last noise there.
func (e *Engine) quiet(ctx context.Context, r *ProbeRecord, probeCase string, clusters []string) error {
	failures, err := e.failuresOf(ctx, r, probeCase, clusters)
	if err != nil {
		return err
	}
	r.Noise, r.Quiet = failures.Noise, failures.Quiet
	if r.Quiet >= int64(r.Enforcement.QuietRuns) {
		r.Holds = true
		return nil
	}
	missing := fmt.Sprintf("%d of %d quiet runs of revision %s in environment %s (%s)", r.Quiet, r.Enforcement.QuietRuns,
		named(r.Program), r.Enforcement.Environment, api.Counted(r.Clusters, "cluster"))
	if !r.Noise.IsZero() {
		missing += ", as a failure of " + r.Noise.UTC().Format(time.RFC3339) + " has not been found to be true"
	}
	var others []string
	for _, o := range r.Others {
		if o.Quiet > 0 {
			others = append(others, fmt.Sprintf("revision %s has %d", named(o.Program), o.Quiet))
		}
	}
	if len(others) > 0 {
		missing += "; " + strings.Join(others, ", ") + ", which are of something else"
	}
	r.Missing = append(r.Missing, missing)
	return nil
}

// named is a program for people.
func named(program string) string {
	if program == "" {
		return "unknown"
	}
	return program
}

// failuresOf are those of the program of a record. What others have is noted.
func (e *Engine) failuresOf(
	ctx context.Context, r *ProbeRecord, probeCase string, clusters []string,
) (own ledger.ProbeFailures, err error) {
	all, err := e.ledger.CountProbeFailures(ctx, probeCase, clusters)
	r.Others = nil
	for _, f := range all {
		switch {
		case f.Program == r.Program:
			own = f
		case len(r.Others) < mostOthers && f.Quiet+int64(f.False+f.True) > 0:
			r.Others = append(r.Others, ProgramRecord{Program: f.Program, Quiet: f.Quiet, False: f.False, True: f.True})
		}
	}
	return own, err
}

// falsePositives holds what failures were labelled against a bound. So many have to be labelled that one false one would be within it.
func (e *Engine) falsePositives(ctx context.Context, r *ProbeRecord, probeCase string, clusters []string) error {
	bound, err := percent(r.Enforcement.FalsePositives)
	if err != nil {
		return err
	}
	failures, err := e.failuresOf(ctx, r, probeCase, clusters)
	if err != nil {
		return err
	}
	r.False, r.True, r.Unlabelled = failures.False, failures.True, failures.Unlabelled
	has, least := r.False+r.True, int(math.Ceil(1/bound))
	switch {
	case has < least:
		r.Missing = append(r.Missing, fmt.Sprintf("%d of %d labelled failures of revision %s, by which %s can be told", has, least,
			named(r.Program), r.Enforcement.FalsePositives))
	case float64(r.False) > bound*float64(has):
		r.Missing = append(r.Missing, fmt.Sprintf("%d of %d labelled failures were false, which is more than %s", r.False, has,
			r.Enforcement.FalsePositives))
	default:
		r.Holds = true
	}
	return nil
}

// percent reads a share, such as 5%.
func percent(text string) (float64, error) {
	number, is := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	if !is || err != nil || !(share > 0 && share <= 100) {
		return 0, fault.New(fault.Invalid, "%.20q is no share of false positives: write one such as 5%%", text)
	}
	return share / 100, nil
}

// inEnvironment are the clusters of an environment, by name; all of them where that is "".
func (f *Fleet) inEnvironment(environment string) (all []string) {
	for _, cluster := range slices.Sorted(maps.Keys(f.docs.Clusters)) {
		if at, known := f.Cluster(cluster); known && (environment == "" || at.Environment == environment) {
			all = append(all, cluster)
		}
	}
	return all
}
