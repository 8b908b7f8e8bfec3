package probe

import (
	"context"
	"errors"
	"fmt"
)

// Verdict is what a run found.
type Verdict string

// The verdicts. That it could not look is not that it found a fault: CouldNot and Unclear tell them apart.
const (
	Passed       Verdict = "Passed"
	Failed       Verdict = "Failed"
	Inconclusive Verdict = "Inconclusive" // it looked, and cannot tell
	Error        Verdict = "Error"        // it could not look
	Skipped      Verdict = "Skipped"      // there is nothing to look at
)

// OK is what programs that know two verdicts make of it.
func (v Verdict) OK() bool { return v == Passed || v == Skipped }

// ExitStatus is what a program ends with that found it: as of a job of Sluice.
func (v Verdict) ExitStatus() int {
	switch v {
	case Passed, Skipped:
		return 0
	case Failed:
		return 1
	case Inconclusive:
		return 75
	default:
		return 126
	}
}

// finding is an error with its verdict.
type finding struct {
	verdict Verdict
	code    string
	err     error
}

func (f *finding) Error() string { return f.err.Error() }
func (f *finding) Unwrap() error { return f.err }

// Fail is a fault that was found, with a code: one word by which faults are counted, such as PodNotReady. An error without any of these
// is a fault as well.
func Fail(code string, err error) error { return found(Failed, code, err) }

// CouldNot is why it could not look: no rights, no room for a pod of its own.
func CouldNot(code string, err error) error { return found(Error, code, err) }

// Unclear is why it cannot tell: no data, too few samples.
func Unclear(code string, err error) error { return found(Inconclusive, code, err) }

// Skip is why there is nothing to look at.
func Skip(format string, args ...any) error { return found(Skipped, "", fmt.Errorf(format, args...)) }

func found(v Verdict, code string, err error) error {
	if err == nil {
		return nil
	}
	return &finding{verdict: v, code: word(code), err: err}
}

// judge is what an error says: nil is passed.
func judge(err error) (v Verdict, code, message string) {
	var f *finding
	switch {
	case err == nil:
		return Passed, "", ""
	case errors.As(err, &f):
		return f.verdict, f.code, err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return Failed, "DeadlineExceeded", err.Error()
	case errors.Is(err, context.Canceled):
		return Error, "Stopped", err.Error()
	}
	return Failed, "", err.Error()
}

// word is a code as servers take them: letters and digits, the first of them a letter.
func word(code string) string {
	var out []byte
	for i := range len(code) {
		c := code[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if letter || len(out) > 0 && c >= '0' && c <= '9' {
			out = append(out, c)
		}
	}
	return string(out[:min(len(out), 63)])
}
