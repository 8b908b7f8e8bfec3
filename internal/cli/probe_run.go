package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

// ProbeRunOptions are what probe run and probe event need.
type ProbeRunOptions struct {
	Factory *Factory
	Request engine.ProbeRequest
	Set     bool
	Wait    bool
	Timeout time.Duration
	Format  format
}

// addProbeRunFlags are those of both ways to have cases run.
func (o *ProbeRunOptions) addProbeRunFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&o.Request.Clusters, "cluster", nil, "`NAME` of a cluster; may be repeated")
	flags.StringVar(&o.Request.Group, "group", "", "each cluster of the cluster group `NAME`")
	flags.StringVar(&o.Request.Key, "key", "",
		"`NAME` of the cause: what was asked for under it is not run again in the same cluster, for other nodes neither")
	flags.StringVar(&o.Request.Reason, "reason", "", "`TEXT` for the audit")
	flags.BoolVar(&o.Wait, "wait", false, "until all have ended")
	flags.DurationVar(&o.Timeout, "timeout", 0, "with --wait, how long (default: to the end)")
	addOutput(cmd, &o.Format)
}

func newCmdProbeRun(f *Factory) *cobra.Command {
	opts := &ProbeRunOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "run CASE|SET",
		Short: "Run a case of a probe in clusters now, or each case of a set",
		Long: `Run a case of a probe in clusters now, through the worker or agent near each. It prints an ID for each
cluster, by which "sluice probe result" tells what came of it. With --wait it waits for that, and exits 1
where something has failed or could not run, 3 where a case could not tell.`,
		Example: `  sluice probe run pod-life --cluster prod-eu-1 --wait
  sluice probe run control-plane --set --group production-vpc
  sluice probe run node-life --cluster prod-eu-1 --node node-7 --wait`,
		Args: exactly("CASE or SET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Request.Case = args[0]
			if opts.Set {
				opts.Request.Case, opts.Request.Set = "", args[0]
			}
			return opts.run(cmd)
		},
	}
	opts.addProbeRunFlags(cmd)
	cmd.Flags().BoolVar(&opts.Set, "set", false, "it is a set: run each of its cases")
	cmd.Flags().StringArrayVar(&opts.Request.Nodes, "node", nil, "`NAME` of a node to run it for, of the one cluster; may be repeated")
	return cmd
}

func newCmdProbeEvent(f *Factory) *cobra.Command {
	opts := &ProbeRunOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "event NAME",
		Short: "Post an event to clusters: the cases that answer to it run at once",
		Long: `Post an event to clusters. The cases whose binding says that they answer to it ("on: Posted" with its name)
run at once. Under the same --key it is the same event, and nothing runs twice.`,
		Example: `  sluice probe event etcd-restored --cluster prod-eu-1 --key restore-2026-11-30 --wait`,
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Request.Event = args[0]
			return opts.run(cmd)
		},
	}
	opts.addProbeRunFlags(cmd)
	return cmd
}

func newCmdProbeResult(f *Factory) *cobra.Command {
	opts := &ProbeRunOptions{Factory: f}
	cmd := &cobra.Command{
		Use:     "result ID",
		Short:   "Tell what came of cases that were run by hand, or by an event that was posted",
		Example: `  sluice probe result prod-eu-1/pod-life/20261130T051500.123456`,
		Args:    exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := f.Engine(cmd.Context())
			if err != nil {
				return err
			}
			p, err := e.ProbeRun(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return opts.tell([]api.Probed{p})
		},
	}
	addOutput(cmd, &opts.Format)
	return cmd
}

func (o *ProbeRunOptions) run(cmd *cobra.Command) error {
	switch {
	case len(o.Request.Clusters) == 0 && o.Request.Group == "":
		return usage(cmd, "--cluster or --group is missing")
	case len(o.Request.Clusters) > 0 && o.Request.Group != "":
		return usage(cmd, "it is one of --cluster and --group, not both")
	case o.Timeout != 0 && !o.Wait:
		return usage(cmd, "--timeout goes with --wait")
	}
	ctx := cmd.Context()
	o.Request.By = o.Factory.Who()
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return err
	}
	begun, err := e.RunProbes(ctx, o.Request)
	if err != nil {
		return err
	}
	if !o.Wait {
		return o.Format.print(o.Factory.Out, begun, func() error { return o.print(begun) })
	}
	ended, err := o.await(ctx, e, begun)
	if err != nil {
		return err
	}
	return o.tell(ended)
}

// probeLook is how often somebody who waits asks for what came of his cases.
const probeLook = time.Second

// await asks until all have ended, or the time is over.
func (o *ProbeRunOptions) await(ctx context.Context, e Engine, all []api.Probed) ([]api.Probed, error) {
	began := o.Factory.Clock.Now()
	for {
		open := 0
		for i := range all {
			if !all[i].Ended.IsZero() {
				continue
			}
			now, err := e.ProbeRun(ctx, all[i].ID)
			if err != nil {
				return nil, err
			}
			if all[i] = now; now.Ended.IsZero() {
				open++
			}
		}
		if open == 0 || o.Timeout > 0 && o.Factory.Clock.Since(began) >= o.Timeout {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-o.Factory.Clock.After(probeLook):
		}
	}
}

// tell prints what came of cases, and makes it the exit code.
func (o *ProbeRunOptions) tell(all []api.Probed) error {
	err := o.Format.print(o.Factory.Out, all, func() error { return o.print(all) })
	if err != nil {
		return err
	}
	seen := map[api.Verdict]int{}
	for _, p := range all {
		v := p.Verdict()
		if v == api.Skipped && len(p.Runs) > 0 { // nobody has looked, and that is no pass
			v = api.Inconclusive
		}
		seen[v]++
	}
	switch {
	case seen[api.Failed] > 0:
		return &Exit{fault.ExitFailed, "not every case passed"}
	case seen[api.Error] > 0:
		return &Exit{fault.ExitFailed, "not every case could run"}
	case seen[api.Inconclusive] > 0:
		return &Exit{fault.ExitRefused, "not every case could tell"}
	case seen[""] > 0:
		return &Exit{fault.ExitWaiting, "not every case has ended"}
	}
	return nil
}

// print writes a line for each cluster, and for each run in it.
func (o *ProbeRunOptions) print(all []api.Probed) error {
	var text strings.Builder
	for _, p := range all {
		switch {
		case p.Ended.IsZero():
			fmt.Fprintf(&text, "%s: runs\n", p.ID)
		case p.Problem != "":
			fmt.Fprintf(&text, "%s: could not run: %s\n", p.ID, p.Problem)
		case len(p.Runs) == 0:
			fmt.Fprintf(&text, "%s: no case answers to it\n", p.ID)
		default:
			fmt.Fprintf(&text, "%s: %s\n", p.ID, p.Verdict())
		}
		for _, r := range p.Runs {
			name := r.Case
			if r.Target != "" {
				name += " on " + r.Target
			}
			said := []string{string(r.Verdict)}
			for _, part := range []string{r.Code, r.Message} {
				if part != "" {
					said = append(said, part)
				}
			}
			fmt.Fprintf(&text, "  %s: %s (%s)\n", name, strings.Join(said, ": "), r.Run)
		}
	}
	_, err := shown{o.Factory.Out}.Write([]byte(text.String()))
	return fault.Wrap(fault.Internal, err, "cannot print")
}
