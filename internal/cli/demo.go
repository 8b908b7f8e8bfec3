package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
)

// DemoRun is what the demo is played with.
type DemoRun struct {
	Out, Err io.Writer
	Dir      string // state folder of the stack that it starts
	Examples string // folder of the documents that it rolls out
	Report   string // folder of what it writes
	Keep     bool   // leave the stack running at the end
	Full     bool   // an approval, a freeze and a report too
	Short    bool   // fewer clusters and nodes
}

// DemoOptions are what demo needs.
type DemoOptions struct {
	Factory *Factory
	Run     DemoRun
}

// NewCmdDemo plays the demo.
func NewCmdDemo(f *Factory, runF func(context.Context, *DemoOptions) error) *cobra.Command {
	opts := &DemoOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a component go through a fleet, and bad versions be stopped",
		Long: `Start a local stack, install version 1 of a node agent, a controller and a web everywhere, roll version 2
through all of it, then try three bad versions: pods of one crash, those of another panic in their logs
alone, and those of the third are well and answer with errors, which a probe sees. Each is stopped in its
first batch and rolled back there. An agent does the work near the clusters, and runs their probes. Needs
the program prometheus. Exits 0 only where all of this happened.`,
		Example: `  sluice demo
  sluice demo --keep`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Run.Out, opts.Run.Err = f.Out, f.Err
			opts.Run.Dir = f.Dir
			if runF != nil {
				return runF(cmd.Context(), opts)
			}
			return demoRun(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Run.Examples, "examples", "examples", "`FOLDER` of the fleet, the components and the pipelines")
	flags.StringVar(&opts.Run.Report, "out", "out/demo", "`FOLDER` of the report")
	flags.BoolVar(&opts.Run.Keep, "keep", false, "leave the stack and its Web UI running")
	flags.BoolVar(&opts.Run.Full, "full", false, "also a version that people approve, freeze and read the report of, and what probes know")
	flags.BoolVar(&opts.Run.Short, "short", false, "a smaller fleet")
	return cmd
}

func demoRun(ctx context.Context, o *DemoOptions) error {
	if o.Factory.Demo == nil {
		return fault.New(fault.Internal, "this build of sluice has no demo")
	}
	return o.Factory.Demo(ctx, o.Run)
}
