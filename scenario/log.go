package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/scenario/world"
	"sluice.dev/sluice/workflows/ask"
	"sluice.dev/sluice/workflows/show"
)

// decision is one thing that was decided, or done, at a time.
type decision struct {
	at   time.Duration
	who  string // the unit, "run", "task NAME", or a person
	what string
	rank int
}

// In which order things are told that happen at one time: what people do, what goes on, and what becomes of it.
const (
	ofPeople = iota
	ofTasks
	ofUnits // and the number of the unit in the plan
	ofRun   = 1 << 20
	ofEnd   = 1 << 21
)

// log listens to workflows, and keeps what they decide. What happens at one time is sorted, so that the same scenario says the same.
type log struct {
	interceptor.WorkerInterceptorBase
	mu      sync.Mutex
	starts  time.Time
	subject string            // that runs and units move
	plan    string            // its hash as people read it, which is another whenever the documents are
	ranks   map[string]int    // by path of a unit
	paths   map[string]string // of units, by cluster
	all     []decision
	last    map[string]string
	closed  bool // the scenario is over
}

func newLog(starts time.Time, p *plan.Plan) *log {
	l := &log{
		starts: starts, subject: p.Subject.String(), plan: plan.Hash(p)[:12],
		ranks: map[string]int{}, paths: map[string]string{}, last: map[string]string{},
	}
	for _, u := range p.AllUnits() {
		l.ranks[u.Path], l.paths[u.Cluster] = ofUnits+len(l.ranks), u.Path
	}
	return l
}

// decisions are what was kept, a line each.
func (l *log) decisions() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.SortStableFunc(l.all, func(a, b decision) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.rank, b.rank)) })
	wide := 0
	for _, d := range l.all {
		wide = max(wide, len(d.who))
	}
	lines := make([]string, 0, len(l.all))
	for _, d := range l.all {
		lines = append(lines, fmt.Sprintf("%-8s %-*s  %s", short(d.at), wide, d.who, d.what))
	}
	return lines
}

// add keeps a decision. Nothing is decided twice in a row.
func (l *log) add(at time.Duration, who string, rank int, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	what = strings.Join(strings.Fields(strings.ReplaceAll(what, l.plan, "PLAN")), " ")
	if l.closed || len(l.all) >= MaxDecisions || l.last[who] == what && rank != ofPeople {
		return
	}
	l.last[who] = what
	at = at.Truncate(time.Second)
	if rank == ofRun {
		l.forget(at)
	}
	l.all = append(l.all, decision{at, who, what, rank})
}

// passes notes that somebody does something else than was kept last.
func (l *log) passes(at time.Duration, who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last[who] = ""
	if who == "run" {
		l.forget(at.Truncate(time.Second))
	}
}

// forget takes back what the run showed in the same second: it hears of its units one by one.
func (l *log) forget(at time.Duration) {
	l.all = slices.DeleteFunc(l.all, func(d decision) bool { return d.rank == ofRun && d.at == at })
}

// end keeps where a run is at the end of the scenario, and nothing after it.
func (l *log) end(at time.Duration, where string) {
	l.add(at, "end", ofEnd, where)
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
}

// heard keeps what somebody was told.
func (l *log) heard(at time.Duration, c command, h world.Heard) {
	switch {
	case h.Rejected != nil:
		l.add(at, c.who, ofPeople, c.verb+": refused: "+ask.MessageOf(h.Rejected))
	case h.Err != nil:
		l.add(at, c.who, ofPeople, c.verb+": "+ask.MessageOf(h.Err))
	case h.Answer.Message != "":
		l.add(at, c.who, ofPeople, c.verb+": "+h.Answer.Message)
	}
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (l *log) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &inbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, l}
}

type inbound struct {
	interceptor.WorkflowInboundInterceptorBase
	log *log
}

// Init implements interceptor.WorkflowInboundInterceptor.
func (i *inbound) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&outbound{WorkflowOutboundInterceptorBase: interceptor.WorkflowOutboundInterceptorBase{Next: out}, log: i.log})
}

// outbound is one workflow.
type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	log *log
}

func (o *outbound) at(ctx workflow.Context) time.Duration { return workflow.Now(ctx).Sub(o.log.starts) }

// unit keeps what a unit does.
func (o *outbound) unit(ctx workflow.Context, path, what string) {
	o.log.add(o.at(ctx), path, o.log.ranks[path], what)
}

// passing are the phases of which other lines tell: what begins then.
var passing = []api.Phase{api.PhasePending, api.PhaseChecking, api.PhaseMoving}

// UpsertTypedSearchAttributes keeps the phases of a run and its units.
func (o *outbound) UpsertTypedSearchAttributes(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) error {
	said := temporal.NewSearchAttributes(updates...)
	phase, _ := said.GetKeyword(show.AttrPhase)
	waits, _ := said.GetKeyword(show.AttrWaitingFor)
	info := workflow.GetInfo(ctx)
	switch info.WorkflowType.Name {
	case api.ClusterRolloutName:
		o.shows(ctx, strings.TrimSuffix(info.WorkflowExecution.ID, "/"+o.log.subject), api.Phase(phase), waits)
	case api.RolloutName:
		o.shows(ctx, "run", api.Phase(phase), waits)
	}
	return o.Next.UpsertTypedSearchAttributes(ctx, updates...)
}

// shows keeps a phase. Those that are passed in no time say nothing, and neither do ends: what is recorded says why.
func (o *outbound) shows(ctx workflow.Context, who string, phase api.Phase, waits string) {
	rank, unit := o.log.ranks[who]
	switch {
	case phase == "", phase.Final(), phase == api.PhaseRollingBack && waits == "" && !unit:
	case slices.Contains(passing, phase), unit && phase == api.PhaseWaiting:
		o.log.passes(o.at(ctx), who)
	case unit:
		o.log.add(o.at(ctx), who, rank, phaseOf(phase, waits))
	default:
		o.log.add(o.at(ctx), who, ofRun, phaseOf(phase, waits))
	}
}

// ExecuteActivity keeps batches, attempts at tasks and ends.
func (o *outbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	if len(args) == 1 {
		o.hear(ctx, name, args[0])
	}
	return o.Next.ExecuteActivity(ctx, name, args...)
}

func (o *outbound) hear(ctx workflow.Context, name string, arg any) {
	switch r := arg.(type) {
	case step.AdvanceRequest:
		if name == step.Advance.Name() {
			o.unit(ctx, o.log.paths[r.Cluster], movesTo(o.log.paths[r.Cluster], r))
		}
	case step.AttemptRequest:
		label := r.Task.Name
		if r.Matrix {
			label += fmt.Sprintf("[%d]", r.Combination+1)
		}
		o.log.add(o.at(ctx), "task "+label, ofTasks, fmt.Sprintf("attempt %d", r.Number))
	case step.SaveUnitRequest:
		o.unit(ctx, r.Record.Path, unitEnd(r.Record.UnitStatus))
	case api.RunStatus:
		o.log.ended(o.at(ctx), r)
	}
}

// ended keeps the end of a run, of its tasks, and of the units that it never came to.
func (l *log) ended(at time.Duration, r api.RunStatus) {
	for i := range r.Tasks {
		t := &r.Tasks[i]
		when := at
		if !t.Ended.IsZero() {
			when = t.Ended.Sub(l.starts)
		}
		l.add(when, "task "+t.Label(), ofTasks, fmt.Sprintf("ends %s: %s", t.Phase, t.Reason))
	}
	for _, st := range r.Stages {
		for _, u := range st.Units {
			if u.Phase == api.PhaseSkipped && u.Detail == "" {
				l.add(at, u.Path, l.ranks[u.Path], "ends "+string(u.Phase))
			}
		}
	}
	l.add(at, "run", ofEnd, "ends "+string(r.Phase))
}
