package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// tokens is an engine that makes tokens for services: that of a server.
type tokens interface {
	MakeToken(ctx context.Context, name string, expires time.Time) (wire.MadeToken, error)
	Tokens(ctx context.Context) ([]ledger.Token, error)
	RevokeToken(ctx context.Context, id, reason string) (ledger.Token, error)
}

func (f *Factory) tokens(ctx context.Context) (tokens, error) {
	e, err := f.Engine(ctx)
	if err != nil {
		return nil, err
	}
	t, ok := e.(tokens)
	if !ok {
		return nil, fault.New(fault.Invalid, "there is no server to make tokens for: name one with --server, or make a context")
	}
	return t, nil
}

func newCmdToken(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make and revoke tokens by which services are known to the server",
		Example: `  sluice token create nightly --for 90d
  sluice token list`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCmdTokenCreate(f), newCmdTokenList(f), newCmdTokenRevoke(f))
	return cmd
}

func newCmdTokenCreate(f *Factory) *cobra.Command {
	var life string
	var out format
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token for a service",
		Long: `Make a token by which the server knows a service as service:NAME. It is printed once, and kept by its
hash alone: who loses it makes another one. Several may have one name: give the new one out, then
revoke the old one. It takes the right to bind.`,
		Example: `  sluice token create nightly --for 90d`,
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := pipelines.ParseDuration(life)
			if err != nil || d <= 0 {
				return usage(cmd, "cannot read --for %q: write a duration above 0, such as 12h or 90d", life)
			}
			t, err := f.tokens(cmd.Context())
			if err != nil {
				return err
			}
			made, err := t.MakeToken(cmd.Context(), args[0], f.Clock.Now().Add(d.Std()))
			if err != nil {
				return err
			}
			return out.print(f.Out, made, func() error {
				_, err := fmt.Fprintf(f.Out, "%s\n", made.Secret)
				if err == nil {
					_, err = fmt.Fprintf(shown{f.Err}, "token %s of service:%s counts until %s; it is shown this once\n",
						made.Token.ID, made.Token.Name, stamp(made.Token.Expires))
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&life, "for", "90d", "for how long it counts, at most 366d: `DURATION` such as 12h, 90d")
	addOutput(cmd, &out)
	return cmd
}

func newCmdTokenList(f *Factory) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens of services",
		Example: `  sluice token list`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := f.tokens(cmd.Context())
			if err != nil {
				return err
			}
			all, err := t.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			return out.print(f.Out, all, func() error {
				rows := [][]string{{"TOKEN", "SERVICE", "CREATED", "BY", "EXPIRES", "LAST USED", "REVOKED"}}
				for _, t := range all {
					rows = append(rows, []string{t.ID, t.Name, stamp(t.Created), t.CreatedBy, stamp(t.Expires), stamp(t.LastUsed), stamp(t.Revoked)})
				}
				return table(f.Out, rows)
			})
		},
	}
	addOutput(cmd, &out)
	return cmd
}

func newCmdTokenRevoke(f *Factory) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "revoke TOKEN",
		Short:   "Have a token no longer be taken",
		Example: `  sluice token revoke q3xk5mdlrt2a --reason "its service is gone"`,
		Args:    exactly("TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usage(cmd, "--reason is missing: say why")
			}
			t, err := f.tokens(cmd.Context())
			if err != nil {
				return err
			}
			gone, err := t.RevokeToken(cmd.Context(), args[0], reason)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(shown{f.Out}, "token %s of service:%s is revoked since %s\n", gone.ID, gone.Name, stamp(gone.Revoked))
			return err
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for the audit (needed)")
	return cmd
}
