package trial

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sluice.dev/sluice/probe"
)

// Case is what a case does. Its error says what came of it; what it saw is in the trial.
type Case func(ctx context.Context, t *Trial, getenv func(string) string) error

// Check is a case as the library runs it.
func (c Case) Check(getenv func(string) string) probe.Check {
	return func(ctx context.Context, r *probe.Run) error { return meant(c(ctx, &Trial{r}, getenv)) }
}

// Trial is one run. Its methods may be called at once from several goroutines.
type Trial struct{ run *probe.Run }

// Step does a step, and says how long it took and what came of it. It returns the step's error.
func (t *Trial) Step(name string, do func() error) error { return t.StepOf("", name, do) }

// StepOf does a step that is about one of several targets.
func (t *Trial) StepOf(target, name string, do func() error) error {
	began := time.Now()
	err := do()
	t.Part(target, name, time.Since(began), err)
	return err
}

// Part says what came of a step that is over.
func (t *Trial) Part(target, name string, took time.Duration, err error) {
	p := probe.Part{Name: name, Target: target, Millis: took.Milliseconds()}
	if p.Verdict, p.Code = Judge(err); err != nil {
		p.Message = err.Error()
	}
	t.run.Part(p)
}

// Number says a number that was seen.
func (t *Trial) Number(name string, value float64) { t.run.Number(name, value) }

// Text says a text that was seen.
func (t *Trial) Text(name, value string) { t.run.Text(name, value) }

// Flag says whether something was seen.
func (t *Trial) Flag(name string, value bool) { t.run.Flag(name, value) }

// Took counts a time in the histogram of a name.
func (t *Trial) Took(name string, d time.Duration) { t.run.Latency(name).Observe(d) }

// Quantile is what a share of the times of a name did not exceed.
func (t *Trial) Quantile(name string, share float64) time.Duration {
	return t.run.Latency(name).Quantile(share)
}

// rank orders verdicts: of several targets, the worst is the run's.
var rank = map[Verdict]int{Skipped: 0, Passed: 1, Inconclusive: 2, Error: 3, Failed: 4}

// shown is how many targets the message of a run names.
const shown = 3

// Worst is what the errors of several targets mean together: a fault where one has a fault, however many could not be looked at. Where
// all are skipped, so is the run.
func Worst(targets []string, errs map[string]error) error {
	worst, count := Skipped, map[Verdict]int{}
	for _, target := range targets {
		v, _ := Judge(errs[target])
		count[v]++
		if rank[v] > rank[worst] {
			worst = v
		}
	}
	if worst == Passed {
		return nil
	}
	var text []string
	var code string
	for _, target := range targets {
		v, c := Judge(errs[target])
		if v != worst {
			continue
		}
		if code == "" {
			code = c
		}
		if len(text) < shown {
			text = append(text, target+": "+errs[target].Error())
		}
	}
	more := ""
	if n := count[worst] - len(text); n > 0 {
		more = fmt.Sprintf("; and %d more", n)
	}
	return &problem{worst, code, fmt.Errorf("%d of %d: %s%s", count[worst], len(targets), strings.Join(text, "; "), more)}
}
