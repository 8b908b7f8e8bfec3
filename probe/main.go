package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// cleaning is how long a check that is told to end may take at most.
const cleaning = 10 * time.Second

// Check looks whether something works. No error is that it does. Its context ends in time to report.
type Check func(ctx context.Context, r *Run) error

// Main runs a check, reports what it found, and ends the program with the exit status of the verdict.
func Main(check Check) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	v, err := Execute(ctx, check)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(v.ExitStatus())
}

// Execute runs a check and reports what it found. The error is why nobody has the report; the verdict stands all the same.
func Execute(ctx context.Context, check Check) (Verdict, error) {
	e, err := told()
	r := newRun()
	if err == nil {
		_, err = bounded(ctx, e.deadline, r, check)
	} else {
		err = CouldNot("Environment", err)
	}
	report := r.report(err)
	return report.More.Verdict, e.deliver(report)
}

// bounded runs a check until a moment before its deadline. It returns then, also where the check does not: what that says later comes by
// the channel.
func bounded(ctx context.Context, deadline time.Time, r *Run, check Check) (<-chan error, error) {
	if !deadline.IsZero() {
		left := time.Until(deadline)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-min(left/10, 5*time.Second)))
		defer cancel()
	}
	done := make(chan error, 1)
	go func() { done <- guarded(ctx, r, check) }()
	select {
	case err := <-done:
		return nil, err
	case <-ctx.Done():
	}
	grace := cleaning
	if !deadline.IsZero() {
		grace = min(grace, time.Until(deadline)/2)
	}
	select {
	case err := <-done:
		return nil, err
	case <-time.After(grace):
		return done, fmt.Errorf("the check did not end: %w", ctx.Err())
	}
}

// guarded makes a panic a failure to look.
func guarded(ctx context.Context, r *Run, check Check) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = CouldNot("Panic", fmt.Errorf("the check panicked: %v\n%s", p, debug.Stack()))
		}
	}()
	err = check(ctx, r)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return Fail("", err) // it was not us who stopped it
	}
	return err
}
