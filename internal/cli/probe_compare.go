package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

func newCmdProbeCompare(f *Factory) *cobra.Command {
	var req engine.CompareRequest
	var out format
	cmd := &cobra.Command{
		Use:   "compare CASE",
		Short: "Name the clusters in which a case observes something else than in most",
		Long: `Hold what a case observed last in all clusters against each other, and name those that are unlike the
others. Without a rule each text and each bool has to be as most have it. A rule is a condition in CEL
that each has to fulfil. It reads observed.NAME, usual.NAME (what most have), median.NAME (of numbers),
cluster, target and environment. What is too old to count is not compared.`,
		Example: `  sluice probe compare fleet-settings
  sluice probe compare certificates --rule "observed.days > 14.0"
  sluice probe compare fleet-settings --rule "environment != 'production' || observed.auditLog == usual.auditLog"`,
		Args: exactly("CASE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Case = args[0]
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			compared, err := e.CompareProbes(cmd.Context(), req)
			if err != nil {
				return err
			}
			return out.print(f.Out, compared, func() error {
				if len(compared.Outliers) > 0 {
					rows := [][]string{{"CLUSTER", "TARGET", "RUN", "BECAUSE"}}
					for _, o := range compared.Outliers {
						rows = append(rows, []string{o.Cluster, or(o.Target), o.Run, shortened(strings.Join(o.Because, "; "), 160)})
					}
					if err := table(f.Out, rows); err != nil {
						return err
					}
				}
				text := fmt.Sprintf("%d of %d targets are unlike the others\n", len(compared.Outliers), compared.Targets)
				if len(compared.Silent) > 0 {
					text += "nothing that counts was observed in " + clip.Few(compared.Silent, 5) + "\n"
				}
				_, err := fmt.Fprint(shown{f.Out}, text)
				return fault.Wrap(fault.Internal, err, "cannot print")
			})
		},
	}
	cmd.Flags().StringVar(&req.Rule, "rule", "", "`CEL` that each has to fulfil (default: as most have it)")
	addOutput(cmd, &out)
	return cmd
}
