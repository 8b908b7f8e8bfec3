package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
)

func newCmdSkip(f *Factory) *cobra.Command {
	cmd, opts := newCommand(f, api.UpdateSkip, &cobra.Command{
		Short: "Let a run go on without some of its clusters",
		Long: `Leave clusters out of an open run: those that have not started, are held, stalled or paused, have
failed, or are out of reach. Pods there stay as they are. They count as nothing in budgets and checks, what
goes after them goes on, and the run's end says that it is done in part. One that moves is refused: pause
the run first. A paused run stays paused.`,
		Example: `  sluice skip node-agent-2 prod-eu-3 --reason "its rack is down until Monday"`,
	})
	cmd.Use = "skip RUN CLUSTER..."
	takesClusters(cmd, opts, 2)
	needsReason(cmd, opts)
	return cmd
}

func newCmdEndSoak(f *Factory) *cobra.Command {
	cmd, opts := newCommand(f, api.UpdateEndSoak, &cobra.Command{
		Short: "End the soak that is going on now, with a last look",
		Long: `End the quiet time of what soaks now: batches, clusters, a group or a stage. Checks are not skipped:
each that looks on has a last look, measurements that a soak is to have are made, and what is to be judged
afterwards is. Later soaks are as long as the pipeline says. With names, only soaks of these clusters end.`,
		Example: `  sluice end-soak node-agent-2 --reason "the fix for INC-1412 cannot wait until Monday"`,
	})
	cmd.Use = "end-soak RUN [CLUSTER...]"
	takesClusters(cmd, opts, 1)
	needsReason(cmd, opts)
	return cmd
}

func newCmdRetry(f *Factory) *cobra.Command {
	cmd, opts := newCommand(f, api.UpdateRetry, &cobra.Command{
		Short: "Try again what a run has not brought to its end",
		Long: `Of an open run: clusters that have failed begin anew, where their group still starts some, and those that
stand look again, as resume has them do. Of a run that has ended: a new run by the same plan, with the same
digests, over the clusters that failed, were out of reach, were aborted or never had their turn; --failed
leaves the last two out. What people skipped, or what was taken back, is not tried again.`,
		Example: `  sluice retry node-agent-2
  sluice retry node-agent-2 --failed --reason "the registry is back"`,
	})
	cmd.Flags().BoolVar(&opts.Command.Failed, "failed", false, "of a run that has ended, only what failed or was out of reach")
	return cmd
}

func newCmdReject(f *Factory) *cobra.Command {
	cmd, opts := newCommand(f, api.UpdateReject, &cobra.Command{
		Short: "Say no to the stage of a run that waits for approval",
		Long: `Say no to the stage that waits for approval: it does not start, and the run ends as failed. One no is
enough, whoever says it. Pods that were moved stay moved, whatever the pipeline does about failures: to take
them back, use rollback. A retry of the run asks for approval anew.`,
		Example: `  sluice reject node-agent-2 --reason "not before the sale is over"`,
	})
	needsReason(cmd, opts)
	return cmd
}

// takesClusters has a command take names of clusters behind its run, where there are to be least arguments.
func takesClusters(cmd *cobra.Command, opts *CommandOptions, least int) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		return between(least, "RUN", "CLUSTER")(cmd, args[:min(2, len(args))])
	}
	send := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts.Command.Scope.Clusters = slices.Clone(args[1:])
		return send(cmd, args[:1])
	}
}

// needsReason has a command that goes round a safety say why.
func needsReason(cmd *cobra.Command, opts *CommandOptions) {
	cmd.Flags().Lookup("reason").Usage += " (needed)"
	send := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if opts.Command.Reason == "" {
			return usage(cmd, "--reason is missing: say why")
		}
		return send(cmd, args)
	}
}
