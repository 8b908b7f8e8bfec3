package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// inviter is an engine that lets agents in: that of a server.
type inviter interface {
	InviteAgent(ctx context.Context, cluster, agent string, expires time.Time) (wire.Invited, error)
}

func newCmdCluster(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Let agents of clusters in, and turn them out",
		Example: `  sluice cluster enroll prod-eu-1
  sluice cluster revoke prod-eu-1 --reason "its machine was stolen"`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCmdClusterEnroll(f), newCmdClusterRevoke(f), newCmdClusterKeys(f))
	return cmd
}

func newCmdClusterEnroll(f *Factory) *cobra.Command {
	var agent, life string
	var out format
	cmd := &cobra.Command{
		Use:   "enroll CLUSTER",
		Short: "Invite an agent of a cluster's site",
		Long: `Make an invitation by which one agent comes in: it turns it into a certificate, which it renews by
itself. The agent is of the site of the cluster, and reads and writes what is about the clusters of that
site alone. The invitation is printed once, and counts once. It takes the right to register.

Whoever comes in under a name turns out the agent that had it.`,
		Example: `  sluice cluster enroll prod-eu-1
  sluice cluster enroll prod-eu-1 --agent prod-eu-b --for 30m`,
		Args: exactly("CLUSTER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := pipelines.ParseDuration(life)
			if err != nil || d <= 0 {
				return usage(cmd, "cannot read --for %q: write a duration above 0, such as 30m or 24h", life)
			}
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			by, ok := e.(inviter)
			if !ok {
				return fault.New(fault.Invalid, "there is no server that would let an agent in: name one with --server, or make a context")
			}
			in, err := by.InviteAgent(cmd.Context(), args[0], agent, f.Clock.Now().Add(d.Std()))
			if err != nil {
				return err
			}
			return out.print(f.Out, in, func() error {
				_, err := fmt.Fprintln(f.Out, in.Invitation)
				if err == nil {
					_, err = fmt.Fprintf(shown{f.Err}, "agent %s of site %s (%s) may come in with it until %s; it is shown this once\n",
						in.Agent, in.Site, strings.Join(in.Clusters, ", "), stamp(in.Expires))
				}
				return fault.Wrap(fault.Internal, err, "cannot print")
			})
		},
	}
	cmd.Flags().StringVar(&agent, "agent", "", "`NAME` of the agent (default: that of the cluster)")
	cmd.Flags().StringVar(&life, "for", "1h", "for how long the invitation counts, at most 7d: `DURATION` such as 30m, 24h")
	addOutput(cmd, &out)
	return cmd
}

func newCmdClusterRevoke(f *Factory) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "revoke AGENT",
		Short: "Have an agent no longer be let in",
		Long: `Have an agent's certificate no longer count: within seconds it reads and writes nothing, and gets no
task. What it has begun is done by another agent of its site, or waits as Unreachable. Enrolled anew, it
is in again.`,
		Example: `  sluice cluster revoke prod-eu-1 --reason "its machine was stolen"`,
		Args:    exactly("AGENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usage(cmd, "--reason is missing: say why")
			}
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			gone, err := e.RevokeAgent(cmd.Context(), args[0], f.Who(), reason)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(shown{f.Out}, "agent %s of site %s is revoked since %s\n", gone.Name, gone.Site, stamp(gone.Revoked))
			return fault.Wrap(fault.Internal, err, "cannot print")
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for the audit (needed)")
	return cmd
}

func newCmdClusterKeys(f *Factory) *cobra.Command {
	return &cobra.Command{
		Use:   "keys FOLDER",
		Short: "Make the keys by which a server and its agents know each other",
		Long: `Make the authority that signs the certificates of agents, and the secret that other keys are derived
from. All servers of an installation have the same folder, and nobody else has it: with it, anybody
could be any agent.`,
		Example: `  sluice cluster keys agents`,
		Args:    exactly("FOLDER"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := credential.NewAuthority(args[0], f.Clock.Now()); err != nil {
				return err
			}
			a, err := credential.ReadAuthority(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(shown{f.Out}, "made the keys of an installation's agents in %s (authority %.12s)\n", args[0], a.Pin())
			return fault.Wrap(fault.Internal, err, "cannot print")
		},
	}
}
