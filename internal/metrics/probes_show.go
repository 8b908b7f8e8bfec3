package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// The names that Kuberhealthy has, of both of its major versions, for dashboards and alerts that go by them. Its label error is left
// out, as it has no bound.
var (
	khRunning = family(ofAgent, gauge, "kuberhealthy_running",
		"1 where an agent runs probes. Kuberhealthy's name.")
	khLeader = family(ofAgent, gauge, "kuberhealthy_controller_leader",
		"1 where an agent runs probes: an agent is one process. Kuberhealthy's name.")
	khCluster = family(ofAgent, gauge, "kuberhealthy_cluster_state",
		"0 where a case fails in a cluster, else 1. Kuberhealthy's name.", "cluster")
	khCheck = family(ofAgent, gauge, "kuberhealthy_check",
		"0 where a case fails, 1 where it passes; absent where it is not known. Kuberhealthy's name.",
		"cluster", "check", "namespace", "severity", "status")
	khLong = family(ofAgent, gauge, "kuberhealthy_check_duration_seconds",
		"How long the last run of a case took. Kuberhealthy's name.", "cluster", "check", "namespace")
	khStreak = family(ofAgent, gauge, "kuberhealthy_check_consecutive_failures",
		"Results in a row that say that a case fails, of the target with the most. Kuberhealthy's name.", "cluster", "check", "namespace")
	khPassed = family(ofAgent, counter, "kuberhealthy_check_success_total",
		"Results of a case that passed. Kuberhealthy's name.", "cluster", "check", "namespace")
	khFailed = family(ofAgent, counter, "kuberhealthy_check_failure_total",
		"Results of a case that failed: it found a fault. Kuberhealthy's name.", "cluster", "check", "namespace")
	khSince = family(ofAgent, gauge, "kuberhealthy_check_seconds_since_success",
		"How long ago a case last passed; -1 where it has not since the agent began. Kuberhealthy's name.", "cluster", "check", "namespace")
	checkTook = family(ofAgent, histogram, "kuberhealthy_check_run_duration_seconds",
		"How long runs of cases took. Kuberhealthy's name.")
)

var (
	verdicts = []api.Verdict{api.Passed, api.Failed, api.Inconclusive, api.Error, api.Skipped}
	states   = []probing.State{probing.Passing, probing.Failing, probing.Unknown, probing.Paused}
)

// shownProbes shows what is known of probes when somebody asks.
type shownProbes struct{ of *Probes }

// Describe implements prometheus.Collector.
func (shownProbes) Describe(to chan<- *prometheus.Desc) {
	for _, f := range []*Family{
		probeResults, probeStands, probeMissed, probeSaid, khRunning, khLeader, khCluster, khCheck, khLong, khStreak, khPassed, khFailed, khSince,
	} {
		to <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (s shownProbes) Collect(to chan<- prometheus.Metric) {
	p := s.of
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	to <- khRunning.is(1)
	to <- khLeader.is(1)
	well := map[string]float64{}
	for at, c := range p.all {
		for _, v := range verdicts {
			to <- probeResults.is(c.results[v], at.cluster, at.name, string(v))
		}
		var missed int64
		for _, n := range c.missed {
			missed += n
		}
		to <- probeMissed.is(float64(missed), at.cluster, at.name)
		if len(c.targets) == 0 {
			continue // the cluster has it no more
		}
		in, streak := c.standing(now)
		for _, state := range states {
			to <- probeStands.is(float64(in[state]), at.cluster, at.name, string(state))
		}
		if state, there := well[at.cluster]; !there || state == 1 {
			well[at.cluster] = 1
			if in[probing.Failing] > 0 {
				well[at.cluster] = 0
			}
		}
		c.likeKuberhealthy(to, at, now, in, streak)
	}
	for cluster, state := range well { // of one that has no cases nothing is to be heard
		to <- khCluster.is(state, cluster)
		to <- probeSaid.is(float64(p.said[cluster].Unix()), cluster)
	}
}

// standing is how many targets of a case are in which state, and the most results in a row that say that one fails.
func (c *caseStand) standing(now time.Time) (in map[probing.State]int, streak int) {
	in = map[probing.State]int{}
	for _, t := range c.targets {
		state := t.At(now)
		in[state]++
		if state == probing.Failing {
			streak = max(streak, t.Streak)
		}
	}
	return in, streak
}

// likeKuberhealthy shows a case under Kuberhealthy's names.
func (c *caseStand) likeKuberhealthy(to chan<- prometheus.Metric, at probed, now time.Time, in map[probing.State]int, streak int) {
	labels := []string{at.cluster, at.name, c.namespace}
	switch {
	case in[probing.Failing] > 0:
		to <- khCheck.is(0, at.cluster, at.name, c.namespace, c.severity, "0")
	case in[probing.Unknown] == 0:
		to <- khCheck.is(1, at.cluster, at.name, c.namespace, c.severity, "1")
	}
	since := -1.0
	if !c.passed.IsZero() {
		since = max(0, now.Sub(c.passed).Seconds())
	}
	to <- khLong.is(c.took.Seconds(), labels...)
	to <- khStreak.is(float64(streak), labels...)
	to <- khPassed.is(c.results[api.Passed], labels...)
	to <- khFailed.is(c.results[api.Failed], labels...)
	to <- khSince.is(since, labels...)
}
