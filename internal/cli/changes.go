package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

// ChangesOptions are what changes needs.
type ChangesOptions struct {
	Factory *Factory
	Cluster string
	Since   time.Duration
	Format  format
}

// NewCmdChanges lists what touched a cluster.
func NewCmdChanges(f *Factory, runF func(context.Context, *ChangesOptions) error) *cobra.Command {
	opts := &ChangesOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "changes CLUSTER|NODE",
		Short: "List what touched a cluster or a node lately",
		Long: `List what touched a cluster lately, of all components: runs that were at work there, their batches,
what stopped them, what had happened to nodes before a check stopped a run, and what plans and runs
saw that somebody else had changed. Of a node it lists the batches that moved its pods, and what
runs saw of it. It reads the ledger alone, so it answers while Temporal is down; of a run that is
open it says that, and not how far it is.`,
		Example: `  sluice changes prod-eu-1
  sluice changes ip-10-0-3-7 --since 24h
  sluice changes prod-eu-1 --since 30m -o json`,
		Args: exactly("CLUSTER or NODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Cluster = args[0]
			if opts.Since <= 0 {
				return usage(cmd, "--since %s is not a time back", opts.Since)
			}
			if runF != nil {
				return runF(cmd.Context(), opts)
			}
			return changesRun(cmd.Context(), opts)
		},
	}
	addOutput(cmd, &opts.Format)
	cmd.Flags().DurationVar(&opts.Since, "since", 2*time.Hour, "how far `BACK` to look")
	return cmd
}

func changesRun(ctx context.Context, o *ChangesOptions) error {
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return err
	}
	found, err := e.Changes(ctx, o.Cluster, o.Factory.Clock.Now().Add(-o.Since).UTC())
	if err != nil {
		return err
	}
	return o.Format.print(o.Factory.Out, found, func() error { return printChanges(o, found) })
}

func printChanges(o *ChangesOptions, found engine.Changes) error {
	out := shown{o.Factory.Out}
	if found.Note != "" {
		if _, err := fmt.Fprintf(out, "note: %s\n", found.Note); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot print")
		}
	}
	if len(found.Changes) == 0 {
		_, err := fmt.Fprintf(out, "nothing that is known touched %s since %s\n", o.Cluster, stamp(found.Since))
		return fault.Wrap(fault.Internal, err, "cannot print")
	}
	rows := [][]string{{"AT", "TOOK", "KIND", "RUN", "COMPONENT", "VERSION", "WHAT"}}
	for _, c := range found.Changes {
		took := "-"
		switch {
		case c.Until.IsZero():
			took = "open"
		case c.Until.After(c.At):
			took = c.Until.Sub(c.At).Round(time.Second).String()
		}
		of := []string{or(c.Run), or(c.Component.String()), or(c.Version)}
		rows = append(rows, slices.Concat([]string{stamp(c.At), took, string(c.Kind)}, of, []string{shortened(c.What, 160)}))
	}
	return table(o.Factory.Out, rows)
}
