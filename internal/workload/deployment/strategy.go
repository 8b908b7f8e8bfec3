package deployment

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/kit"
)

var (
	mostUnavailable = []string{"spec", "strategy", "rollingUpdate", "maxUnavailable"}
	mostSurge       = []string{"spec", "strategy", "rollingUpdate", "maxSurge"}
)

// strategyFor is the strategy by which a locked Deployment's controller is told a ration. Both numbers are said in percent
// where they can be, the lowest that comes to them: for up to 100 replicas there always is one. An autoscaler that shrinks
// the Deployment would else leave a number that is most of it, or all.
func strategyFor(r ration, replicas int) map[string]any {
	return rolling(goneFor(r.gone, replicas), extraFor(r.extra, replicas))
}

// sayable is the ration that the controller takes from strategyFor.
func sayable(r ration, replicas int) ration {
	if extra, ok := extraFor(r.extra, replicas).(string); ok {
		r.extra = field.Amount(extra, replicas, true)
	}
	return r
}

// goneFor rounds as the controller does with maxUnavailable: down.
func goneFor(n, replicas int) any {
	if percent := (100*n + replicas - 1) / max(1, replicas); n > 0 && percent*replicas/100 == n {
		return fmt.Sprintf("%d%%", percent)
	}
	return int64(n)
}

// extraFor rounds as the controller does with maxSurge: up. Where no percentage comes to n it is the next that comes to less.
func extraFor(n, replicas int) any {
	most := 100 * n / max(1, replicas)
	if n == 0 || most == 0 {
		return int64(n)
	}
	n = (most*replicas + 99) / 100
	return fmt.Sprintf("%d%%", 100*(n-1)/replicas+1)
}

// pausedStrategy is the strategy of a Deployment that is paused before its pods move, of which there are so many. No old pod
// would go if somebody had it go on.
func pausedStrategy(object *unstructured.Unstructured, governs map[string]any, pods int) map[string]any {
	if recreates(governs) {
		return map[string]any{"type": field.At(governs, "type")}
	}
	replicas := replicasOf(object)
	extra := field.At(object.Object, mostSurge...)
	if locked(object) {
		extra = keptFor(object, governs, pods)
	}
	if field.Amount(extra, replicas, true) == 0 {
		return strategyFor(ration{gone: 1}, replicas)
	}
	return rolling(int64(0), extra)
}

// keptStrategy is the strategy of a Deployment that is paused in the middle of a step, with so many pods.
func keptStrategy(object *unstructured.Unstructured, governs map[string]any, pods int) map[string]any {
	gone, extra := field.At(object.Object, mostUnavailable...), keptFor(object, governs, pods)
	if replicas := replicasOf(object); field.Amount(gone, replicas, false) == 0 && field.Amount(extra, replicas, true) == 0 {
		gone = int64(1)
	}
	return rolling(gone, extra)
}

// keptFor is the surge under which a Deployment that is paused keeps the pods that it has: its controller scales what is
// paused, old and new pods alike, and takes good ones too. That is the surge as it was, unless the controller has not done yet
// what it was told. Where pods are missing, or more are there than the owner's surge allows, it stays as well.
func keptFor(object *unstructured.Unstructured, governs map[string]any, pods int) any {
	replicas := replicasOf(object)
	n, extra := pods-replicas, field.At(object.Object, mostSurge...)
	if n < 0 || n > allowed(governs, replicas, 1).surge || field.Amount(extra, replicas, true) == n {
		return extra
	}
	if percent := extraFor(n, replicas); field.Amount(percent, replicas, true) == n {
		return percent
	}
	return int64(n)
}

func rolling(gone, extra any) map[string]any {
	return map[string]any{
		"type":          string(appsv1.RollingUpdateDeploymentStrategyType),
		"rollingUpdate": map[string]any{"maxUnavailable": gone, "maxSurge": extra},
	}
}

// steady reports whether a Deployment's controller has done what it was told, where so many pods are new and old.
func steady(live *unstructured.Unstructured, moved, rest int) bool {
	r := told(live)
	return field.Observed(live) >= live.GetGeneration() && moved == r.most() && rest == replicasOf(live)-r.gone
}

// told is what a Deployment's controller was told, for the replicas that it has now.
func told(object *unstructured.Unstructured) ration {
	replicas := replicasOf(object)
	r := ration{
		gone:  field.Amount(field.At(object.Object, mostUnavailable...), replicas, false),
		extra: field.Amount(field.At(object.Object, mostSurge...), replicas, true),
	}
	if r == (ration{}) {
		r.gone = 1 // the controller never takes both for 0
	}
	return r
}

// shrinks reports whether what a Deployment's controller was told is less where there are fewer replicas.
func shrinks(object *unstructured.Unstructured) bool {
	for _, path := range [][]string{mostUnavailable, mostSurge} {
		text, ok := field.At(object.Object, path...).(string)
		if !strings.HasSuffix(text, "%") && (ok || field.Number(object, 0, path...) != 0) {
			return false
		}
	}
	return true
}

// allowed is what an owner's strategy and the pipeline's budget come to: a surge rounds up, what may be unavailable rounds
// down, both are a quarter where the owner says nothing, and where both come to 0 one pod may be unavailable. An owner who
// surges has none taken away before its successor is there.
func allowed(strategy map[string]any, replicas, budget int) allowance {
	a := allowance{surge: field.Amount(orQuarter(field.At(strategy, "rollingUpdate", "maxSurge")), replicas, true)}
	if a.surge == 0 {
		down := field.Amount(orQuarter(field.At(strategy, "rollingUpdate", "maxUnavailable")), replicas, false)
		a.down = max(1, min(down, budget))
	}
	return a
}

func orQuarter(value any) any {
	if value == nil {
		return "25%"
	}
	return value
}

func strategyOf(object *unstructured.Unstructured) map[string]any {
	strategy, _ := field.At(object.Object, "spec", "strategy").(map[string]any)
	return strategy
}

func isPaused(object *unstructured.Unstructured) bool {
	paused, _, _ := unstructured.NestedBool(object.Object, "spec", "paused")
	return paused
}

// recreates reports whether a strategy allows no two versions at once.
func recreates(strategy map[string]any) bool {
	return field.At(strategy, "type") == string(appsv1.RecreateDeploymentStrategyType)
}

// governing returns the owner's strategy under which a Deployment's pods move: the one that it has once the run is over. On
// the way back it is not one that takes all pods down, unless the way forward did.
func governing(s *kit.Session, owner map[string]any, back bool) (map[string]any, error) {
	read := func(recorded, rendered *unstructured.Unstructured) (map[string]any, error) {
		fields, err := s.Family.Restored(recorded, rendered, owner)
		strategy, _ := fields["strategy"].(map[string]any)
		return strategy, err
	}
	forward, err := read(s.Spec.WayBack, s.Spec.Target)
	if err != nil || !back || s.Spec.WayBack == nil {
		return forward, err
	}
	backward, err := read(s.Spec.WayBack, s.Spec.WayBack)
	if err != nil || !recreates(backward) || recreates(forward) {
		return backward, err
	}
	return forward, nil
}
