package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/pipelines"
)

// FreezeOptions are what freeze needs.
type FreezeOptions struct {
	Factory   *Factory
	Component string
	InFlight  string
	For       string
	Until     string
	Freeze    api.Freeze
	Format    format
}

func newCmdFreeze(f *Factory) *cobra.Command {
	opts := &FreezeOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "freeze",
		Short: "Have everything stand still, or a part of the fleet",
		Long: `Have runs stand still: those that are open within seconds, and those that start later, until the freeze is
lifted or over. Without a flag for what it is about it holds everything; with several, what they have in
common. Rollbacks and aborts are never held. It needs no Temporal: where that is gone nothing starts.`,
		Example: `  sluice freeze --reason "packet loss in eu"
  sluice freeze --environment production --for 12h --in-flight PauseAtBoundary --reason "launch day"
  sluice freeze --component node-agent --label tier=gold --reason "customer asks for quiet"`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opts.complete(cmd); err != nil {
				return err
			}
			return freezeRun(cmd.Context(), opts)
		},
	}
	flags, scope := cmd.Flags(), &opts.Freeze.Scope
	flags.StringVar(&opts.Component, "component", "", "only runs of this `COMPONENT`")
	flags.StringVar(&scope.Environment, "environment", "", "only clusters of this `ENVIRONMENT`")
	flags.StringVar(&scope.Group, "group", "", "only clusters of the cluster group `GROUP`")
	flags.StringSliceVar(&scope.Clusters, "cluster", nil, "only these `CLUSTERS`; may be repeated")
	flags.StringToStringVar(&scope.Labels, "label", nil, "only clusters with these labels: `KEY=VALUE`; may be repeated")
	flags.StringVar(&opts.InFlight, "in-flight", string(api.PauseNow),
		"what becomes of clusters that move: `PauseNow`, PauseAtBoundary (after the batch) or Finish")
	flags.StringVar(&opts.For, "for", "", "how long it holds: `DURATION` such as 90m, 12h, 2d (default until it is lifted)")
	flags.StringVar(&opts.Until, "until", "", "until when it holds: `TIME` such as 2026-12-27T08:00:00+01:00")
	flags.StringVar(&opts.Freeze.Reason, "reason", "", "`TEXT` for the audit, and for whoever is held (needed)")
	addOutput(cmd, &opts.Format)
	return cmd
}

func (o *FreezeOptions) complete(cmd *cobra.Command) error {
	fr := &o.Freeze
	fr.By = o.Factory.Who()
	if fr.Reason == "" {
		return usage(cmd, "--reason is missing: whoever is held has to know why")
	}
	if o.Component != "" {
		fr.Scope.Component = api.ParseSubject(o.Component)
	}
	i := slices.IndexFunc(api.InFlights(), func(in api.InFlight) bool { return strings.EqualFold(string(in), o.InFlight) })
	if i < 0 {
		return usage(cmd, "--in-flight %s is none of PauseNow, PauseAtBoundary and Finish", o.InFlight)
	}
	fr.InFlight = api.InFlights()[i]
	now := o.Factory.Clock.Now()
	switch {
	case o.For != "" && o.Until != "":
		return usage(cmd, "--for and --until go one at a time")
	case o.For != "":
		d, err := pipelines.ParseDuration(o.For)
		if err != nil || d <= 0 {
			return usage(cmd, "cannot read --for %q: write a duration above 0, such as 90m, 12h or 2d", o.For)
		}
		fr.Until = now.Add(d.Std())
	case o.Until != "":
		at, err := time.Parse(time.RFC3339, o.Until)
		if err != nil {
			return usage(cmd, "cannot read --until %q: write a time with its zone, such as 2026-12-27T08:00:00+01:00", o.Until)
		}
		if !at.After(now) {
			return usage(cmd, "--until %s is over", o.Until)
		}
		fr.Until = at
	}
	return nil
}

func freezeRun(ctx context.Context, o *FreezeOptions) error {
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return err
	}
	made, err := e.Freeze(ctx, o.Freeze)
	if err != nil {
		return err
	}
	return o.Format.print(o.Factory.Out, made, func() error {
		until := "until it is lifted"
		if !made.Until.IsZero() {
			until = "until " + stamp(made.Until)
		}
		lines := []string{fmt.Sprintf("%s holds %s %s", made.Name, made.Scope, until)}
		return printTold(o.Factory, append(lines, heldRuns(made, "holds")...), made.Untold)
	})
}

// printTold prints what was done, and whether open runs have heard of it.
func printTold(f *Factory, lines []string, untold string) error {
	if untold != "" {
		lines = append(lines, "open runs hear of it from the next worker (now: "+untold+")")
	}
	out := shown{f.Out}
	for _, line := range lines {
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// heldRuns says which open runs a freeze is about.
func heldRuns(made engine.Frozen, holds string) []string {
	if len(made.Runs) == 0 {
		return []string{"  no open run is among it"}
	}
	var lines []string
	for _, r := range made.Runs {
		of := api.Counted(r.Of, "cluster")
		lines = append(lines, fmt.Sprintf("  %s %s (%s %s): %d of %s", holds, r.Run, r.Component, r.Version, r.Clusters, of))
	}
	return lines
}

func newCmdUnfreeze(f *Factory) *cobra.Command {
	var reason string
	var out format
	cmd := &cobra.Command{
		Use:     "unfreeze FREEZE",
		Short:   "Lift a freeze, and let go on what it held",
		Example: `  sluice unfreeze freeze-3 --reason "the network is back"`,
		Args:    exactly("FREEZE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usage(cmd, "--reason is missing: whoever froze has to know why it holds no longer")
			}
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			lifted, err := e.Unfreeze(cmd.Context(), args[0], f.Who(), reason)
			if err != nil {
				return err
			}
			return out.print(f.Out, lifted, func() error {
				lines := []string{fmt.Sprintf("%s is lifted: it held %s since %s", lifted.Name, lifted.Scope, stamp(lifted.Since))}
				return printTold(f, append(lines, heldRuns(lifted, "held")...), lifted.Untold)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for the audit (needed)")
	addOutput(cmd, &out)
	return cmd
}

func newCmdGetFreezes(f *Factory) *cobra.Command {
	var all bool
	cmd := newList(f, newest(), &cobra.Command{
		Use:   "freezes",
		Short: "List freezes that hold",
		Example: `  sluice get freezes
  sluice get freezes --all`,
		Args: exactly(),
	}, func(ctx context.Context, e Engine, o *listOptions) ([]engine.KnownFreeze, error) {
		return e.Freezes(ctx, all, o.limit)
	}, []string{
		"FREEZE", "HOLDS", "IN FLIGHT", "SINCE", "UNTIL", "BY", "REASON", "PASSED BY", "LIFTED",
	}, func(fr engine.KnownFreeze) []string {
		var passed []string
		for _, b := range fr.Bypasses {
			passed = append(passed, fmt.Sprintf("%.12s by the word of %s", b.Plan, b.By))
		}
		lifted := "-"
		if !fr.Lifted.IsZero() {
			lifted = fmt.Sprintf("%s by %s: %s", stamp(fr.Lifted), fr.LiftedBy, fr.LiftReason)
		}
		return []string{
			fr.Name, fr.Scope.String(), string(fr.InFlight), stamp(fr.Since), stamp(fr.Until), fr.By, shortened(fr.Reason, 60),
			or(clip.Few(passed, 2)), lifted,
		}
	})
	cmd.Flags().BoolVar(&all, "all", false, "those that were lifted too")
	return cmd
}

// heldFreezes completes the names of freezes that hold.
func heldFreezes(ctx context.Context, c *completion) []string {
	e, err := c.factory.Engine(ctx)
	if err != nil {
		return nil
	}
	all, err := e.Freezes(ctx, false, completeMost)
	if err != nil {
		return nil
	}
	said := map[string]string{}
	for _, f := range all {
		said[f.Name+"\t"+f.Scope.String()+": "+oneLine(f.Reason)] = f.Name
	}
	return slices.Sorted(maps.Keys(said))
}
