package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

var (
	serverProbes = shared(family(ofServer, gauge, "sluice_server_probes",
		"Cases at targets that probes know of, by case and state: Passing, Failing, Skipped, or Unknown, as one is whose last result is older "+
			"than it may be. Every server says it of all of them.", "case", "state"))
	serverProbeRuns = family(ofServer, counter, "sluice_server_probe_runs_total",
		"Runs of probes that a server was told of, by case and verdict.", "case", "verdict")
	serverProbeCodes = family(ofServer, counter, "sluice_server_probe_codes_total",
		"Runs of probes that did not pass, by the code that they gave.", "code")
	serverProbeMissed = family(ofServer, counter, "sluice_server_probe_missed_total",
		"Runs of probes that were due and did not begin, by case.", "case")
	serverProbeDropped = family(ofServer, counter, "sluice_server_probe_dropped_total",
		"Outcomes of probes that agents had no room for while they could not tell them.")
	serverProbeLate = family(ofServer, histogram, "sluice_server_probe_lateness_seconds",
		"How long after a run of a probe had ended a server had kept what came of it.")
)

// Bounds on what is counted of probes.
const (
	maxMissing     = 100_000 // cases in clusters whose missed runs are counted
	maxServerCases = 200
	readsProbes    = 5 * time.Second
	probesAtMost   = 15 * time.Second // what was read is shown for so long
)

// ServerProbes counts what agents tell of probes. It is safe for concurrent use.
type ServerProbes struct {
	runs    *prometheus.CounterVec
	codes   *prometheus.CounterVec
	missed  *prometheus.CounterVec
	dropped prometheus.Counter
	late    prometheus.Histogram
	cases   *names
	coded   *names
	now     func() time.Time

	mu   sync.Mutex
	last map[[2]string]int64 // missed runs of a case in a cluster
}

// Probes has it be shown what probes know, as read says it, and returns what counts what they tell. It is called once at most.
func (s *Server) Probes(now func() time.Time, read func(context.Context) ([]ledger.ProbeCount, error)) *ServerProbes {
	p := &ServerProbes{
		runs: serverProbeRuns.counter(), codes: serverProbeCodes.counter(), missed: serverProbeMissed.counter(),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: serverProbeDropped.Name, Help: serverProbeDropped.Help}),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: serverProbeLate.Name, Help: serverProbeLate.Help, Buckets: []float64{.1, .25, .5, 1, 2, 5, 15, 60, 300, 3600},
		}),
		cases: &names{most: maxServerCases}, coded: &names{most: maxCodes}, now: now, last: map[[2]string]int64{},
	}
	s.registry.MustRegister(p.runs, p.codes, p.missed, p.dropped, p.late, &probeStates{read: read, cases: p.cases, now: now})
	return p
}

// Heard counts what was told of a cluster.
func (p *ServerProbes) Heard(said probing.Said) {
	now := p.now()
	p.dropped.Add(float64(said.Dropped))
	for _, o := range said.Outcomes {
		p.runs.WithLabelValues(p.caseOf(o.Case), string(o.Verdict)).Inc()
		if o.Verdict != api.Passed && o.Code != "" {
			code, _ := p.coded.of(o.Code)
			p.codes.WithLabelValues(code).Inc()
		}
		p.late.Observe(max(now.Sub(o.Ended).Seconds(), 0))
	}
	for _, s := range said.Stands {
		if n := p.missedSince(said.Cluster, s); n > 0 {
			p.missed.WithLabelValues(p.caseOf(s.Case)).Add(float64(n))
		}
	}
}

// caseOf is what a case is called. All of its series begin at 0.
func (p *ServerProbes) caseOf(probeCase string) string {
	name, first := p.cases.of(probeCase)
	if first {
		for _, v := range []api.Verdict{api.Passed, api.Failed, api.Inconclusive, api.Error, api.Skipped} {
			p.runs.WithLabelValues(name, string(v))
		}
		p.missed.WithLabelValues(name)
	}
	return name
}

// missedSince is how many more runs were missed than when it was told last. What is told first is where counting begins.
func (p *ServerProbes) missedSince(cluster string, s probing.Stand) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := [2]string{cluster, s.Case}
	was, known := p.last[key]
	if !known && len(p.last) >= maxMissing {
		return 0
	}
	p.last[key] = max(s.Missed, was)
	if s.Missed < was { // its prober has begun anew
		p.last[key] = s.Missed
		return 0
	}
	if !known {
		return 0
	}
	return s.Missed - was
}

// probeStates says, each time that it is asked, how many cases are in which state.
type probeStates struct {
	read  func(context.Context) ([]ledger.ProbeCount, error)
	cases *names
	now   func() time.Time

	mu   sync.Mutex
	at   time.Time
	seen []ledger.ProbeCount
}

// Describe implements prometheus.Collector.
func (*probeStates) Describe(to chan<- *prometheus.Desc) { to <- serverProbes.desc }

// Collect implements prometheus.Collector. Where the ledger does not answer nothing is shown.
func (p *probeStates) Collect(to chan<- prometheus.Metric) {
	counts := map[[2]string]int{}
	for _, c := range p.counts() {
		name, _ := p.cases.of(c.Case)
		for _, state := range []probing.State{probing.Passing, probing.Failing, probing.Unknown, probing.Paused} {
			counts[[2]string{name, string(state)}] += 0
		}
		counts[[2]string{name, string(c.State)}] += c.Count
	}
	for of, n := range counts {
		to <- serverProbes.is(float64(n), of[0], of[1])
	}
}

func (p *probeStates) counts() []ledger.ProbeCount {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Sub(p.at).Abs() >= probesAtMost {
		ctx, stop := context.WithTimeout(context.Background(), readsProbes)
		defer stop()
		seen, err := p.read(ctx)
		if err != nil {
			return nil
		}
		p.seen, p.at = seen, now
	}
	return p.seen
}
