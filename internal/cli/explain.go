package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/plan"
)

// NewCmdExplain explains by what Sluice decides.
func NewCmdExplain(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain policy",
		Short: "Explain by what Sluice decides",
		Long: `Explain by what Sluice decides: the policy is the table from the verdicts of checks to what a unit and its
run do about them.`,
		Example: `  sluice explain policy`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, "what is to be explained is missing: policy")
		},
	}
	cmd.AddCommand(newCmdExplainPolicy(f))
	return cmd
}

func newCmdExplainPolicy(f *Factory) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Print the table from verdicts of checks to what is done about them",
		Long: `Print the table by which the verdict of a check decides what a unit and its run do. The first row that
fits decides. An empty cell is anything.`,
		Example: `  sluice explain policy`,
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			rows := plan.VerdictPolicy()
			return out.print(f.Out, rows, func() error {
				cells := [][]string{{"VERDICT", "WHEN", "ON FAILURE", "ROLLBACK", "THEN", "WHY"}}
				for _, r := range rows {
					cells = append(cells, []string{
						cmp.Or(string(r.Verdict), "-"), cmp.Or(string(r.When), "-"), cmp.Or(string(r.OnFailure), "-"),
						cmp.Or(string(r.Rollback), "-"), string(r.Ruling), r.Why,
					})
				}
				return table(f.Out, cells)
			})
		},
	}
	addOutput(cmd, &out)
	return cmd
}
