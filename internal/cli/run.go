package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// RunOptions are what run needs.
type RunOptions struct {
	PlanOptions
	Subject string // hash of a plan, or a component
	Made    bool   // a plan is to be made: the flags say how
	Go      bool
	Anyway  bool
	Wait    bool
	Through bool // with Wait: also while the run stands until a person decides
	Timeout time.Duration
}

// NewCmdRun starts a plan.
func NewCmdRun(f *Factory, runF func(context.Context, *RunOptions) error) *cobra.Command {
	opts := &RunOptions{PlanOptions: PlanOptions{Factory: f}}
	cmd := &cobra.Command{
		Use:   "run HASH|COMPONENT",
		Short: "Start a plan",
		Long: `Start a stored plan by its hash, or by the first characters of it. With a component in place of the
hash, make the plan and show it; with --go start it too. A plan that changes nothing, and is on record
as it is, is not started: that is said, and exits 0; --anyway starts it.

With --wait, follow the run and let the exit code say how it ended: 0 succeeded, 1 failed or aborted,
5 rolled back. A run that stands until a person decides (a check held it, somebody paused it, a stage
waits for approval) ends the wait at once with 3; --through-holds sits that out. When --timeout runs out
it is 3 where something is held, 4 where it is still under way. The run itself goes on without its
watcher.`,
		Example: `  sluice run 3f2a9c01d2e4
  sluice run 3f2a9c01d2e4 --wait --timeout 2h --reason "fixes CVE-2026-1234"
  sluice run node-agent -f examples --to 2.0.0 --go --wait`,
		Args: exactly("HASH or COMPONENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Subject, opts.Request.Component = args[0], args[0]
			opts.Made = slices.ContainsFunc(planFlags(), cmd.Flags().Changed)
			if opts.Timeout != 0 && !opts.Wait {
				return usage(cmd, "--timeout goes with --wait")
			}
			if opts.Through && !opts.Wait {
				return usage(cmd, "--through-holds goes with --wait")
			}
			if opts.Timeout < 0 {
				return usage(cmd, "--timeout %s is negative", opts.Timeout)
			}
			if err := opts.complete(cmd); err != nil {
				return err
			}
			if runF != nil {
				return runF(cmd.Context(), opts)
			}
			return runRun(cmd.Context(), opts)
		},
	}
	opts.addFlags(cmd)
	opts.Length.addFlags(cmd)
	addOutput(cmd, &opts.Format)
	flags := cmd.Flags()
	flags.BoolVar(&opts.Go, "go", false, "start the plan of COMPONENT, not only show it")
	flags.BoolVar(&opts.Anyway, "anyway", false, "start a plan that changes nothing too, for its checks and soaks")
	flags.BoolVar(&opts.Wait, "wait", false, "follow the run until it ends, or stands until a person decides")
	flags.BoolVar(&opts.Through, "through-holds", false, "with --wait, follow it to its end, whoever has to decide meanwhile")
	flags.DurationVar(&opts.Timeout, "timeout", 0, "with --wait, how long to follow it (default: to its end)")
	return cmd
}

// aHash is what a plan's hash, or the beginning of one, looks like. A component may be called so too.
var aHash = regexp.MustCompile(`^(sha256:)?[0-9a-f]{6,64}$`)

func runRun(ctx context.Context, o *RunOptions) error {
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return err
	}
	hash, err := o.hash(ctx, e)
	if err != nil {
		return err
	}
	run, err := e.Run(ctx, engine.RunRequest{Plan: hash, By: o.Request.By, Reason: o.Request.Reason, Anyway: o.Anyway})
	var idle *engine.NothingToDo
	if errors.As(err, &idle) {
		return o.nothing(idle)
	}
	if err != nil {
		return err
	}
	if !o.Wait {
		return o.Format.print(o.Factory.Out, run, func() error { return o.started(ctx, e, run) })
	}
	if o.Format == asText {
		if err := o.started(ctx, e, run); err != nil {
			return err
		}
	}
	return o.wait(ctx, e, run)
}

// nothing says that there was nothing to do. That is no failure.
func (o *RunOptions) nothing(idle *engine.NothingToDo) error {
	answer := struct {
		Plan    string `json:"plan"`
		Started bool   `json:"started"`
		Message string `json:"message"`
	}{idle.Plan, false, idle.Message}
	return o.Format.print(o.Factory.Out, answer, func() error {
		_, err := fmt.Fprintln(shown{o.Factory.Out}, idle.Message)
		return fault.Wrap(fault.Internal, err, "cannot print")
	})
}

func (o *RunOptions) started(ctx context.Context, e Engine, run ledger.Run) error {
	text := fmt.Sprintf("run %s has started: %s %s, plan %.12s\n", run.Name, run.Subject, run.Version, run.Plan)
	if page := e.Page(ctx, run.Name); page != "" {
		text += "in the Temporal UI: " + page + "\n"
	}
	if !o.Wait {
		text += "watch it with: " + o.Factory.program() + " get " + run.Name + " -w\n"
	}
	_, err := io.WriteString(shown{o.Factory.Out}, text)
	return fault.Wrap(fault.Internal, err, "cannot print")
}

// hash returns the plan to start: the stored one that is named, or one that is made here and now.
func (o *RunOptions) hash(ctx context.Context, e Engine) (string, error) {
	if !o.Made && aHash.MatchString(o.Subject) {
		stored, err := e.LoadPlan(ctx, o.Subject)
		if err == nil {
			return stored.Hash, nil
		}
		if fault.CodeOf(err) != fault.NotFound || !o.Go {
			return "", err
		}
	}
	show := o.PlanOptions
	if o.Go {
		show.Format = asText
	}
	if o.Format != asText && o.Go {
		// What is asked for as JSON is the run; its plan would stand in the way.
		quiet := *o.Factory
		quiet.Out = o.Factory.Err
		show.Factory = &quiet
	}
	planned, err := show.make(ctx)
	if err != nil {
		return "", err
	}
	if err := show.refused(planned); err != nil {
		return "", err
	}
	if !o.Go {
		return "", fault.New(fault.Invalid, "nothing was started: add --go; or %s", o.Factory.next(planned))
	}
	return planned.Hash, nil
}

// wait follows the run, and makes its end the exit code.
func (o *RunOptions) wait(ctx context.Context, e Engine, run ledger.Run) error {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	f := *o.Factory
	if o.Format != asText {
		f.Out, f.Lively = f.Err, false
	}
	enough := engine.View.Stands
	if o.Through {
		enough = toTheEnd
	}
	view, err := f.watch(ctx, e, run.Name, asText, enough)
	if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		return err
	}
	printed := o.Format.print(o.Factory.Out, view, func() error { return nil })
	return errors.Join(outcome(view, err), printed)
}

// outcome is the exit code of a run that was waited for. Stopped is why the watch ended before the run did, where it did not
// because the run stands.
func outcome(v engine.View, stopped error) error {
	switch {
	case v.Stands(), stopped != nil && v.Held():
		return &Exit{fault.ExitRefused, fmt.Sprintf("%s is held and waits for a person (see 'sluice why %s')", v.Name, v.Name)}
	case stopped != nil:
		return &Exit{fault.ExitWaiting, fmt.Sprintf("%s is still %s; it goes on without its watcher", v.Name, v.Phase)}
	}
	switch v.Phase {
	case api.PhaseSucceeded:
		return nil
	case api.PhaseRolledBack:
		if v.Back != "" {
			return nil
		}
		return &Exit{fault.ExitRolledBack, v.Name + " was rolled back" + stopper(v)}
	}
	return &Exit{fault.ExitFailed, fmt.Sprintf("%s ended as %s%s", v.Name, v.Phase, stopper(v))}
}

// stopper says which check stopped the first unit that was stopped, and where.
func stopper(v engine.View) string {
	for _, s := range v.Stages {
		for _, u := range s.Units {
			if u.Failure != nil {
				return fmt.Sprintf(": %s stopped at %s by %s %s: %s",
					u.Path, or(u.FailedAt), u.Failure.Name, u.Failure.Verdict, oneLine(u.Failure.Message))
			}
		}
	}
	return ""
}
