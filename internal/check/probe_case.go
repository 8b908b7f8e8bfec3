package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/caserun"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

// ProbeCases are the checks that have cases of probes run in the cluster of the unit, and go by what comes of them.
type ProbeCases struct {
	clock  clock.WithDelayedExecution
	runner *caserun.Runner
	mask   func(string) string
}

// NewProbeCases returns the kind of check. Mask takes secrets out of what is quoted of a case.
func NewProbeCases(c clock.WithDelayedExecution, mask func(string) string) *ProbeCases {
	return &ProbeCases{c, &caserun.Runner{Clock: c}, mask}
}

// maxCaseRuns is how many runs one measurement is at most.
const maxCaseRuns = 500

// Ask makes the runs of the measurement, and waits for them. One that is asked for again is the one that is there already.
func (p *ProbeCases) Ask(ctx context.Context, q Question) Finding {
	if q.Place == nil {
		return Finding{Verdict: api.Error, Message: "a case runs in a cluster, and this is about none"}
	}
	l := &caseLook{step: q.Step.Probe, question: q, clock: p.clock, mask: p.mask}
	if f := l.choose(ctx); f != nil {
		return *f
	}
	ends, err := p.runner.Run(ctx, q.Place.API, l.asks, l.decided, nil)
	switch {
	case ctx.Err() != nil:
		cause := context.Cause(ctx)
		if errors.Is(cause, ErrOver) {
			cause = l.leave(ctx, ends, cause)
		}
		return Finding{Verdict: api.Error, Message: cause.Error() + waitedFor(ends)}
	case fault.CodeOf(err) == fault.Unreachable: // it may be asked again once the cluster is back
		return Finding{Verdict: api.Error, Message: err.Error()}
	case err != nil:
		return Finding{Verdict: api.Error, Message: l.leave(ctx, ends, err).Error()}
	}
	l.take(ends)
	if err := l.lost(ctx); err != nil {
		return Finding{Verdict: api.Error, Message: err.Error()}
	}
	if f := l.residents(ctx); f != nil {
		return *f
	}
	return l.finding()
}

// leave takes away the runs that nobody will ask for again.
func (l *caseLook) leave(ctx context.Context, ends []caserun.End, cause error) error {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), comeBack-time.Second)
	defer cancel()
	if err := caserun.Remove(within, l.question.Place.API, ends); err != nil {
		return fmt.Errorf("%w; its runs are left to their end: %w", cause, err)
	}
	return cause
}

// caseLook is one measurement, and what is found in it.
type caseLook struct {
	step     *pipelines.ProbeCase
	question Question
	clock    clock.WithDelayedExecution
	mask     func(string) string

	pods    Pods
	written time.Time      // when the unit's workloads were written last, by the cluster's clock
	made    []*probing.Run // what the cluster has run so far, the latest first
	cases   []*oneCase
	asks    []caserun.Ask
}

// oneCase is a case of a measurement, with each target that it is run for.
type oneCase struct {
	config   *probing.Config
	advisory bool // it only reports
	part     string
	ofBatch  bool // its targets are nodes that have what is new
	targets  []*caseTarget
}

// caseTarget is a case at a target.
type caseTarget struct {
	name    string
	ask     int // index of what is asked; -1 where it needs no run
	fresh   *probing.Run
	verdict api.Verdict // "" as long as there is none
	code    string
	says    string
	run     string // which says so
	node    string
	before  string // why it is known to have failed before the change already
}

// choose says which cases are run for which targets, or why none is.
func (l *caseLook) choose(ctx context.Context) *Finding {
	configs, err := caserun.Configs(ctx, l.question.Place.API)
	if err != nil {
		return &Finding{Verdict: api.Error, Message: err.Error()}
	}
	chosen, none := l.chosen(configs)
	if none != "" {
		return &Finding{Verdict: api.Error, Message: none}
	}
	if l.pods, err = l.question.Place.Pods(ctx); err == nil {
		l.made, err = caserun.Made(ctx, l.question.Place.API)
	}
	if err == nil && l.step.Freshness != nil && len(l.pods.New) > 0 {
		l.written, err = writtenLast(ctx, l.question.Place)
	}
	if err != nil {
		return &Finding{Verdict: api.Error, Message: err.Error()}
	}
	for _, config := range chosen {
		c := &oneCase{config: config, advisory: l.step.Bound && !enforces(config)}
		if f := l.aim(ctx, c); f != nil {
			return f
		}
		l.cases = append(l.cases, c)
	}
	if len(l.asks) > maxCaseRuns {
		return &Finding{Verdict: api.Error, Message: fmt.Sprintf("it would be %d runs, at most %d are allowed", len(l.asks), maxCaseRuns)}
	}
	return nil
}

// chosen are the cases that a step speaks of, or why there is none.
func (l *caseLook) chosen(configs []*probing.Config) (chosen []*probing.Config, none string) {
	where := "cluster " + l.question.Place.Cluster
	switch {
	case l.step.Case != "":
		chosen = filtered(configs, func(c *probing.Config) bool { return c.Name == l.step.Case })
		none = where + " has no case " + l.step.Case
	case l.step.Set != "":
		chosen = filtered(configs, func(c *probing.Config) bool { return c.Labels[probing.LabelSet+l.step.Set] != "" })
		none = where + " has no case of the set " + l.step.Set
	default:
		chosen = configs
		none = "no case is bound to " + where
		if pipelines.ScopeOf(l.question.Point) == pipelines.ScopeOf(pipelines.AfterBatch) {
			if aimed := filtered(configs, l.answers); slices.ContainsFunc(aimed, enforces) {
				chosen = aimed
			}
		}
	}
	if len(chosen) > 0 {
		none = ""
	}
	return chosen, none
}

// enforces reports whether a failure of a case holds, where nobody has named the case.
func enforces(c *probing.Config) bool { return c.Spec.Enforcement.Mode == probing.Enforcing }

func filtered(all []*probing.Config, is func(*probing.Config) bool) []*probing.Config {
	return slices.DeleteFunc(slices.Clone(all), func(c *probing.Config) bool { return !is(c) })
}

// answers reports whether a case is about what a batch does: about nodes, or about workloads such as this.
func (l *caseLook) answers(c *probing.Config) bool {
	if c.Spec.Target.Kind == probing.OfNodes {
		return true
	}
	w := l.question.Facts.Workload
	return slices.ContainsFunc([]probing.EventKind{probing.BatchMoved, probing.Deployed}, func(kind probing.EventKind) bool {
		return c.Spec.Answers(probing.Event{Kind: kind, Name: w.Kind + "/" + w.Namespace + "/" + w.Name})
	})
}

// aim says for which targets a case is run, and which of them have passed lately.
func (l *caseLook) aim(ctx context.Context, c *oneCase) *Finding {
	names := []string{""}
	ofNodes := c.config.Spec.Target.Kind == probing.OfNodes
	switch {
	case c.config.Spec.Mode == probing.Resident:
		names = nil // it runs as it does
	case l.step.Target == pipelines.CaseOfNewNodes && !ofNodes && !l.step.Bound:
		return &Finding{Verdict: api.Error, Message: "case " + c.config.Name + " is about the cluster, and not about nodes"}
	case ofNodes && (l.step.Target == pipelines.CaseOfNewNodes || l.step.Bound && len(l.pods.New) > 0):
		var f *Finding
		if names, f = l.newNodes(ctx, c); f != nil {
			return f
		}
		c.ofBatch = true
	case ofNodes:
		var err error
		names, err = caserun.Nodes(ctx, l.question.Place.API, c.config, l.question.Key)
		if l.step.Bound && fault.CodeOf(err) == fault.NotFound {
			c.targets = []*caseTarget{{ask: -1, verdict: api.Skipped, says: err.Error()}}
			return nil
		}
		if err != nil {
			return &Finding{Verdict: api.Error, Message: err.Error()}
		}
	}
	for _, name := range names {
		t := &caseTarget{name: name, ask: -1}
		c.targets = append(c.targets, t)
		if why := c.config.Status.Problem; why != "" {
			t.verdict, t.says = api.Error, l.mask(why)
			continue
		}
		if t.fresh = l.fresh(c.config, name); t.fresh == nil {
			t.ask = len(l.asks)
			l.asks = append(l.asks, caserun.Ask{Config: c.config, Target: name, Cause: l.cause()})
		} else {
			t.verdict, t.run, t.node = api.Passed, t.fresh.Name, t.fresh.Status.Node
		}
		t.before = l.failedBefore(c.config, name)
	}
	return nil
}

// newNodes are the nodes that a case is about and that have what is new. Where there are some, and the case is about none of them, one that
// was named cannot tell, and one that is bound has nothing to look at.
func (l *caseLook) newNodes(ctx context.Context, c *oneCase) ([]string, *Finding) {
	pods := l.pods.New
	if len(c.config.Spec.Target.Labels) > 0 {
		about, err := caserun.Labelled(ctx, l.question.Place.API, c.config)
		if err != nil {
			return nil, &Finding{Verdict: api.Error, Message: err.Error()}
		}
		pods = slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool { return !slices.Contains(about, p.Spec.NodeName) })
	}
	names, all := newNodes(pods, probing.MaxSample)
	if len(names) < all {
		c.part = fmt.Sprintf("%d of %d nodes, those of the youngest pods", len(names), all)
	}
	switch {
	case len(names) > 0:
		return names, nil
	case len(pods) == len(l.pods.New):
		return nil, &Finding{Verdict: api.Inconclusive, Message: "no node has a pod of the new revision that is ready"}
	}
	none := "no node that case " + c.config.Name + " is about has a pod of the new revision that is ready"
	if len(pods) > 0 || !l.step.Bound {
		return nil, &Finding{Verdict: api.Inconclusive, Message: none}
	}
	c.targets = []*caseTarget{{ask: -1, verdict: api.Skipped, says: none}}
	return nil, nil
}

// cause is why the runs of the measurement are made.
func (l *caseLook) cause() probing.Cause {
	f := l.question.Facts
	return probing.Cause{
		Kind: probing.ByGate, Key: l.question.Key, By: f.Change.By, Revision: f.Workload.Revision,
		Text: clip.Runes(fmt.Sprintf("%s %s of run %s", l.question.Point, f.Unit.Path, f.Change.Run), 200),
	}
}

// newNodes are the nodes that have a ready pod of the new revision, the youngest pods' first if there are too many, sorted; and how many
// there are.
func newNodes(pods []*corev1.Pod, most int) (names []string, all int) {
	pods = slices.Clone(pods)
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	seen := map[string]bool{}
	for _, p := range pods {
		if node := p.Spec.NodeName; node != "" && p.DeletionTimestamp == nil && !ended(p) && ready(p) && !seen[node] {
			seen[node] = true
			names = append(names, node)
		}
	}
	all = len(names)
	names = names[:min(len(names), most)]
	slices.Sort(names)
	return names, all
}
