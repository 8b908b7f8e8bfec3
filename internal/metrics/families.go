package metrics

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Family is a metric of Sluice's own, as its page shows it.
type Family struct {
	Name   string
	Labels []string
	Help   string
	kind   prometheus.ValueType
	of     scope
	shared bool // though it is of a process, all say the same of all
	desc   *prometheus.Desc
}

// Alike reports whether whoever says it says the same: of several the most is taken, and they are not added up.
func (f *Family) Alike() bool { return f.of == ofLedger || f.shared }

// scope is whom a family speaks of.
type scope string

const (
	ofWorker scope = "worker" // what the process has done: add up
	ofLedger scope = "ledger" // what is so, whichever worker says it: take the most
	ofServer scope = "server" // what a server has answered: add up
	ofAgent  scope = "agent"  // what the probes of an agent's clusters have found: add up
)

var families []*Family

func family(of scope, kind prometheus.ValueType, name, help string, labels ...string) *Family {
	f := &Family{Name: name, Labels: labels, Help: help, kind: kind, of: of, desc: prometheus.NewDesc(name, help, labels, nil)}
	families = append(families, f)
	return f
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
	// histogram is no value of its own: the vector has its buckets
	histogram = prometheus.UntypedValue
)

// What a worker counts.
var (
	apiRequests = family(ofWorker, counter, "sluice_api_requests_total",
		"Requests to the API server of a cluster, by what came of them: answered, refused, throttled, failed or unanswered.",
		"cluster", "outcome")
	apiKept = family(ofWorker, counter, "sluice_api_throttled_seconds_total",
		"How long requests to a cluster waited for the budget under which the worker asks it.", "cluster")
	checkVerdicts = family(ofWorker, counter, "sluice_check_verdicts_total",
		"What checks have found, by kind of step and verdict; rules over pods, which are judged at every look, as kind gate.",
		"kind", "verdict")
)

// What the ledger and Temporal say.
var (
	runs = family(ofLedger, gauge, "sluice_runs",
		"Runs by phase: all that have ended, and those that are open.", "phase")
	units = family(ofLedger, gauge, "sluice_units",
		"Clusters of open runs that are begun and not done, by phase.", "phase")
	stalledRuns = family(ofLedger, gauge, "sluice_runs_stalled",
		"Open runs without progress for longer than their deadline.")
	runStalled = family(ofLedger, gauge, "sluice_run_stalled",
		"1 where an open run that is to get on by itself did not for longer than its deadline; of those longest without progress.",
		"component", "run")
	runProgress = family(ofLedger, gauge, "sluice_run_last_progress_timestamp_seconds",
		"When an open run last got on; of the runs that are longest without progress.", "component", "run")
	runDeadline = family(ofLedger, gauge, "sluice_run_progress_deadline_seconds",
		"The longest progressDeadline of an open run's stages; of the runs that are longest without progress.", "component", "run")
	commands = family(ofLedger, counter, "sluice_commands_total",
		"Commands in the audit, by name and outcome: accepted or refused.", "command", "outcome")
	runStarted = family(ofLedger, gauge, "sluice_run_started_timestamp_seconds",
		"When the last run of a component began, of the last hundred runs.", "component")
	deployed = family(ofLedger, gauge, "sluice_cluster_deployed_timestamp_seconds",
		"When a component was last brought to a cluster, or taken back there, of the last 500 such times.", "cluster", "component")
	freezes = family(ofLedger, gauge, "sluice_freezes",
		"Freezes that hold.")
	oldestFreeze = family(ofLedger, gauge, "sluice_freeze_oldest_timestamp_seconds",
		"When the oldest freeze that holds began; absent where none does.")
	fuseTripped = family(ofLedger, gauge, "sluice_fuse_tripped",
		"1 where a fuse has tripped and its freeze holds, 0 where not.", "fuse")
	drillStopped = family(ofLedger, gauge, "sluice_drill_stopped",
		"1 where the bad version of a drill was stopped when it ran last, 0 where not; absent before anything was proven.", "drill")
	drillProven = family(ofLedger, gauge, "sluice_drill_proven_timestamp_seconds",
		"When the last run of a drill that was stopped began; when the drill was set up, where none was.", "drill")
	ledgerSize = family(ofLedger, gauge, "sluice_ledger_size_bytes",
		"How much the ledger takes, blobs included.")
	pollers = family(ofLedger, gauge, "sluice_task_queue_pollers",
		"Workers that asked a task queue for work within the last two minutes, of the queues that open runs need.", "task_queue", "type")
	stateUp = family(ofLedger, gauge, "sluice_state_up",
		"1 where the ledger, the plans of open runs and Temporal could be read; 0 where not, and then what they would have said is absent.",
		"source")
)

func (f *Family) counter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Help}, f.Labels)
}

func (f *Family) is(value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
}

// Families are the metrics of Sluice's own, in the order of their names.
func Families() []*Family {
	return slices.SortedFunc(slices.Values(families), func(a, b *Family) int { return strings.Compare(a.Name, b.Name) })
}

// Kind is counter, gauge or histogram.
func (f *Family) Kind() string {
	switch f.kind {
	case counter:
		return "counter"
	case histogram:
		return "histogram"
	}
	return "gauge"
}

// Of is worker, ledger, server or agent: whose the metric is.
func (f *Family) Of() string { return string(f.of) }
