package cli

import (
	"github.com/spf13/cobra"
)

func newCmdProbe(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "probe",
		Short:   "Make probes, and see what they find",
		Example: `  sluice probe new shop-front`,
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCmdProbeNew(f))
	return cmd
}
