package metrics

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// What an agent says of the probes that it runs.
var (
	probeResults = family(ofAgent, counter, "sluice_probe_results_total",
		"Results of a case by verdict.", "cluster", "case", "verdict")
	probeCodes = family(ofAgent, counter, "sluice_probe_codes_total",
		"Results of all cases by verdict, and by the word that their programs have for what they found.", "verdict", "code")
	probeStands = family(ofAgent, gauge, "sluice_probe_stands",
		"Targets of a case by what is known of them: Passing, Failing, Unknown (which they are too if nobody has looked for too long) or "+
			"Skipped.", "cluster", "case", "state")
	probeMissed = family(ofAgent, counter, "sluice_probe_missed_total",
		"Runs of a case that were due and did not begin.", "cluster", "case")
	probeSaid = family(ofAgent, gauge, "sluice_probe_said_timestamp_seconds",
		"When the probes of a cluster that has some were last heard of by their agent, which hears of all of them each minute.", "cluster")
	probeAfter = family(ofAgent, histogram, "sluice_probe_event_to_verdict_seconds",
		"How long after a change in a cluster a case that answers to it had a verdict; the case's own time is part of it.")
)

// Bounds of what an agent's page has. Cases that come later share one name, and so do codes.
const (
	maxCases = 1000 // pairs of a cluster and a case
	maxCodes = 100
)

// forgotten is how long a target is shown that is not among those of its cluster any more.
const forgotten = 5 * time.Minute

// Probes are the metrics of an agent's probes, made of what these say. It is safe for concurrent use.
type Probes struct {
	registry *prometheus.Registry
	clock    clock.PassiveClock
	clusters *names
	cases    *names
	codes    *names
	byCode   *prometheus.CounterVec
	took     prometheus.Histogram
	after    prometheus.Histogram

	mu    sync.Mutex
	said  map[string]time.Time // of each cluster
	swept map[string]time.Time
	all   map[probed]*caseStand
}

// probed is a case in a cluster, by the names under which it is shown.
type probed struct{ cluster, name string }

// caseStand is what is known of a case in a cluster, or of those that share a name.
type caseStand struct {
	namespace, severity string
	results             map[api.Verdict]float64
	missed              map[string]int64 // by case; under "" of those that are gone
	targets             map[targetOf]targetStand
	took                time.Duration
	passed              time.Time
}

// targetOf is a target by its own names.
type targetOf struct{ cluster, name, target string }

// targetStand is what is known of a case at a target.
type targetStand struct {
	probing.Stand
	said time.Time
}

// NewProbes returns the metrics of an agent whose probes have said nothing yet.
func NewProbes(c clock.PassiveClock) *Probes {
	p := &Probes{
		registry: prometheus.NewRegistry(), clock: c,
		clusters: &names{most: maxClusters}, cases: &names{most: maxCases}, codes: &names{most: maxCodes}, byCode: probeCodes.counter(),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: checkTook.Name, Help: checkTook.Help, Buckets: []float64{1, 5, 10, 30, 60, 120, 300},
		}),
		after: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: probeAfter.Name, Help: probeAfter.Help, Buckets: []float64{.25, .5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600},
		}),
		said: map[string]time.Time{}, swept: map[string]time.Time{}, all: map[probed]*caseStand{},
	}
	p.registry.MustRegister(p.byCode, p.took, p.after, shownProbes{p})
	return p
}

func (p *Probes) gatherer() prometheus.Gatherer { return p.registry }

// Said takes what the probes of a cluster said. It is given everything once.
func (p *Probes) Said(s probing.Said) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cluster, _ := p.clusters.of(s.Cluster)
	p.said[cluster] = s.At
	for i := range s.Stands {
		st := s.Stands[i]
		c := p.known(p.named(s.Cluster, st.Case))
		c.namespace, c.severity = st.Namespace, grade(st.Severity)
		c.missed[st.Case] = max(c.missed[st.Case], st.Missed)
		st.Last, st.Events = nil, nil // they are not shown
		c.targets[targetOf{s.Cluster, st.Case, st.Target}] = targetStand{st, s.At}
	}
	for i := range s.Outcomes {
		p.outcome(s.Cluster, &s.Outcomes[i])
	}
	for _, name := range s.Gone {
		c := p.known(p.named(s.Cluster, name))
		c.missed[""] += c.missed[name] // one of the name that comes again begins anew
		delete(c.missed, name)
		maps.DeleteFunc(c.targets, func(of targetOf, _ targetStand) bool { return of.cluster == s.Cluster && of.name == name })
	}
	if s.At.Sub(p.swept[cluster]) < time.Minute {
		return
	}
	p.swept[cluster] = s.At
	for at, c := range p.all {
		if at.cluster == cluster {
			maps.DeleteFunc(c.targets, func(of targetOf, t targetStand) bool { return of.cluster == s.Cluster && s.At.Sub(t.said) > forgotten })
		}
	}
}

// named are the names under which a case is shown.
func (p *Probes) named(cluster, name string) probed {
	shown, _ := p.clusters.of(cluster)
	if one, _ := p.cases.of(shown + "/" + name); one == other {
		name = other
	}
	return probed{shown, name}
}

func (p *Probes) known(at probed) *caseStand {
	c := p.all[at]
	if c == nil {
		c = &caseStand{results: map[api.Verdict]float64{}, missed: map[string]int64{}, targets: map[targetOf]targetStand{}}
		p.all[at] = c
	}
	return c
}

// outcome counts a result.
func (p *Probes) outcome(cluster string, o *probing.Outcome) {
	c := p.known(p.named(cluster, o.Case))
	c.results[o.Verdict]++
	if o.Code != "" {
		code, _ := p.codes.of(o.Code)
		p.byCode.WithLabelValues(string(o.Verdict), code).Inc()
	}
	if o.Verdict == api.Passed && o.Ended.After(c.passed) {
		c.passed = o.Ended
	}
	if long := o.Ended.Sub(o.Started); !o.Started.IsZero() && long >= 0 {
		c.took = long
		p.took.Observe(long.Seconds())
	}
	if by := o.Cause; by.Kind == probing.ByEvent && by.At != nil {
		p.after.Observe(max(0, o.Ended.Sub(*by.At).Seconds())) // it may be that the end is known to the second only
	}
}

// grade is a severity that there is, else none.
func grade(severity string) string {
	switch severity {
	case "P0", "P1", "P2", "P3", "P4":
		return severity
	}
	return ""
}
