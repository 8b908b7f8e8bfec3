package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/ci"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/lint"
	"sluice.dev/sluice/internal/markdown"
	"sluice.dev/sluice/pipelines"
)

// CIPlanOptions are what ci plan needs.
type CIPlanOptions struct {
	inCI
	PlanOptions
	Components []string // all of the files where it is empty

	missed error // why there is no plan for some of them
}

// maxPlanned is how many components a job plans. More would be a summary that nobody reads.
const maxPlanned = 50

// NewCmdCIPlan plans in a job.
func NewCmdCIPlan(f *Factory, runF func(context.Context, *CIPlanOptions) error) *cobra.Command {
	opts := &CIPlanOptions{PlanOptions: PlanOptions{Factory: f}}
	cmd := &cobra.Command{
		Use:   "plan PATH...",
		Short: "Lint and plan in a job of a build system",
		Long: `Lint files and folders, and plan the components in them: all of them, or those that --component names.
What is wrong is said at its line, plans are in the summary of the job, and the outputs are
  verdict  ready, done, busy, narrow or refused: the worst of all plans; invalid where a file is
           wrong, error where nobody could be asked
  plan     the hash of the plan, where there is one
  plans    COMPONENT=HASH of each, with commas between them
In a job of GitLab the summary is the file sluice-plan.md, and the outputs are SLUICE_VERDICT and its like in
sluice.env, a dotenv report.

Exits 0 where every plan can run, or has nothing to do; 1 where a server does not answer or does not know
the job; 2 where a file is wrong; 3 where a rule refuses a plan.`,
		Example: `  sluice ci plan . --server https://sluice.example.org
  sluice ci plan fleet components --component node-agent --to 2.0.0`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(cmd, "PATH is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Request.Paths = args
			if opts.Request.Version != "" && len(opts.Components) != 1 {
				return usage(cmd, "--to goes with one --component")
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
			return ciPlanRun(cmd.Context(), opts)
		},
	}
	opts.inCI.addFlags(cmd)
	opts.addPlanFlags(cmd)
	return cmd
}

// addPlanFlags adds the flags for which plans are made.
func (o *CIPlanOptions) addPlanFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&o.Components, "component", nil, "`NAME` of a component; may be repeated (default: all in the files)")
	flags.StringVar(&o.Request.Version, "to", "", "`VERSION` of the component, where the files have several")
	flags.StringVar(&o.Request.Pipeline, "pipeline", "", "`NAME` of the pipeline (default: the component's)")
	flags.StringArrayVarP(&o.Params, "param", "p", nil, "`NAME=VALUE` of a param of the pipeline; may be repeated")
	flags.StringSliceVar(&o.Request.Only, "only", nil, "`NAMES` of the clusters and cluster groups to narrow the run to")
	flags.StringSliceVar(&o.Request.Exclude, "exclude", nil, "`NAMES` of the clusters and cluster groups to leave out of the run")
	flags.StringVar(&o.Request.Reason, "reason", "", "`TEXT` for the audit; a run past a stage that the version has not passed needs one")
}

func ciPlanRun(ctx context.Context, o *CIPlanOptions) error {
	planned, failed := o.plans(ctx)
	if len(planned) == 0 {
		o.missed = failed
	}
	return errors.Join(failed, o.said(planned))
}

// verdictOf is the verdict where there is no plan: what is wrong with the files, or that nobody could be asked.
func verdictOf(err error) string {
	if code := fault.CodeOf(err); code == fault.Invalid || code == fault.NotFound {
		return "invalid"
	}
	return "error"
}

// plans lints, and makes the plans. Those that were made are in the summary; the error says why some are not, or cannot run.
func (o *CIPlanOptions) plans(ctx context.Context) ([]*engine.Planned, error) {
	docs, err := o.lint()
	if err != nil {
		return nil, err
	}
	names := o.Components
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(docs.Components))
	}
	switch {
	case len(names) == 0:
		return nil, fault.New(fault.NotFound, "cannot plan: there is no component in %s", strings.Join(o.Request.Paths, ", "))
	case len(names) > maxPlanned:
		return nil, fault.New(fault.Invalid, "cannot plan %d components in one job, %d at most: choose with --component NAME",
			len(names), maxPlanned)
	}
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return nil, o.undone("No plan", err)
	}
	var all []*engine.Planned
	var failed []error
	for i, name := range names {
		o.Request.Component = name
		planned, err := e.Plan(ctx, o.Request)
		if err == nil {
			all = append(all, planned)
			err = o.show(ctx, e, planned, len(names)-i)
		} else {
			err = o.undone("No plan", err)
			o.missed = errors.Join(o.missed, err)
		}
		if err != nil {
			failed = append(failed, err)
		}
		if code := fault.CodeOf(err); code == fault.Unauthorized || code == fault.Unreachable {
			break // the next one would hear the same
		}
	}
	return all, worst(failed)
}

// lint says what is wrong with the files, at their lines.
func (o *CIPlanOptions) lint() (*pipelines.Documents, error) {
	docs, found, err := lintFiles(o.Request.Paths, o.Factory.Library, lint.KubeVersion)
	if found == nil {
		return nil, err
	}
	for _, w := range found.Warnings {
		if _, err := fmt.Fprintf(shown{o.Factory.Err}, "%s: warning: %s\n", w.Position, w.Message); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "cannot print")
		}
	}
	if err == nil {
		err = o.annotate(ci.Warning, found.Warnings)
	} else {
		err = errors.Join(err, o.annotate(ci.Error, found.Diagnostics))
	}
	return docs, errors.Join(err, o.summarizeMistakes(found.Diagnostics, found.Warnings))
}

// undone says in the summary why there is no plan or run, and at the lines of files where these are wrong.
func (o *CIPlanOptions) undone(what string, err error) error {
	var wrong pipelines.Diagnostics
	if !errors.As(err, &wrong) {
		return errors.Join(err, o.summarize(fmt.Sprintf("### %s\n\n%s\n\n", what, markdown.Code(err.Error()))))
	}
	return errors.Join(err, o.annotate(ci.Error, wrong), o.summarizeMistakes(wrong, nil))
}

// show puts a plan into the log and the summary, in its part of the room that is left, and says why it cannot run.
func (o *CIPlanOptions) show(ctx context.Context, e Engine, p *engine.Planned, left int) error {
	line := fmt.Sprintf("%s %s: plan %.12s is %s: %s\n", p.Plan.Subject, p.Plan.Version, p.Hash, p.State(), p.Counts)
	if _, err := fmt.Fprint(shown{o.Factory.Out}, line); err != nil {
		return fault.Wrap(fault.Internal, err, "cannot print")
	}
	text, err := o.Factory.markdownOf(ctx, e, p, max(o.room()/left-1, markdown.Least))
	if err == nil {
		err = o.summarize(text + "\n")
	}
	return errors.Join(p.Refused(), err)
}

// states are those of plans, the worst first.
var states = []string{
	engine.PlanRefused, engine.PlanUnseen, engine.PlanStale, engine.PlanNarrow, engine.PlanBusy, engine.PlanReady, engine.PlanDone,
}

// said puts into the outputs what came of all plans.
func (o *CIPlanOptions) said(all []*engine.Planned) error {
	verdict := len(states) - 1
	plans := make([]string, len(all))
	for i, p := range all {
		plans[i] = p.Plan.Subject.Name + "=" + p.Hash
		verdict = min(verdict, slices.Index(states, p.State()))
	}
	outputs := []ci.Output{{Name: "verdict", Value: states[verdict]}}
	if o.missed != nil {
		outputs[0].Value = verdictOf(o.missed)
	}
	if len(all) > 0 {
		outputs = append(outputs, ci.Output{Name: "plans", Value: strings.Join(plans, ",")})
	}
	if len(all) == 1 {
		outputs = append(outputs, ci.Output{Name: "plan", Value: all[0].Hash})
	}
	return o.output(outputs...)
}

// worst is one error of several, with the code that says most: what is wrong before what is refused, and that before what nobody could ask.
func worst(all []error) error {
	if len(all) < 2 {
		return errors.Join(all...)
	}
	for _, code := range []fault.Code{fault.Invalid, fault.NotFound, fault.Refused} {
		for _, err := range all {
			if fault.CodeOf(err) == code {
				return fault.Wrap(code, errors.Join(all...), "%d plans cannot run", len(all))
			}
		}
	}
	return fault.Wrap(fault.CodeOf(all[0]), errors.Join(all...), "%d plans cannot be made", len(all))
}
