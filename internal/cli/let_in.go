package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
)

func newCmdLetIn(f *Factory) *cobra.Command {
	var reason string
	var out format
	cmd := &cobra.Command{
		Use:   "let-in RUN CLUSTER",
		Short: "Have a cluster of a run go on though others keep it out",
		Long: `Have a cluster of a run go on that waits for a permit: another run's cluster is in trouble there or in
its failure domain, or as many change as may. The reason is in the audit. It needs no Temporal.`,
		Example: `  sluice let-in node-agent-4 prod-eu-1 --reason "it is the fix for what dns-cache-3 broke"`,
		Args:    exactly("RUN", "CLUSTER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usage(cmd, "--reason is missing: whoever is kept waiting has to know why")
			}
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			let, err := e.LetIn(cmd.Context(), args[0], args[1], f.Who(), reason)
			if err != nil {
				return err
			}
			return out.print(f.Out, let, func() error {
				when := "within seconds"
				if let.Refused {
					when = "once it is resumed"
				}
				_, err := fmt.Fprintf(shown{f.Out}, "%s of run %s enters %s; what was in its way: %s\n", let.Cluster, let.Run, when, or(let.WaitsWhat))
				return fault.Wrap(fault.Internal, err, "cannot print")
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for the audit (needed)")
	addOutput(cmd, &out)
	return cmd
}
