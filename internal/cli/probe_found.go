package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

// probeFlags name a case in a cluster, and a target of it.
type probeFlags struct {
	query  engine.ProbesQuery
	target string
}

func (p *probeFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.query.Cluster, "cluster", "", "in `CLUSTER`")
	cmd.Flags().StringVar(&p.target, "target", "", "at `TARGET` alone: a node, a member, a tenant; \"\" is the cluster itself")
}

func (p *probeFlags) of(cmd *cobra.Command, probeCase string) engine.ProbesQuery {
	p.query.Case = probeCase
	if cmd.Flags().Changed("target") {
		p.query.Target = &p.target
	}
	return p.query
}

func newCmdProbeHistory(f *Factory) *cobra.Command {
	var of probeFlags
	cmd := newList(f, newest(), &cobra.Command{
		Use:   "history CASE",
		Short: "List what runs of a case came to, the newest first",
		Long: `List what runs of a case came to. What passed is kept for a day, and what did not for a month; how many
runs there were of each verdict is kept by the hour for a quarter, and probe explain says it of a day.`,
		Example: `  sluice probe history etcd --cluster prod-eu-1
  sluice probe history node-life --cluster prod-eu-1 --target node-7 --failing`,
		Args: exactly("CASE"),
	}, func(ctx context.Context, e Engine, o *listOptions) ([]ledger.ProbeOutcome, error) {
		return e.ProbeOutcomes(ctx, of.query, o.limit)
	}, []string{
		"RUN", "CLUSTER", "TARGET", "ENDED", "TOOK", "VERDICT", "CODE", "CAUSE", "LABEL", "SAYS",
	}, func(o ledger.ProbeOutcome) []string {
		return []string{
			o.ID, o.Cluster, or(o.Target), stamp(o.Ended), or(took(o.Outcome)), string(o.Verdict), or(o.Code), or(cause(o.Cause)), label(o.Label),
			or(shortened(o.Message, 80)),
		}
	})
	of.add(cmd)
	cmd.Flags().BoolVar(&of.query.Failing, "failing", false, "those alone that did not pass")
	list := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		of.of(cmd, args[0])
		return list(cmd, args)
	}
	return cmd
}

func took(o probing.Outcome) string {
	if o.Started.IsZero() {
		return ""
	}
	return o.Ended.Sub(o.Started).Round(time.Millisecond).String()
}

func cause(c probing.Cause) string {
	if c.Text != "" {
		return string(c.Kind) + ": " + shortened(c.Text, 60)
	}
	return string(c.Kind)
}

func label(l *ledger.ProbeLabel) string {
	switch {
	case l == nil:
		return "-"
	case l.FalsePositive:
		return "false, by " + l.By
	}
	return "true, by " + l.By
}

func newCmdProbeExplain(f *Factory) *cobra.Command {
	var of probeFlags
	var out format
	cmd := &cobra.Command{
		Use:   "explain CASE",
		Short: "Say why a case is in its state in a cluster",
		Long: `Say why a case is in its state in a cluster: what its last results say together, until when they count,
what came of its runs within a day, and what it has of the record that it needs to hold what changes.`,
		Example: `  sluice probe explain etcd --cluster prod-eu-1
  sluice probe explain node-life --cluster prod-eu-1 --target node-7`,
		Args: exactly("CASE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			query := of.of(cmd, args[0])
			if query.Cluster == "" {
				return usage(cmd, "--cluster is missing")
			}
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			explained, err := e.ExplainProbe(cmd.Context(), query)
			if err != nil {
				return err
			}
			return out.print(f.Out, explained, func() error { return printExplained(shown{f.Out}, query, explained) })
		},
	}
	of.add(cmd)
	addOutput(cmd, &out)
	return cmd
}

func printExplained(w io.Writer, q engine.ProbesQuery, x engine.ProbeExplanation) error {
	var text strings.Builder
	for _, t := range x.Targets {
		at := ""
		if t.Target != "" {
			at = " at " + t.Target
		}
		fmt.Fprintf(&text, "%s in %s%s is %s since %s\n", q.Case, q.Cluster, at, t.State, stamp(t.Since))
		for _, line := range t.Because {
			fmt.Fprintf(&text, "  %s\n", oneLine(line))
		}
	}
	first := x.Targets[0]
	fmt.Fprintf(&text, "it is a case of probe %s (%s), bound by %s, and runs %s; %s owns it\n",
		or(first.Probe), versionOf(first.Version, first.Program),
		or(first.Binding), orText(when(first.Mode, first.Schedule), "when something happens"),
		orText(first.Owner, "nobody"))
	fmt.Fprintf(&text, "%s\n", enforced(x.Record))
	for _, line := range x.Record.Missing {
		fmt.Fprintf(&text, "  it has %s\n", line)
	}
	fmt.Fprintf(&text, "within a day its runs came to %s\n", tally(x.Hours))
	_, err := io.WriteString(w, text.String())
	return fault.Wrap(fault.Internal, err, "cannot print")
}

// versionOf is which version of a component brought a case, and which revision of the case that is.
func versionOf(version, program string) string {
	if program == "" {
		return or(version)
	}
	return or(version) + ", revision " + program
}

func orText(text, none string) string {
	if text == "" {
		return none
	}
	return text
}

func enforced(r engine.ProbeRecord) string {
	switch {
	case r.Enforcement.Mode != probing.Enforcing:
		return "it is advisory: a failure is told, and holds nothing"
	case r.Holds:
		return "it is enforcing: a failure holds what changes"
	}
	return "it is to be enforcing, and has not the record that it needs"
}

func tally(hours []ledger.ProbeHour) string {
	runs, worst := map[string]int64{}, time.Duration(0)
	var order []string
	for _, h := range hours {
		if runs[string(h.Verdict)] == 0 {
			order = with(order, string(h.Verdict))
		}
		runs[string(h.Verdict)] += h.Runs
		worst = max(worst, h.Worst)
	}
	if len(order) == 0 {
		return "nothing: there were none"
	}
	for i, verdict := range order {
		order[i] = strconv.FormatInt(runs[verdict], 10) + " " + verdict
	}
	return strings.Join(order, ", ") + "; the longest took " + worst.Round(time.Millisecond).String()
}

func newCmdProbeLogs(f *Factory) *cobra.Command {
	var of probeFlags
	var failing bool
	cmd := &cobra.Command{
		Use:   "logs CASE",
		Short: "Show what the last run of a case said",
		Long: `Show what the last run of a case in a cluster has said: its message, its errors, its parts and what it
observed. The log of its pod stays in the cluster, and goes with the pod: of it there is what the
program reported, or the end of what it wrote, where it reported nothing.`,
		Example: `  sluice probe logs etcd --cluster prod-eu-1
  sluice probe logs node-life --cluster prod-eu-1 --target node-7 --failing`,
		Args: exactly("CASE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			query := of.of(cmd, args[0])
			query.Failing = failing
			if query.Cluster == "" {
				return usage(cmd, "--cluster is missing")
			}
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			all, err := e.ProbeOutcomes(cmd.Context(), query, 1)
			if err != nil {
				return err
			}
			if len(all) == 0 {
				return fault.New(fault.NotFound, "no run of case %s in cluster %s is kept", query.Case, query.Cluster)
			}
			return printSaid(shown{f.Out}, all[0])
		},
	}
	of.add(cmd)
	cmd.Flags().BoolVar(&failing, "failing", false, "the last run that did not pass")
	return cmd
}

func printSaid(w io.Writer, o ledger.ProbeOutcome) error {
	var text strings.Builder
	fmt.Fprintf(&text, "run %s in %s came to %s at %s, by its %s\n", o.ID, o.Cluster, o.Verdict, stamp(o.Ended), orText(o.By, "report"))
	if o.Message != "" {
		fmt.Fprintf(&text, "%s\n", strings.TrimRight(o.Message, "\n"))
	}
	for _, e := range o.Errors {
		fmt.Fprintf(&text, "error: %s\n", oneLine(e))
	}
	for _, p := range o.Parts {
		fmt.Fprintf(&text, "part %s %s: %s %s\n", p.Name, p.Target, p.Verdict, oneLine(p.Message))
	}
	for _, name := range slices.Sorted(maps.Keys(o.Observations)) {
		fmt.Fprintf(&text, "observed %s = %s\n", name, o.Observations[name])
	}
	node := ""
	if o.Node != "" {
		node = " on node " + o.Node
	}
	fmt.Fprintf(&text, "what its pod%s wrote besides is in the cluster, for as long as the pod is kept\n", node)
	_, err := io.WriteString(w, text.String())
	return fault.Wrap(fault.Internal, err, "cannot print")
}

func newCmdProbeLabel(f *Factory) *cobra.Command {
	var req engine.LabelRequest
	var isTrue bool
	var out format
	cmd := &cobra.Command{
		Use:   "label RUN",
		Short: "Say of a failure whether something was wrong",
		Long: `Say of a run that failed whether something was wrong (--true), or nothing but the probe
(--false-positive), and how you know. By labels a case gets the record that it needs to be enforcing,
and loses it.`,
		Example: `  sluice probe label etcd-3f2a9c01d2e4 --false-positive --because "the image could not be pulled"
  sluice probe label etcd-3f2a9c01d2e4 --cluster prod-eu-1 --true --because "a member had no disk left"`,
		Args: exactly("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if req.FalsePositive == isTrue {
				return usage(cmd, "say one of --true and --false-positive")
			}
			if req.Because == "" {
				return usage(cmd, "--because is missing: say how you know")
			}
			req.Run, req.By = args[0], f.Who()
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			o, err := e.LabelProbe(cmd.Context(), req)
			if err != nil {
				return err
			}
			return out.print(f.Out, o, func() error {
				_, err := fmt.Fprintf(shown{f.Out}, "the failure of %s in %s is labelled: %s\n", o.ID, o.Cluster, label(o.Label))
				return fault.Wrap(fault.Internal, err, "cannot print")
			})
		},
	}
	cmd.Flags().StringVar(&req.Cluster, "cluster", "", "in `CLUSTER`, where several have a run of that name")
	cmd.Flags().BoolVar(&isTrue, "true", false, "something was wrong")
	cmd.Flags().BoolVar(&req.FalsePositive, "false-positive", false, "nothing was wrong but the probe")
	cmd.Flags().StringVar(&req.Because, "because", "", "how you know: `TEXT`")
	addOutput(cmd, &out)
	return cmd
}
