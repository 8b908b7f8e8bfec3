package cli

import (
	"github.com/spf13/cobra"
)

func newCmdProbe(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Make probes, run them, see what they found, and say what you found of it",
		Example: `  sluice probe new shop-front
  sluice probe run pod-life --cluster prod-eu-1 --wait
  sluice probe explain etcd --cluster prod-eu-1
  sluice probe history etcd --cluster prod-eu-1`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newCmdProbeNew(f), newCmdProbeRun(f), newCmdProbeEvent(f), newCmdProbeResult(f),
		newCmdProbeHistory(f), newCmdProbeExplain(f), newCmdProbeLogs(f), newCmdProbeLabel(f), newCmdProbeCompare(f), newCmdProbeNoise(f),
		newCmdProbeCRDs(f),
	)
	return cmd
}
