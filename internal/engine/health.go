package engine

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
)

// HealthSignal is what the probes of a cluster say together, as other programs that upgrade clusters read it: a condition Healthy.
type HealthSignal struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Metadata   HealthOf     `json:"metadata"`
	Status     HealthStatus `json:"status"`
}

// HealthOf names the cluster.
type HealthOf struct {
	Name string `json:"name"`
}

// HealthStatus has the condition.
type HealthStatus struct {
	Conditions []HealthCondition `json:"conditions"`
}

// HealthCondition is a condition, with the fields of those of Kubernetes.
type HealthCondition struct {
	Type               string                 `json:"type"`
	Status             metav1.ConditionStatus `json:"status"`
	Reason             string                 `json:"reason"`
	Message            string                 `json:"message"`
	LastTransitionTime time.Time              `json:"lastTransitionTime,omitzero"`
}

// namedBeside is how many advisory cases a message names.
const namedBeside = 10

// Health says whether a cluster is healthy, by its enforcing cases alone: False where one fails, Unknown where one is not known, or where
// there is none that has something to look at. With since, a case is known only by what was begun after that: a pass from before a change
// says nothing of it. It is fault.NotFound for a cluster that neither the fleet nor any probe knows.
func (e *Engine) Health(ctx context.Context, cluster string, since time.Time) (HealthSignal, error) {
	signal := HealthSignal{APIVersion: probing.GroupVersion.String(), Kind: probing.KindSignal, Metadata: HealthOf{Name: cluster}}
	all, err := e.Probes(ctx, ProbesQuery{Cluster: cluster})
	if err != nil {
		return signal, err
	}
	own, err := e.Fleet(ctx)
	if err != nil {
		return signal, err
	}
	if _, known := own.Cluster(cluster); !known && len(all) == 0 {
		return signal, fault.New(fault.NotFound, "cannot find cluster %s: neither %s nor any probe knows it", cluster, ofTheLedger)
	}
	signal.Status.Conditions = []HealthCondition{healthy(all, since)}
	return signal, nil
}

// healthy is the condition that stands make.
func healthy(all []KnownProbe, since time.Time) HealthCondition {
	c := HealthCondition{Type: probing.ConditionHealthy}
	var failing, unknown, skipped, beside []string
	looked := 0
	for _, p := range all {
		name := p.Case
		if p.Target != "" {
			name += " at " + p.Target
		}
		if p.Last != nil && p.Last.Message != "" {
			name += ": " + clip.Runes(p.Last.Message, 200)
		}
		if p.Enforcement.Mode != probing.Enforcing {
			if p.State == probing.Failing {
				beside = append(beside, name)
			}
			continue
		}
		if p.State == probing.Paused {
			skipped = append(skipped, name)
			continue
		}
		looked++
		if p.Since.After(c.LastTransitionTime) {
			c.LastTransitionTime = p.Since
		}
		// What passes still because nobody could look has not been looked at since.
		seen := p.Last != nil && p.Last.Verdict == api.Passed && p.Last.Started.After(since)
		switch old := !since.IsZero() && !seen; {
		case p.State == probing.Failing:
			failing = append(failing, name)
		case old:
			unknown = append(unknown, name+" (nothing since "+since.UTC().Format(time.RFC3339)+")")
		case p.State == probing.Unknown:
			unknown = append(unknown, name)
		}
	}
	well := ""
	if looked > 0 {
		well = fmt.Sprintf("%d enforcing results, none of them bad", looked)
	}
	c.Status, c.Reason, c.Message = probing.Healthy(failing, unknown, skipped, well)
	if len(beside) > 0 {
		c.Message += "; advisory and failing: " + clip.Few(beside, namedBeside)
	}
	return c
}
