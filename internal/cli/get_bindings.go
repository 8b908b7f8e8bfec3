package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
)

func newCmdGetBindings(f *Factory) *cobra.Command {
	return newCmdGetKept(f, pipelines.KindBinding, &cobra.Command{
		Use:     "bindings",
		Short:   "List who may do what",
		Example: "  sluice get bindings\n  sluice get bindings -o json",
		Args:    exactly(),
	}, []string{"SUBJECTS", "RIGHTS", "SCOPE"}, func(k ledger.Kept) ([]string, error) {
		var b pipelines.Binding
		if err := k.Read(&b); err != nil {
			return nil, err
		}
		var rights []string
		for _, right := range b.Spec.Gives() {
			rights = append(rights, string(right))
		}
		return []string{strings.Join(strings.Fields(b.Spec.Subjects), " "), strings.Join(rights, ", "), b.Spec.Scope.String()}, nil
	})
}
