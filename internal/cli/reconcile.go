package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
)

// newCmdReconcile says which record of what runs in a cluster is right.
func newCmdReconcile(f *Factory) *cobra.Command {
	req := engine.ReconcileRequest{}
	trust := ""
	cmd := &cobra.Command{
		Use:   "reconcile COMPONENT CLUSTER",
		Short: "Say which to trust, where the Lease in a cluster and the ledger disagree",
		Long: `Where the ledger or a cluster was restored from a backup, the Lease in the cluster and the ledger say that
different things run there, and no run starts in it. Say which of them is right; the other is written anew.

With --trust ledger the Lease says what the ledger has. With --trust cluster the ledger takes up again what
it knows by the Lease's digest; where it knows nothing by it, it forgets what it had, and the next run
takes what it finds in the cluster for what was there before. No object but the Lease is touched.`,
		Example: `  sluice reconcile node-agent prod-eu-1 --trust cluster --reason "the ledger is from yesterday's backup"`,
		Args:    exactly("COMPONENT", "CLUSTER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Component, req.Cluster, req.By, req.Trust = args[0], args[1], f.Who(), api.Trust(trust)
			switch {
			case req.Trust != api.TrustCluster && req.Trust != api.TrustLedger:
				return usage(cmd, "--trust %q is neither cluster nor ledger", trust)
			case req.Reason == "":
				return usage(cmd, "--reason is missing: whoever reads the audit has to know why")
			}
			return reconcileRun(cmd.Context(), f, req)
		},
	}
	cmd.Flags().StringVar(&trust, "trust", "", "which is right: `cluster` or ledger (needed)")
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
