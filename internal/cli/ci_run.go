package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ci"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/markdown"
)

// CIRunOptions are what ci run needs.
type CIRunOptions struct {
	CIPlanOptions
	Plan       string // hash; "" where a plan is to be made
	Anyway     bool
	Through    bool
	Timeout    time.Duration
	CancelWith string // api.UpdatePause, api.UpdateAbort, or ""
	JUnit      string // file
}

// What a job that is being cancelled has time for. GitHub kills it 7.5 s after the first signal.
const (
	startGrace  = 2500 * time.Millisecond // for a start that was asked for
	cancelGrace = 3500 * time.Millisecond // for the command to the run
)

// ranBefore is how far back a job looks for what it has begun. GitHub lets a run be tried again for 30 days.
const ranBefore = 35 * 24 * time.Hour

// NewCmdCIRun starts a run in a job, and waits for it.
func NewCmdCIRun(f *Factory, runF func(context.Context, *CIRunOptions) error) *cobra.Command {
	opts := &CIRunOptions{CIPlanOptions: CIPlanOptions{PlanOptions: PlanOptions{Factory: f}}}
	cmd := &cobra.Command{
		Use:   "run --plan HASH|PATH...",
		Short: "Start a run in a job of a build system, and wait for it",
		Long: `Start a plan that an earlier job has made, or plan one component of files and folders and start that, and
wait until the run ends or stands. The exit code says how, as that of a run that somebody waits for.

A job that is tried again begins no second run: it finds the one that it has begun, and waits for that. The
summary of the job has the run's units; --junit has a case for each unit and check. The outputs are
  run      its name
  phase    where it is: Succeeded, Held and the like
  plan     the hash of its plan
  verdict  done where there was nothing to do

A job that is cancelled ends its watching alone: the run goes on. With --cancel-with the run is paused or
aborted then.`,
		Example: `  sluice ci run --plan 3f2a9c01d2e4 --timeout 2h --junit sluice-junit.xml
  sluice ci run . --component node-agent --to 2.0.0 --cancel-with pause`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Request.Paths = args
			if err := opts.check(cmd); err != nil {
				return err
			}
			if err := opts.complete(cmd); err != nil {
				return err
			}
			if err := opts.begin(cmd, f); err != nil {
				return err
			}
			if runF != nil {
				return runF(cmd.Context(), opts)
			}
			return ciRunRun(cmd.Context(), opts)
		},
	}
	opts.inCI.addFlags(cmd)
	opts.addPlanFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&opts.Plan, "plan", "", "`HASH` of a plan that was made, or the beginning of it")
	flags.BoolVar(&opts.Anyway, "anyway", false, "start a plan that changes nothing too, for its checks and soaks")
	flags.BoolVar(&opts.Through, "through-holds", false, "wait for its end, whoever has to decide meanwhile")
	flags.DurationVar(&opts.Timeout, "timeout", 0, "how long to wait (default: to its end)")
	flags.StringVar(&opts.CancelWith, "cancel-with", "", "where the job is cancelled, tell the run to `COMMAND`: pause or abort")
	flags.StringVar(&opts.JUnit, "junit", "", "`FILE` to write a report in JUnit's XML to")
	return cmd
}

// check is an error about what was typed.
func (o *CIRunOptions) check(cmd *cobra.Command) error {
	said := cmd.Flags().Changed
	switch {
	case o.Plan == "" && len(o.Request.Paths) == 0:
		return usage(cmd, "--plan HASH or PATH is missing")
	case o.Plan != "" && len(o.Request.Paths) > 0:
		return usage(cmd, "--plan and PATH go one at a time")
	case o.Plan != "" && (said("component") || slices.ContainsFunc(planFlags(), func(n string) bool { return n != "file" && said(n) })):
		return usage(cmd, "--plan says all that the flags of a plan would say")
	case len(o.Components) > 1:
		return usage(cmd, "one job runs one component: --component goes once")
	case o.Request.Version != "" && len(o.Components) == 0:
		return usage(cmd, "--to goes with --component")
	case o.Timeout < 0:
		return usage(cmd, "--timeout %s is negative", o.Timeout)
	case !slices.Contains([]string{"", api.UpdatePause, api.UpdateAbort}, o.CancelWith):
		return usage(cmd, "--cancel-with %q is neither pause nor abort", o.CancelWith)
	}
	return nil
}

func ciRunRun(ctx context.Context, o *CIRunOptions) error {
	run, e, err := o.begun(ctx)
	var idle *engine.NothingToDo
	switch {
	case errors.As(err, &idle):
		_, printed := fmt.Fprintln(shown{o.Factory.Out}, idle.Message)
		return errors.Join(printed, o.summarize(fmt.Sprintf("### Nothing to do\n\n%s\n\n", markdown.Code(idle.Message))),
			o.output(ci.Output{Name: "verdict", Value: engine.PlanDone}, ci.Output{Name: "plan", Value: idle.Plan}))
	case err != nil:
		return errors.Join(err, o.output(ci.Output{Name: "verdict", Value: runVerdict(err)}))
	}
	// Whoever comes after a job that is killed finds the run.
	err = o.output(ci.Output{Name: "run", Value: run.Name}, ci.Output{Name: "plan", Value: run.Plan})
	if err != nil {
		return err
	}
	return o.follow(ctx, e, run)
}

// runVerdict is the verdict where no run was started.
func runVerdict(err error) string {
	if fault.CodeOf(err) == fault.Refused {
		return engine.PlanRefused
	}
	return verdictOf(err)
}

// begun is the run that the job has begun, now or when it was tried before.
func (o *CIRunOptions) begun(ctx context.Context) (run ledger.Run, e Engine, err error) {
	var planned *engine.Planned
	why := o.Request.Reason
	if o.Plan != "" {
		if e, err = o.Factory.Engine(ctx); err != nil {
			return run, nil, o.undone("No run", err)
		}
		if planned, err = e.LoadPlan(ctx, o.Plan); err != nil {
			return run, nil, o.undone("No run", err)
		}
	} else {
		var found bool
		if run, found, err = o.before(ctx); err != nil || found {
			e, _ = o.Factory.Engine(ctx)
			return run, e, err
		}
		made, err := o.plans(ctx)
		if err != nil {
			return run, nil, err
		}
		planned = made[0]
		if e, err = o.Factory.Engine(ctx); err != nil {
			return run, nil, err
		}
	}
	if why == "" && planned.State() == engine.PlanNarrow {
		return run, nil, fault.New(fault.Refused, "cannot start plan %.12s: it goes past stages that %s %s has not passed: say why with --reason",
			planned.Hash, planned.Plan.Subject, planned.Plan.Version)
	}
	return o.start(ctx, e, planned)
}

// start starts a plan. One that was asked for is begun though the job is cancelled meanwhile, if that takes no longer than a moment: so it
// is known what there is to be told.
func (o *CIRunOptions) start(ctx context.Context, e Engine, p *engine.Planned) (ledger.Run, Engine, error) {
	if ctx.Err() != nil {
		return ledger.Run{}, e, fault.Wrap(fault.Internal, ctx.Err(), "the job was cancelled, and plan %.12s was not started", p.Hash)
	}
	asking, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-asking.Done():
		case <-o.Factory.Clock.After(startGrace):
			stop()
		}
	})()
	run, err := e.Run(asking, engine.RunRequest{
		Plan: p.Hash, By: o.Request.By, Reason: o.reason(), Anyway: o.Anyway, Request: o.job.Key("run", p.Plan.Subject.String(), p.Hash),
	})
	if asking.Err() != nil && err != nil {
		err = fault.Wrap(fault.Unreachable, err, "it is not known whether the run of plan %.12s has started; look with: %s get runs; "+
			"the same job, tried again, finds it", p.Hash, o.Factory.program())
	}
	var idle *engine.NothingToDo
	if err == nil || errors.As(err, &idle) {
		return run, e, err
	}
	return run, e, o.undone("No run", err)
}

// reason is what the audit has: what was given, and the run of the workflow with the name by which the job finds its run again.
func (o *CIRunOptions) reason() string {
	var parts []string
	if o.Request.Reason != "" {
		parts = append(parts, o.Request.Reason)
	}
	if o.job.URL != "" {
		parts = append(parts, o.job.URL)
	}
	if mark := o.mark(); mark != "" {
		parts = append(parts, mark)
	}
	return strings.Join(parts, " ")
}

// mark is the name of what a job runs that makes its plan itself, "" elsewhere. The plan is another one when the job is tried again, as
// something has been deployed by then.
func (o *CIRunOptions) mark() string {
	if o.Plan != "" {
		return ""
	}
	r := o.Request
	return o.job.Key(slices.Concat([]string{"make", r.Component, r.Version, r.Pipeline, o.job.Commit}, r.Paths, []string{"-p"}, o.Params,
		[]string{"--only"}, r.Only, []string{"--exclude"}, r.Exclude)...)
}

// before is the run that the job has begun when it was tried before.
func (o *CIRunOptions) before(ctx context.Context) (ledger.Run, bool, error) {
	if len(o.Components) == 0 {
		docs, err := engine.LoadDocuments(o.Request.Paths, o.Factory.Library)
		if err != nil {
			return ledger.Run{}, false, nil // whoever plans says what is wrong
		}
		if len(docs.Components) != 1 {
			return ledger.Run{}, false, fault.New(fault.Invalid,
				"cannot tell which component to run: there are %d in %s; choose with --component NAME",
				len(docs.Components), strings.Join(o.Request.Paths, ", "))
		}
		for name := range docs.Components {
			o.Components = []string{name}
		}
	}
	o.Request.Component = o.Components[0]
	mark := o.mark()
	if mark == "" {
		return ledger.Run{}, false, nil
	}
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return ledger.Run{}, false, o.undone("No run", err)
	}
	all, err := e.Runs(ctx, engine.RunsQuery{Component: o.Request.Component, After: o.Factory.Clock.Now().Add(-ranBefore), Limit: 1000})
	if err != nil {
		return ledger.Run{}, false, o.undone("No run", err)
	}
	who, _, err := o.Factory.knownAs(ctx, e)
	if err != nil {
		return ledger.Run{}, false, o.undone("No run", err)
	}
	for _, known := range all {
		if strings.HasSuffix(known.Reason, mark) && known.By == who.Name { // anybody can write a reason
			_, err := fmt.Fprintf(shown{o.Factory.Out}, "this job has begun run %s before\n", known.Name)
			return known.Run, true, fault.Wrap(fault.Internal, err, "cannot print")
		}
	}
	return ledger.Run{}, false, nil
}

// follow waits for a run, and says where it is.
func (o *CIRunOptions) follow(ctx context.Context, e Engine, run ledger.Run) error {
	f := o.Factory
	_, err := fmt.Fprintf(shown{f.Out}, "run %s: %s %s, plan %.12s\nwatch it with: %s get %s -w\n",
		run.Name, run.Subject, run.Version, run.Plan, f.program(), run.Name)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot print")
	}
	watching := ctx
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		watching, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	enough := engine.View.Stands
	if o.Through {
		enough = toTheEnd
	}
	view, err := f.watch(watching, e, run.Name, asText, enough)
	if err != nil && watching.Err() == nil && !errors.Is(err, context.Canceled) {
		return err
	}
	note := ""
	if ctx.Err() != nil {
		note, err = o.cancelled(ctx, e, run)
	} else {
		err = outcome(view, err)
	}
	var exit *Exit
	if errors.As(err, &exit) && note == "" {
		note = exit.Message
	}
	return errors.Join(err, o.report(view.RunStatus, run, note))
}

// cancelled says what becomes of the run of a job that is cancelled, and tells the run where that is asked for.
func (o *CIRunOptions) cancelled(ctx context.Context, e Engine, run ledger.Run) (string, error) {
	goesOn := fmt.Sprintf("the job was cancelled; run %s goes on without it; look at it with: %s get %s",
		run.Name, o.Factory.program(), run.Name)
	if o.CancelWith == "" {
		return goesOn, &Exit{fault.ExitWaiting, goesOn}
	}
	// The job's context is over, and its clock is that of whoever kills it.
	telling, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	over := o.Factory.Clock.NewTimer(cancelGrace)
	defer over.Stop()
	go func() {
		select {
		case <-over.C():
			stop()
		case <-telling.Done():
		}
	}()
	answer, err := e.Command(telling, run.Name, o.CancelWith, api.Command{
		Who: o.Request.By, Reason: strings.TrimSpace("its job was cancelled " + o.job.URL), ID: o.job.Key(o.CancelWith, run.Name),
	})
	if err != nil {
		note := fmt.Sprintf("%s; it could not be told to %s: %v", goesOn, o.CancelWith, err)
		return note, &Exit{fault.ExitFailed, note}
	}
	note := fmt.Sprintf("the job was cancelled, and told run %s to %s: %s", run.Name, o.CancelWith, answer.Message)
	if o.CancelWith == api.UpdatePause {
		return note, &Exit{fault.ExitRefused, note}
	}
	return note, &Exit{fault.ExitFailed, note}
}

// report writes where the run is into the summary, the outputs and the report.
func (o *CIRunOptions) report(run api.RunStatus, known ledger.Run, note string) error {
	if run.Plan == "" { // nobody has seen more of it than its name
		run.Plan, run.Subject, run.Version, run.By, run.Started = known.Plan, known.Subject, known.Version, known.By, known.Started
	}
	text := markdown.Run(markdown.Ran{Run: run, Note: note, Program: o.Factory.program()}, min(max(o.room()-1, 0), markdown.GitLabNote))
	failed := []error{o.summarize(text + "\n"), o.output(ci.Output{Name: "phase", Value: string(run.Phase)})}
	if o.JUnit != "" {
		body, err := ci.JUnit(run)
		if err == nil {
			err = fault.Wrap(fault.Internal, os.WriteFile(o.JUnit, body, 0o644), "cannot write the report of run %s", run.Name)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
