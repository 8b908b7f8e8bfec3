package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/deploy/local/internal/control"
	"sluice.dev/sluice/deploy/local/internal/proc"
	"sluice.dev/sluice/deploy/local/internal/stack"
	"sluice.dev/sluice/deploy/local/internal/supervisor"
)

const (
	defaultClusters = 5
	defaultNodes    = 40
)

type upOptions struct {
	clusters   int
	names      []string
	nodes      int
	pools      string
	programs   string
	detach     bool
	quiet      bool
	progressFD int
}

func newUp(env environment, folder folderFunc) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the stack",
		Long: `Start the stack and keep it running until Ctrl-C, or in the background with
--detach. A folder that was used before comes up as it was left: flags that are
not given keep their earlier values, but for --programs.

Beside its simulated nodes each cluster has one, CLUSTER-process, that runs pods
as processes of this machine. Pods must ask for it: it is labelled and tainted
local.sluice.dev/process=true.`,
		Example: `  sluice local up
  sluice local up --clusters 2 --nodes 10 --detach
  sluice local up --names e2e-1,canary-1,prod-eu-1,prod-eu-2,prod-us-1 --pools canary=4`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := folder()
			if err != nil {
				return err
			}
			shape, err := o.shape(cmd.Flags().Changed, f)
			if err != nil {
				return err
			}
			if o.programs, err = programsFolder(o.programs); err != nil {
				return err
			}
			return runUp(cmd.Context(), env, o, f, shape)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.clusters, "clusters", defaultClusters, "number of clusters; 0 runs Temporal alone")
	flags.StringSliceVar(&o.names, "names", nil, "names of the clusters (default c1,c2,...)")
	flags.IntVar(&o.nodes, "nodes", defaultNodes, "simulated nodes in each cluster")
	flags.StringVar(&o.pools, "pools", "", "pools of the first nodes, as in canary=4,edge=2 (default: a tenth in canary); the rest is general")
	flags.StringVar(&o.programs, "programs", "", "`FOLDER` of programs that the process nodes run in place of images (default: programs, beside this program)")
	flags.BoolVar(&o.detach, "detach", false, "return when ready and keep running in the background")
	flags.BoolVar(&o.quiet, "quiet", false, "print errors only")
	flags.IntVar(&o.progressFD, "progress-fd", 0, "report to this file descriptor")
	if err := flags.MarkHidden("progress-fd"); err != nil {
		panic(err)
	}
	return cmd
}

// programsFolder is where the programs lie that process nodes run. The folder need not exist.
func programsFolder(given string) (string, error) {
	if given != "" {
		dir, err := filepath.Abs(given)
		if err != nil {
			return "", fmt.Errorf("cannot find folder of programs: %w", err)
		}
		return dir, nil
	}
	own, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot find folder of programs: %w", err)
	}
	return filepath.Join(filepath.Dir(own), "programs"), nil
}

// shape is what the flags ask for, on top of what the folder remembers.
func (o upOptions) shape(changed func(string) bool, f stack.Folder) (stack.Shape, error) {
	memory, known, err := f.ReadMemory()
	if err != nil {
		return stack.Shape{}, err
	}
	shape := memory.Shape
	if !known {
		shape = stack.Shape{
			Clusters: stack.DefaultNames(defaultClusters),
			Nodes:    defaultNodes, Pools: stack.DefaultPools(defaultNodes),
		}
	}
	switch {
	case changed("names") && changed("clusters") && len(o.names) != o.clusters:
		return shape, usagef("cannot name %d clusters: --clusters says %d", len(o.names), o.clusters)
	case changed("names"):
		shape.Clusters = o.names
	case changed("clusters") && o.clusters < 0:
		return shape, usagef("cannot run %d clusters", o.clusters)
	case changed("clusters") && o.clusters != len(shape.Clusters):
		shape.Clusters = stack.DefaultNames(o.clusters)
	}
	if changed("nodes") && o.nodes != shape.Nodes {
		shape.Nodes = o.nodes
		shape.Pools = stack.DefaultPools(o.nodes)
	}
	if changed("pools") {
		if shape.Pools, err = stack.ParsePools(o.pools); err != nil {
			return shape, usageError{err}
		}
	}
	if err := shape.Validate(); err != nil {
		return shape, usageError{err}
	}
	return shape, nil
}

func runUp(ctx context.Context, env environment, o upOptions, f stack.Folder, shape stack.Shape) error {
	if o.progressFD > 0 {
		return superviseDetached(ctx, o, f, shape)
	}
	holder, err := f.Holder()
	if err != nil {
		return err
	}
	if holder != 0 {
		return alreadyUp(ctx, env, o, f, shape)
	}
	if !o.quiet {
		fmt.Fprintf(env.out, "starting Temporal and %s in %s\n", shape, f.Root())
	}
	began := time.Now()
	ready := func(d stack.Description) {
		if o.quiet {
			return
		}
		fmt.Fprintf(env.out, "ready after %.1f s\n", time.Since(began).Seconds())
		printAccess(env, d)
	}
	progress := func(line string) {
		if !o.quiet {
			fmt.Fprintln(env.out, line)
		}
	}
	if o.detach {
		return upDetached(ctx, o, f, shape, progress, ready)
	}
	return superviseHere(ctx, env, o, f, shape, progress, ready)
}

func superviseHere(
	ctx context.Context,
	env environment,
	o upOptions,
	f stack.Folder, shape stack.Shape,
	progress func(string), ready func(stack.Description),
) error {
	err := supervisor.Run(ctx, supervisor.Options{
		Folder: f, Shape: shape, Programs: o.programs, Progress: progress,
		Ready: func(d stack.Description) {
			ready(d)
			progress("press Ctrl-C to stop")
		},
		Log: slog.New(slog.NewTextHandler(env.err, nil)),
	})
	if errors.Is(err, stack.ErrLocked) {
		return alreadyUp(ctx, env, o, f, shape)
	}
	if err == nil {
		progress("stopped")
	}
	return err
}

// superviseDetached is the process that `up --detach` leaves behind.
func superviseDetached(ctx context.Context, o upOptions, f stack.Folder, shape stack.Shape) error {
	report := newReporter(o.progressFD)
	if err := f.Create(); err != nil {
		report.failed(err)
		return err
	}
	log, err := proc.OpenLog(f.Log("supervisor"))
	if err != nil {
		report.failed(err)
		return err
	}
	defer log.Close()
	logger := slog.New(slog.NewTextHandler(log, nil))
	err = supervisor.Run(ctx, supervisor.Options{
		Folder: f, Shape: shape, Programs: o.programs, Progress: report.line, Ready: report.ready, Log: logger,
	})
	if err != nil {
		logger.Error("stack ended", "error", err)
	}
	report.failed(err)
	return err
}

func alreadyUp(ctx context.Context, env environment, o upOptions, f stack.Folder, shape stack.Shape) error {
	client, err := control.NewClient(f)
	if err != nil {
		return fmt.Errorf("cannot look at the running stack in %s: %w", f.Root(), err)
	}
	status, err := client.Status(ctx)
	if err != nil {
		return fmt.Errorf("cannot look at the running stack in %s: %w", f.Root(), err)
	}
	if !status.Shape.Equal(shape) {
		return fmt.Errorf("cannot start %s: the stack in %s is running with %s; stop it first with `sluice local down`",
			shape, f.Root(), status.Shape)
	}
	if o.quiet {
		return nil
	}
	state := "is already running"
	if !status.Ready {
		state = "is already running but not ready (see `sluice local status`)"
	}
	fmt.Fprintf(env.out, "the stack in %s %s\n", f.Root(), state)
	d, err := f.ReadDescription()
	if err != nil {
		return err
	}
	printAccess(env, d)
	return nil
}

func printAccess(env environment, d stack.Description) {
	fmt.Fprintf(env.out, "kubeconfig  %s\n", d.Kubeconfig)
	if len(d.Clusters) > 0 {
		var names []string
		for _, c := range d.Clusters {
			names = append(names, c.Name)
		}
		fmt.Fprintf(env.out, "contexts    %s\n", strings.Join(names, " "))
	}
	fmt.Fprintf(env.out, "temporal    %s (namespace %s)\n", d.Temporal.Address, d.Temporal.Namespace)
	fmt.Fprintf(env.out, "web ui      %s\n", d.Temporal.UI)
}

// shapeFlags spells a shape as flags of up.
func shapeFlags(shape stack.Shape) []string {
	var pools []string
	for _, p := range shape.Pools {
		pools = append(pools, fmt.Sprintf("%s=%d", p.Name, p.Nodes))
	}
	flags := []string{fmt.Sprintf("--nodes=%d", shape.Nodes), "--pools=" + strings.Join(pools, ",")}
	if len(shape.Clusters) == 0 {
		return append(flags, "--clusters=0")
	}
	return append(flags, "--names="+strings.Join(shape.Clusters, ","))
}
