package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/engine"
)

// newCmdReconcile says which record of what runs in a cluster is right.
func newCmdReconcile(f *Factory) *cobra.Command {
	req := engine.ReconcileRequest{}
	trust := ""
	cmd := &cobra.Command{
		Use:   "reconcile RUN | COMPONENT CLUSTER",
		Short: "Settle what disagrees: a run that was taken back without Temporal, or a Lease and the ledger",
		Long: `A run that was taken back with rollback --direct goes on nowhere once Temporal is back, and waits. With
RUN, it is ended where it is: what was taken back stays so, what it has armed elsewhere is disarmed, and
the clusters that are not back yet are named.

Where the ledger or a cluster was restored from a backup, the Lease in the cluster and the ledger say that
different things run there, and no run starts in it. Say which of them is right; the other is written anew.

With --trust ledger the Lease says what the ledger has. With --trust cluster the ledger takes up again what
it knows by the Lease's digest; where it knows nothing by it, it forgets what it had, and the next run
takes what it finds in the cluster for what was there before. No object but the Lease is touched.`,
		Example: `  sluice reconcile node-agent-2 --reason "taken back by hand while Temporal was gone"
  sluice reconcile node-agent prod-eu-1 --trust cluster --reason "the ledger is from yesterday's backup"`,
		Args: between(1, "RUN or COMPONENT", "CLUSTER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.By, req.Trust = f.Who(), api.Trust(trust)
			if len(args) == 1 {
				switch {
				case trust != "":
					return usage(cmd, "CLUSTER is missing: --trust is about a component in a cluster")
				case req.Reason == "":
					return usage(cmd, "--reason is missing: whoever reads the audit has to know why")
				}
				return settleRun(cmd.Context(), f, args[0], req)
			}
			req.Component, req.Cluster = args[0], args[1]
			switch {
			case req.Trust != api.TrustCluster && req.Trust != api.TrustLedger:
				return usage(cmd, "--trust %q is neither cluster nor ledger", trust)
			case req.Reason == "":
				return usage(cmd, "--reason is missing: whoever reads the audit has to know why")
			}
			return reconcileRun(cmd.Context(), f, req)
		},
	}
	cmd.Flags().StringVar(&trust, "trust", "", "which is right: `cluster` or ledger (needed with CLUSTER)")
	cmd.Flags().StringVar(&req.Reason, "reason", "", "`TEXT` for the audit (needed)")
	return cmd
}

func reconcileRun(ctx context.Context, f *Factory, req engine.ReconcileRequest) error {
	e, err := f.Engine(ctx)
	if err != nil {
		return err
	}
	was, err := e.Reconcile(ctx, req)
	if err != nil {
		return err
	}
	where := req.Component + " in " + req.Cluster
	text := fmt.Sprintf("%s: Lease and ledger agree: %s\n", where, said(was.Ledger))
	switch {
	case was.Lease.Held:
		text = fmt.Sprintf("%s: run %s holds the Lease; the next run takes it over\n", where, was.Lease.Run)
	case !was.Agreed:
		text = fmt.Sprintf("%s\n  the Lease said   %s\n  the ledger said  %s\n  both say now     %s\n",
			where, said(was.Lease), said(was.Ledger), said(was.Now))
	}
	_, err = shown{f.Out}.Write([]byte(text))
	return err
}

// settleRun ends a run that was taken back without Temporal.
func settleRun(ctx context.Context, f *Factory, run string, req engine.ReconcileRequest) error {
	e, err := f.Engine(ctx)
	if err != nil {
		return err
	}
	s, err := e.Settle(ctx, run, req.By, req.Reason)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s was taken back by %s without Temporal, and has ended as %s\n", s.Run, s.By, s.Phase)
	if s.Stand {
		text = fmt.Sprintf("%s was taken back by %s without Temporal; it ends as soon as a worker is there\n", s.Run, s.By)
	}
	if len(s.Owed) > 0 {
		text += fmt.Sprintf("not back yet: %s; take the rest back with: %s rollback %s\n", clip.Few(s.Owed, mostNamed), f.program(), s.Took)
	} else {
		text += fmt.Sprintf("all that %s has moved is back\n", s.Took)
	}
	_, err = shown{f.Out}.Write([]byte(text))
	return err
}

// said is what a record says.
func said(r api.Recorded) string {
	switch {
	case r.Target == "" && r.Version == "":
		return "nothing is known"
	case r.Version == "":
		return fmt.Sprintf("%.19s of %s", r.Target, r.Run)
	}
	return fmt.Sprintf("%.19s of %s, version %s", r.Target, r.Run, r.Version)
}
