// Package trial is one run of a case: its steps, what it saw, and what that means. It knows no cluster, and it does not decide what
// is a fault: cases do.
package trial

import (
	"context"
	"errors"
	"fmt"

	"sluice.dev/sluice/probe"
)

// Verdict is what a run says.
type Verdict = probe.Verdict

// The verdicts, as the library has them.
const (
	Passed       = probe.Passed
	Failed       = probe.Failed
	Inconclusive = probe.Inconclusive
	Error        = probe.Error
	Skipped      = probe.Skipped
)

// problem is an error with what it means.
type problem struct {
	verdict Verdict
	code    string
	err     error
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

// Fault is an error that the case was made to find. The code is a word that people can search for, as PodNotReady.
func Fault(code, format string, args ...any) error {
	return &problem{Failed, code, fmt.Errorf(format, args...)}
}

// Blind is an error for which the case could not look: it says nothing about what the case is about.
func Blind(code, format string, args ...any) error {
	return &problem{Error, code, fmt.Errorf(format, args...)}
}

// Unsure is an error of a case that looked and cannot tell.
func Unsure(code, format string, args ...any) error {
	return &problem{Inconclusive, code, fmt.Errorf(format, args...)}
}

// Nothing is an error of a case that found nothing to look at.
func Nothing(code, format string, args ...any) error {
	return &problem{Skipped, code, fmt.Errorf(format, args...)}
}

// Stopped is why a run cannot wait for what it waits for; nil where it can. Whoever was told to end has not seen that something does not
// come, and whoever has no time left does not know whether it would have.
func Stopped(run context.Context) error {
	switch err := run.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return Unsure("OutOfTime", "cannot wait any longer: the time of the run is over")
	default:
		return Blind("Interrupted", "cannot wait any longer: the run was told to end")
	}
}

// Meant reports whether somebody gave an error a meaning.
func Meant(err error) bool {
	_, ok := errors.AsType[*problem](err)
	return ok
}

// Judge says what an error means. One that nobody gave a meaning is never a fault.
func Judge(err error) (verdict Verdict, code string) {
	if err == nil {
		return Passed, ""
	}
	if p, ok := errors.AsType[*problem](err); ok {
		return p.verdict, p.code
	}
	return Error, "Unexpected"
}

// meant is an error with its meaning in the library's words, for which an error without one is a fault.
func meant(err error) error {
	switch v, code := Judge(err); v {
	case Passed:
		return nil
	case Failed:
		return probe.Fail(code, err)
	case Inconclusive:
		return probe.Unclear(code, err)
	case Skipped:
		return probe.Skip("%w", err)
	default:
		return probe.CouldNot(code, err)
	}
}
