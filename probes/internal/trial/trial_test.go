package trial_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"sluice.dev/sluice/probe"

	"sluice.dev/sluice/probes/internal/trial"
)

func TestWhatErrorsMean(t *testing.T) {
	plain := errors.New("no route to host")
	for _, c := range []struct {
		reason  string
		err     error
		verdict trial.Verdict
		code    string
	}{
		{"no error is well", nil, trial.Passed, ""},
		{"a fault is one", trial.Fault("PodNotReady", "it waits"), trial.Failed, "PodNotReady"},
		{"a fault stays one when more is said of it", fmt.Errorf("of c1: %w", trial.Fault("PodNotReady", "it waits")), trial.Failed, "PodNotReady"},
		{"who could not look found none", trial.Blind("Forbidden", "cannot list: %w", plain), trial.Error, "Forbidden"},
		{"who cannot tell found none", trial.Unsure("TooFewSamples", "three"), trial.Inconclusive, "TooFewSamples"},
		{"there may be nothing to look at", trial.Nothing("NoNodes", "none"), trial.Skipped, "NoNodes"},
		{"an error that nobody gave a meaning is no fault", plain, trial.Error, "Unexpected"},
		{"nor is a deadline", context.DeadlineExceeded, trial.Error, "Unexpected"},
	} {
		if v, code := trial.Judge(c.err); v != c.verdict || code != c.code {
			t.Errorf("%s: it is %s %q", c.reason, v, code)
		}
		// The library, which takes errors without a meaning for faults, hears the same.
		v := executed(t, c.err)
		if v != c.verdict {
			t.Errorf("%s: the library says %s", c.reason, v)
		}
	}
}

// executed is what the library makes of a case's error.
func executed(t *testing.T, err error) probe.Verdict {
	t.Helper()
	t.Setenv(probe.EnvTermination, t.TempDir()+"/message")
	c := trial.Case(func(context.Context, *trial.Trial, func(string) string) error { return err })
	v, failed := probe.Execute(t.Context(), c.Check(func(string) string { return "" }))
	if failed != nil {
		t.Fatal(failed)
	}
	return v
}

func TestOfSeveralTargets(t *testing.T) {
	ill, away := trial.Fault("NoAnswer", "it is silent"), trial.Blind("Forbidden", "it may not")
	none, unsure := trial.Nothing("NodeCordoned", "it is cordoned"), trial.Unsure("TooFewSamples", "three")
	for _, c := range []struct {
		reason  string
		errs    []error
		verdict trial.Verdict
		says    string
	}{
		{"all are well", []error{nil, nil}, trial.Passed, ""},
		{"one is ill", []error{nil, ill, nil}, trial.Failed, "1 of 3: t1: it is silent"},
		{"a fault counts more than many that could not be looked at", []error{away, away, ill}, trial.Failed, "1 of 3: t2: it is silent"},
		{"not to have looked at one is not that all are well", []error{nil, away}, trial.Error, "1 of 2: t1: it may not"},
		{"who cannot tell of one cannot tell", []error{nil, unsure}, trial.Inconclusive, "1 of 2: t1: three"},
		{"one that is skipped holds nobody up", []error{nil, none}, trial.Passed, ""},
		{"where all are skipped nothing was looked at", []error{none, none}, trial.Skipped, "2 of 2: t0: it is cordoned; t1: it is cordoned"},
		{
			"of many the first are named", []error{ill, ill, ill, ill, ill}, trial.Failed,
			"5 of 5: t0: it is silent; t1: it is silent; t2: it is silent; and 2 more",
		},
	} {
		var targets []string
		errs := map[string]error{}
		for i, err := range c.errs {
			name := fmt.Sprintf("t%d", i)
			targets, errs[name] = append(targets, name), err
		}
		err := trial.Worst(targets, errs)
		if v, _ := trial.Judge(err); v != c.verdict || err != nil && err.Error() != c.says {
			t.Errorf("%s: %s, %v", c.reason, v, err)
		}
	}
}
