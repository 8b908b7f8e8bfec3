package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/internal/wire"
)

// recognising is an engine that knows who asks it: that of a server.
type recognising interface {
	Whoami(context.Context) (wire.Caller, error)
	URL() string
}

func newCmdWhoami(f *Factory) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Say as whom you are known",
		Long: `Say who the server takes you for, which is the name in its audit. Where the ledger itself is asked
nobody checks that name, and it is marked so.`,
		Example: `  sluice whoami`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			who, at := wire.Caller{Name: identity.Unverified(f.Who())}, "the ledger itself"
			if r, ok := e.(recognising); ok {
				if who, err = r.Whoami(cmd.Context()); err != nil {
					return err
				}
				at = r.URL()
			}
			return out.print(f.Out, who, func() error {
				_, err := fmt.Fprintf(shown{f.Out}, "%s, as %s has it\n", who.Name, at)
				return err
			})
		},
	}
	addOutput(cmd, &out)
	return cmd
}
