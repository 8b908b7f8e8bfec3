package metrics

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/api/workflowservice/v1"
	"k8s.io/utils/clock"

	enumspb "go.temporal.io/api/enums/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fuse"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/planstore"
	"sluice.dev/sluice/pipelines"
)

// Ledger is the part of a ledger that is read. It is wide as what is open, counted, frozen, drilled and planned are kept apart; nothing
// is written.
type Ledger interface {
	ledger.Numbers
	Frozen(ctx context.Context) (list []api.Freeze, revision int64, err error)
	ListKept(ctx context.Context, kind string) ([]ledger.Kept, error)
	ListDrilled(ctx context.Context, drill string, limit int) ([]api.Drilled, error)
	ListRuns(ctx context.Context, subject api.Subject, limit int) ([]ledger.Run, error)
	planstore.Source
}

// Temporal is the part of a Temporal client that lists what is open and who serves it.
type Temporal interface {
	ListWorkflow(
		ctx context.Context, r *workflowservice.ListWorkflowExecutionsRequest,
	) (*workflowservice.ListWorkflowExecutionsResponse, error)
	DescribeTaskQueue(ctx context.Context, queue string, kind enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error)
}

// State is where the runs of a ledger are. It is read when somebody asks, so that a worker that has just begun tells the truth, and
// at most every freshFor. All fields are required.
type State struct {
	Ledger   Ledger
	Temporal Temporal
	Clock    clock.PassiveClock
	Queue    string // the central one of the ledger's installation
	Log      *slog.Logger
}

// Bounds of one read.
const (
	freshFor   = 10 * time.Second
	readWithin = 5 * time.Second
	maxOpen    = 1000 // runs that are looked at
	maxPages   = 10   // of a thousand executions each
	maxRuns    = 20   // that have series of their own
	maxSites   = 50   // whose queues are looked at
	maxNames   = 50   // of commands
	maxDrills  = 50
	maxFuses   = 50
	maxTimes   = 100 // of a drill, which are looked through for the last that was stopped
	maxStarted = 100 // runs, of which the last of each component is told
	maxTold    = 500 // deployments, of which the last of each cluster and component is told
	servedLast = 2 * time.Minute
)

// Watch has the metrics tell this state too.
func (m *Metrics) Watch(s State) {
	m.registry.MustRegister(&reader{State: s, plans: map[string]planned{}})
}

// reader reads a state for one scrape after another, one at a time.
type reader struct {
	State
	mu    sync.Mutex
	at    time.Time
	known []prometheus.Metric
	plans map[string]planned // of open runs
}

// Describe implements prometheus.Collector.
func (r *reader) Describe(to chan<- *prometheus.Desc) {
	for _, f := range families {
		if f.of == ofLedger {
			to <- f.desc
		}
	}
}

// Collect implements prometheus.Collector.
func (r *reader) Collect(to chan<- prometheus.Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.Clock.Now(); r.known == nil || now.Sub(r.at) >= freshFor {
		ctx, cancel := context.WithTimeout(context.Background(), readWithin)
		r.known, r.at = r.read(ctx, now), now
		cancel()
	}
	for _, m := range r.known {
		to <- m
	}
}

// read is everything that can be told now. Where one of both is away, what it would have said is left out.
func (r *reader) read(ctx context.Context, now time.Time) (all []prometheus.Metric) {
	say := func(m ...prometheus.Metric) { all = append(all, m...) }
	worked := func(source string, err error) bool {
		say(stateUp.is(asOne(err == nil), source))
		if err != nil {
			r.Log.Warn("cannot tell Prometheus where every run is; it is tried again", "source", source, "error", err)
		}
		return err == nil
	}
	open, err := r.fromLedger(ctx, say)
	if worked("ledger", err) {
		worked("plans", r.plan(ctx, open))
		worked("temporal", r.fromTemporal(ctx, open, now, say))
	}
	return all
}

// fromLedger says what the ledger alone knows, and returns the open runs.
func (r *reader) fromLedger(ctx context.Context, say func(...prometheus.Metric)) ([]ledger.OpenRun, error) {
	open, err := r.Ledger.OpenRuns(ctx, maxOpen)
	if err != nil {
		return nil, err
	}
	ended, err := r.Ledger.CountEnded(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := r.Ledger.CountEntries(ctx)
	if err != nil {
		return nil, err
	}
	frozen, _, err := r.Ledger.Frozen(ctx)
	if err != nil {
		return nil, err
	}
	size, err := r.Ledger.Size(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range api.Phases() {
		if p.Final() {
			say(runs.is(float64(ended[string(p)]), string(p)))
		}
	}
	say(ledgerSize.is(float64(size)), freezes.is(float64(len(frozen))))
	if len(frozen) > 0 {
		say(oldestFreeze.is(seconds(frozen[0].Since)))
	}
	say(told(entries)...)
	if err := r.fuses(ctx, frozen, say); err != nil {
		return nil, err
	}
	if err := r.changes(ctx, say); err != nil {
		return nil, err
	}
	return open, r.drills(ctx, say)
}

// fuses says which of them have tripped.
func (r *reader) fuses(ctx context.Context, frozen []api.Freeze, say func(...prometheus.Metric)) error {
	all, err := r.Ledger.ListKept(ctx, pipelines.KindFuse)
	if err != nil {
		return err
	}
	for _, k := range all[:min(len(all), maxFuses)] {
		tripped := slices.ContainsFunc(frozen, func(f api.Freeze) bool { return fuse.Tripped(f) == k.Name })
		say(fuseTripped.is(asOne(tripped), k.Name))
	}
	return nil
}

// changes says when runs began last, and when clusters were changed last.
func (r *reader) changes(ctx context.Context, say func(...prometheus.Metric)) error {
	began, err := r.Ledger.ListRuns(ctx, api.Subject{}, maxStarted)
	if err != nil {
		return err
	}
	known := map[api.Subject]bool{}
	for _, run := range began {
		if !known[run.Subject] {
			known[run.Subject] = true
			say(runStarted.is(seconds(run.Started), run.Subject.String()))
		}
	}
	last, err := r.Ledger.LastDeployed(ctx, maxTold)
	if err != nil {
		return err
	}
	for _, d := range last {
		say(deployed.is(seconds(d.At), d.Cluster, d.Subject.String()))
	}
	return nil
}

// drills says what the drills have proven.
func (r *reader) drills(ctx context.Context, say func(...prometheus.Metric)) error {
	all, err := r.Ledger.ListKept(ctx, api.DrillKind)
	if err != nil {
		return err
	}
	for _, d := range all[:min(len(all), maxDrills)] {
		times, err := r.Ledger.ListDrilled(ctx, d.Name, maxTimes)
		if err != nil {
			return err
		}
		proven, judged := d.At, false
		for _, t := range times {
			if t.Outcome.Judged() && !judged {
				judged = true
				say(drillStopped.is(asOne(t.Outcome == api.DrillStopped), d.Name))
			}
			if t.Outcome == api.DrillStopped {
				proven = t.Started
				break
			}
		}
		say(drillProven.is(seconds(proven), d.Name))
	}
	return nil
}

// told are the commands of the audit. Names come from whoever wrote it, so they are bounded.
func told(entries []ledger.Counted) (all []prometheus.Metric) {
	type series struct{ command, outcome string }
	counts, known := map[series]int{}, &names{most: maxNames}
	for _, e := range entries {
		outcome := "accepted"
		if e.Refused {
			outcome = "refused"
		}
		name, _ := known.of(e.Command)
		counts[series{name, outcome}] += e.Entries
	}
	for s, n := range counts {
		all = append(all, commands.is(float64(n), s.command, s.outcome))
	}
	return all
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
