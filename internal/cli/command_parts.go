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
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		return exactly("RUN", "CLUSTER")(cmd, args[:min(2, len(args))])
	}
	needsReason(cmd, opts)
	send := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts.Command.Scope.Clusters = slices.Clone(args[1:])
		return send(cmd, args[:1])
	}
	return cmd
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
