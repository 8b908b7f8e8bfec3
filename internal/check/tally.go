package check

import (
	"encoding/json"
	"fmt"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// Tally is what has come of the measurements of one step so far. It is carried in heartbeats, so that whoever takes the step up
// after a crash goes on counting.
type Tally struct {
	Began        time.Time       `json:"began"`
	Due          time.Time       `json:"due"`                // of the next measurement
	Tried        int             `json:"tried,omitempty"`    // measurements, errors among them
	Measured     int             `json:"measured,omitempty"` // of these, no errors
	Of           int             `json:"of,omitempty"`       // measurements that are to be made; 0 without end
	Passed       int             `json:"passed,omitempty"`
	Failed       int             `json:"failed,omitempty"`
	Inconclusive int             `json:"inconclusive,omitempty"`
	PassedInRow  int             `json:"passedInRow,omitempty"`
	ErrorsInRow  int             `json:"errorsInRow,omitempty"`
	Verdict      api.Verdict     `json:"verdict,omitempty"` // once it is decided
	Message      string          `json:"message,omitempty"` // of the last measurement
	Seen         map[string]any  `json:"seen,omitempty"`
	Results      Results         `json:"results,omitempty"`
	Kept         json.RawMessage `json:"kept,omitempty"`
	Waits        string          `json:"waits,omitempty"` // what is waited for before anything is judged
}

// Tallies are the tallies of steps, by name.
type Tallies map[string]Tally

// Intervals that hold where a step names none.
const (
	errorInterval  = 10 * time.Second // after a measurement that was an error, as Argo Rollouts has it
	defaultTimeout = 30 * time.Second
	defaultErrors  = 4
)

// begin is the tally of a step before its first measurement.
func begin(r pipelines.Repeat, now time.Time) Tally {
	return Tally{Began: now, Due: now.Add(orElse(r.InitialDelay, 0))}
}

// handedOn is a tally as another worker has left it, whose clock may be far ahead of this one: that nobody looks for so long must not
// pass for that nothing was found.
func (t Tally) handedOn(r pipelines.Repeat, now time.Time) Tally {
	if latest := now.Add(max(r.Every(), orElse(r.InitialDelay, 0))); t.Waits == "" && t.Due.After(latest) {
		t.Due = latest
	}
	return t
}

func orElse(d *pipelines.Duration, other time.Duration) time.Duration {
	if d == nil {
		return other
	}
	return d.Std()
}

// add counts a measurement. Most is how many are made; 0 without end. The tally has a Verdict once the step is decided: a limit is
// exceeded, enough have passed in a row, or all are made.
func (t Tally) add(r pipelines.Repeat, most int, f Finding, now time.Time) Tally {
	t.Message, t.Seen, t.Waits = f.Message, f.Seen, ""
	if f.Keep != nil { // one that broke or did not come back has kept nothing, and forgets nothing either
		t.Kept = f.Keep
	}
	if !f.Again.IsZero() {
		t.Waits, t.Due = f.Message, f.Again
		return t
	}
	if len(f.Results) > 0 {
		t.Results = f.Results
	}
	t.Tried, t.Of = t.Tried+1, most
	t.Measured++
	t.Due = t.Due.Add(r.Every())
	if f.Verdict != api.Error {
		t.ErrorsInRow = 0
	}
	if f.Verdict != api.Passed {
		t.PassedInRow = 0
	}
	switch f.Verdict {
	case api.Passed:
		t.Passed++
		t.PassedInRow++
	case api.Failed:
		t.Failed++
	case api.Inconclusive:
		t.Inconclusive++
	default:
		t.ErrorsInRow++
		t.Measured-- // one that could not be made is made again
		t.Due = now.Add(min(errorInterval, orElse(r.Interval, errorInterval)))
	}
	if t.Due.Before(now) {
		t.Due = now // late ones are not made up for
	}
	t.decide(r, most)
	return t
}

func (t *Tally) decide(r pipelines.Repeat, most int) {
	switch {
	case t.Failed > 0 && !plan.MeasuresAgain(api.Failed, !exceeds(t.Failed, r.FailureLimit)):
		t.end(api.Failed, t.Failed, "failed", limitOf(r.FailureLimit, 0), most)
	case t.Inconclusive > 0 && !plan.MeasuresAgain(api.Inconclusive, !exceeds(t.Inconclusive, r.InconclusiveLimit)):
		t.end(api.Inconclusive, t.Inconclusive, "were inconclusive", limitOf(r.InconclusiveLimit, 0), most)
	case t.ErrorsInRow > 0 && !plan.MeasuresAgain(api.Error, t.ErrorsInRow <= limitOf(r.ConsecutiveErrorLimit, defaultErrors)):
		t.Verdict = api.Error
		if t.ErrorsInRow > 1 {
			t.Message = fmt.Sprintf("%d tries in a row did not work: %s", t.ErrorsInRow, t.Message)
		}
	case r.ConsecutiveSuccessLimit > 0 && t.PassedInRow >= r.ConsecutiveSuccessLimit:
		t.Verdict = api.Passed
	case most > 0 && t.Measured >= most:
		t.Verdict = t.atEnd(r)
	}
}

// atEnd is the verdict of a step whose measurements are all made and within their limits. One of which none has passed is no
// pass, unless whoever wrote it bears any number of failures.
func (t *Tally) atEnd(r pipelines.Repeat) api.Verdict {
	switch {
	case t.Passed > 0 || t.Failed > 0 && limitOf(r.FailureLimit, 0) < 0:
		return api.Passed
	case t.Failed > 0:
		return api.Failed
	}
	return api.Inconclusive
}

func (t *Tally) end(v api.Verdict, n int, what string, limit, most int) {
	t.Verdict = v
	if most != 1 && n+t.Passed > 1 {
		t.Message = fmt.Sprintf("%d of %d measurements %s, %d are borne: %s", n, t.Measured, what, limit, t.Message)
	}
}

func exceeds(n int, limit *int) bool {
	most := limitOf(limit, 0)
	return most >= 0 && n > most
}

func limitOf(limit *int, other int) int {
	if limit == nil {
		return other
	}
	return *limit
}
