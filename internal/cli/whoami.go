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
			who, at, err := f.knownAs(cmd.Context(), e)
			if err != nil {
				return err
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

// knownAs is who asks, and to whom he is that: to a server, or to the ledger itself.
func (f *Factory) knownAs(ctx context.Context, e Engine) (who wire.Caller, at string, err error) {
	r, ok := e.(recognising)
	if !ok {
		return wire.Caller{Name: identity.Unverified(f.Who())}, "the ledger itself", nil
	}
	who, err = r.Whoami(ctx)
	return who, r.URL(), err
}
