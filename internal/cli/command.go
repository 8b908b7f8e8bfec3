package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// CommandOptions are what the commands to a run need.
type CommandOptions struct {
	Factory *Factory
	Run     string
	Name    string // api.UpdatePause and its like
	Command api.Command
	Format  format
}

// newCommand makes the command line of one command to a run.
func newCommand(f *Factory, name string, cmd *cobra.Command) (*cobra.Command, *CommandOptions) {
	opts := &CommandOptions{Factory: f, Name: name}
	cmd.Use = name + " RUN"
	cmd.Args = exactly("RUN")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts.Run, opts.Command.Who = args[0], f.Who()
		return commandRun(cmd.Context(), opts)
	}
	cmd.Flags().StringVar(&opts.Command.Reason, "reason", "", "`TEXT` for the audit, and for whoever finds the run so")
	cmd.Flags().StringVar(&opts.Command.ID, "id", "", "`ID` of your own: the same command under the same one acts once")
	addOutput(cmd, &opts.Format)
	return cmd, opts
}

func newCmdPause(f *Factory) *cobra.Command {
	cmd, _ := newCommand(f, api.UpdatePause, &cobra.Command{
		Short: "Stop a run where it is, and disarm it",
		Long: `Start nothing new, stop what is in flight between pods, and disarm: a pod that is recreated
meanwhile gets the template of before. Pods that were moved stay moved. Pausing twice is one pause.`,
		Example: `  sluice pause node-agent-2 --reason "error rate in checkout"`,
	})
	return cmd
}

func newCmdResume(f *Factory) *cobra.Command {
	cmd, _ := newCommand(f, api.UpdateResume, &cobra.Command{
		Short:   "Let a run go on, and look again where a check held it",
		Example: `  sluice resume node-agent-2 --reason "dependency is back"`,
	})
	return cmd
}

func newCmdApprove(f *Factory) *cobra.Command {
	cmd, opts := newCommand(f, api.UpdateApprove, &cobra.Command{
		Short: "Approve the stage of a run that waits for it",
		Long: `Approve the stage that waits for approval. An approval names the plan that was read, by its hash
or the first characters of it: it does not count for any other plan. Whoever started the run does not approve
it, and a stage may say who does, and for how long an approval counts: the same person's next one counts from
then on.`,
		Example: `  sluice approve node-agent-2 --plan 3f2a9c01d2e4 --reason "canary is quiet since yesterday"`,
	})
	cmd.Flags().StringVar(&opts.Command.Plan, "plan", "", "`HASH` of the plan that you have read (needed)")
	send := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if opts.Command.Plan == "" {
			return usage(cmd, "--plan is missing: an approval names the plan that was read")
		}
		return send(cmd, args)
	}
	return cmd
}

func newCmdAbort(f *Factory) *cobra.Command {
	cmd, opts := newCommand(f, api.UpdateAbort, &cobra.Command{
		Short: "End a run where it is, and leave pods as they are",
		Long: `Stop and disarm every open unit, start nothing else, and end the run. Pods that were moved stay
moved: to take them back too, use rollback. On a run that has ended it does nothing, and says so. A
run that is rolling back is aborted only with --abandon-rollback, and then stays half-way. A cluster out of
reach is disarmed once it answers, and the run ends then; a second abort gives that up.`,
		Example: `  sluice abort node-agent-2 --reason "wrong version"
  sluice abort node-agent-2 --abandon-rollback --reason "cluster is gone"`,
	})
	cmd.Flags().BoolVar(&opts.Command.Abandon, "abandon-rollback", false, "abort a rollback too, half done as it may be")
	return cmd
}

func newCmdRollback(f *Factory) *cobra.Command {
	cmd, opts := newCommand(f, api.UpdateRollback, &cobra.Command{
		Short: "Take back what a run has moved",
		Long: `Take back what a run has moved, to what its plan fixed as the way back: the last cluster first and
alone, then a third at once. No window, freeze or soak holds it. It acts on a paused run, and on one that
has ended: then a run of its own takes it back.

With --batch and one --cluster, only the batch that moved last goes back, of a cluster that stands: held,
stalled or paused. It stays there, disarmed, and a resume moves that batch anew.

With --direct this command takes it back itself, by the ledger and the kubeconfigs, for when Temporal
is gone. It refuses while workers are there or Temporal answers. Killed at any moment, it may be run
again, and goes on with what is left. The run goes on nowhere from then on, also once Temporal is back,
until somebody reconciles it.`,
		Example: `  sluice rollback node-agent-2 --dry-run
  sluice rollback node-agent-2 --stage production --reason "crash loop"
  sluice rollback node-agent-2 --cluster prod-eu-1 --cluster prod-eu-2
  sluice rollback node-agent-2 --cluster prod-eu-1 --batch --reason "its pods log errors"
  sluice rollback node-agent-2 --direct --reason "crash loop, and Temporal is gone"`,
	})
	flags := cmd.Flags()
	flags.StringVar(&opts.Command.Scope.Stage, "stage", "", "take back `STAGE` only")
	flags.StringVar(&opts.Command.Scope.Group, "group", "", "take back the cluster group `GROUP` only")
	flags.StringSliceVar(&opts.Command.Scope.Clusters, "cluster", nil, "take back `CLUSTERS` only; may be repeated")
	flags.BoolVar(&opts.Command.DryRun, "dry-run", false, "print what would go where, and change nothing")
	batch := flags.Bool("batch", false, "take back the last batch of one cluster only; needs --reason")
	direct := addDirect(cmd)
	send := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		scope := opts.Command.Scope
		if scope.Stage != "" && (scope.Group != "" || len(scope.Clusters) > 0) || scope.Group != "" && len(scope.Clusters) > 0 {
			return usage(cmd, "--stage, --group and --cluster go one at a time")
		}
		byItself := direct.Direct || direct.Anyhow || len(direct.Kubeconfigs) > 0
		if *batch {
			switch {
			case byItself || opts.Command.DryRun:
				return usage(cmd, "--batch goes neither with --direct nor with --dry-run")
			case len(scope.Clusters) != 1:
				return usage(cmd, "--batch goes with one --cluster")
			case opts.Command.Reason == "":
				return usage(cmd, "--reason is missing: say why")
			}
			opts.Name = api.UpdateRetreat
		}
		if byItself {
			return direct.run(cmd, opts, args[0])
		}
		return send(cmd, args)
	}
	return cmd
}

func commandRun(ctx context.Context, o *CommandOptions) error {
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return err
	}
	answer, err := e.Command(ctx, o.Run, o.Name, o.Command)
	if err != nil {
		return err
	}
	if answer.Stands {
		printed := o.Format.print(o.Factory.Out, answer, func() error { return nil })
		return errors.Join(&Exit{fault.ExitWaiting, answer.Message}, printed)
	}
	return o.Format.print(o.Factory.Out, answer, func() error {
		out := shown{o.Factory.Out}
		if _, err := fmt.Fprintln(out, answer.Message); err != nil {
			return err
		}
		for _, u := range answer.Units {
			if _, err := fmt.Fprintln(out, "  "+u); err != nil {
				return err
			}
		}
		return nil
	})
}
