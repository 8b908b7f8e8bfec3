package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
)

func newCmdGetPolicies(f *Factory) *cobra.Command {
	return newCmdGetKept(f, pipelines.KindPolicy, &cobra.Command{
		Use:     "policies",
		Short:   "List what no pipeline may undercut",
		Example: "  sluice get policies\n  sluice get policies -o json",
		Args:    exactly(),
	}, []string{"CONCERNS", "ASKS FOR"}, func(k ledger.Kept) ([]string, error) {
		var p pipelines.Policy
		if err := k.Read(&p); err != nil {
			return nil, err
		}
		return []string{p.Spec.Concerns(), strings.Join(p.Spec.Asks(), ", ")}, nil
	})
}
