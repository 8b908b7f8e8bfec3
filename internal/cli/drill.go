package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

// DrillOptions are what drill needs.
type DrillOptions struct {
	Factory *Factory
	Request engine.DrillRequest
	Wait    bool
	Format  format
}

func newCmdDrill(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drill start|stop|run DRILL",
		Short: "Prove by a schedule that pipelines stop what is known to be bad",
		Long: `Run a version that is known to be bad by a schedule, in the clusters that its Drill names and no others, to
prove that its pipeline still stops it. What ran before is put back. One that is not stopped is an alarm.`,
		Example: `  sluice drill start crash -f examples
  sluice drill run crash --wait
  sluice get drills
  sluice drill stop crash --reason "the component is gone"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCmdDrillStart(f), newCmdDrillRun(f), newCmdDrillStop(f))
	return cmd
}

// newCmdOfDrill makes a command about one drill.
func newCmdOfDrill(
	f *Factory, cmd *cobra.Command, run func(context.Context, Engine, *DrillOptions) error,
) (*cobra.Command, *DrillOptions) {
	opts := &DrillOptions{Factory: f}
	cmd.Args = exactly("DRILL")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts.Request.Name, opts.Request.By = args[0], f.Who()
		e, err := f.Engine(cmd.Context())
		if err != nil {
			return err
		}
		return run(cmd.Context(), e, opts)
	}
	cmd.Flags().StringVar(&opts.Request.Reason, "reason", "", "`TEXT` for the audit")
	addOutput(cmd, &opts.Format)
	return cmd, opts
}

func (o *DrillOptions) say(line string) error {
	_, err := fmt.Fprintln(shown{o.Factory.Out}, line)
	return fault.Wrap(fault.Internal, err, "cannot print")
}

func newCmdDrillStart(f *Factory) *cobra.Command {
	cmd, opts := newCmdOfDrill(f, &cobra.Command{
		Use:   "start DRILL -f PATH",
		Short: "Start a drill, or go on with it as its files are now",
		Long: `Start a drill: look at its clusters, keep what its files say, and run it by its schedule. Started again, it
goes on as its files are now; nothing of it follows them by itself.`,
		Example: `  sluice drill start crash -f examples`,
	}, func(ctx context.Context, e Engine, o *DrillOptions) error {
		d, err := e.StartDrill(ctx, o.Request)
		if err != nil {
			return err
		}
		return o.Format.print(o.Factory.Out, d, func() error {
			return o.say(fmt.Sprintf("drill %s runs %s %s by pipeline %s in %s at %q %s",
				d.Name, d.Subject, d.Version, d.Pipeline, clip.Few(d.Clusters, 3), d.Cron, d.TimeZone))
		})
	})
	cmd.Flags().StringArrayVarP(&opts.Request.Paths, "file", "f", []string{"."}, "`PATH` of a file or folder to read; may be repeated")
	return cmd
}

func newCmdDrillStop(f *Factory) *cobra.Command {
	cmd, _ := newCmdOfDrill(f, &cobra.Command{
		Use:     "stop DRILL --reason TEXT",
		Short:   "Stop a drill for good; what is under way goes on to its end",
		Example: `  sluice drill stop crash --reason "the component is gone"`,
	}, func(ctx context.Context, e Engine, o *DrillOptions) error {
		if o.Request.Reason == "" {
			return fault.New(fault.Invalid, "cannot stop drill %s: --reason is missing", o.Request.Name)
		}
		had, err := e.StopDrill(ctx, o.Request)
		if err != nil {
			return err
		}
		said := fmt.Sprintf("drill %s is stopped", o.Request.Name)
		if !had {
			said = fmt.Sprintf("there is no drill %s: nothing to stop", o.Request.Name)
		}
		return o.Format.print(o.Factory.Out, map[string]bool{"stopped": had}, func() error { return o.say(said) })
	})
	return cmd
}

func newCmdDrillRun(f *Factory) *cobra.Command {
	cmd, opts := newCmdOfDrill(f, &cobra.Command{
		Use:   "run DRILL",
		Short: "Run a drill now",
		Long: `Run a drill now, besides its schedule. With --wait it prints what came of it, and exits 1 where the bad
version was not stopped, 3 where the drill could not run.`,
		Example: `  sluice drill run crash --wait`,
	}, func(ctx context.Context, e Engine, o *DrillOptions) error {
		d, err := e.RunDrill(ctx, o.Request, o.Wait)
		if err != nil {
			return err
		}
		err = o.Format.print(o.Factory.Out, d, func() error { return o.say(drilled(d)) })
		switch {
		case err != nil:
			return err
		case d.Outcome == api.DrillNotStopped:
			return &Exit{Code: fault.ExitFailed, Message: "the bad version was not stopped"}
		case d.Outcome == api.DrillNotRun:
			return &Exit{Code: fault.ExitRefused, Message: "the drill has proven nothing"}
		}
		return nil
	})
	cmd.Flags().BoolVar(&opts.Wait, "wait", false, "until what ran before is back")
	return cmd
}

// drilled says what came of a drill.
func drilled(d api.Drilled) string {
	switch d.Outcome {
	case api.DrillStopped:
		return fmt.Sprintf("drill %s: check %s stopped %s at %s, and what ran before is back", d.Drill, d.Check, d.Run, d.At)
	case api.DrillRuns:
		return fmt.Sprintf("drill %s runs; see sluice get drills %s", d.Drill, d.Drill)
	}
	if d.Run == "" {
		return fmt.Sprintf("drill %s is %s: %s", d.Drill, d.Outcome, d.Message)
	}
	return fmt.Sprintf("drill %s is %s, by run %s: %s", d.Drill, d.Outcome, d.Run, d.Message)
}

func newCmdGetDrills(f *Factory) *cobra.Command {
	return newList(f, newest(), &cobra.Command{
		Use:   "drills [DRILL]",
		Short: "List drills with what came of each last, or each time of one",
		Example: `  sluice get drills
  sluice get drills crash`,
		Args: between(0, "DRILL"),
	}, drillRows, []string{
		"DRILL", "COMPONENT", "VERSION", "CLUSTERS", "SCHEDULE", "RAN", "OUTCOME", "RUN", "STOPPED BY",
	}, func(r engine.KeptDrill) []string {
		ran, outcome, run, by := "-", "-", "-", "-"
		if t := r.Last; t != nil {
			ran, outcome, run, by = stamp(t.Started), string(t.Outcome), or(t.Run), or(t.Check)
		}
		return []string{
			r.Name, r.Subject.String(), or(r.Version), or(clip.Few(r.Clusters, 3)), or(r.Cron + " " + r.TimeZone), ran, outcome, run, by,
		}
	}, func(r engine.KeptDrill) string {
		if r.Last == nil || r.Last.Message == "" {
			return ""
		}
		return fmt.Sprintf("%s, %s: %s", r.Name, stamp(r.Last.Started), r.Last.Message)
	})
}

// drillRows are all drills with their last time, or one with each of its times.
func drillRows(ctx context.Context, e Engine, o *listOptions) ([]engine.KeptDrill, error) {
	all, err := e.Drills(ctx)
	if err != nil || o.of == "" {
		return all, err
	}
	times, err := e.Drilled(ctx, o.of, o.limit)
	if err != nil {
		return nil, err
	}
	of := engine.KeptDrill{Name: o.of}
	for _, d := range all {
		if d.Name == o.of {
			of = d
		}
	}
	if of.By == "" && len(times) == 0 {
		return nil, fault.New(fault.NotFound, "cannot find drill %s", o.of)
	}
	rows := []engine.KeptDrill{}
	for i := range times {
		of.Last = &times[i]
		rows = append(rows, of)
	}
	return rows, nil
}
