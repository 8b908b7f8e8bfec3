package cli

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/tekton"
)

// newCmdGetPipelineRun shows a run as a PipelineRun.
func newCmdGetPipelineRun(f *Factory) *cobra.Command {
	return newObject(f, "RUN", &cobra.Command{
		Use:   "pipelinerun RUN",
		Short: "Show a run in the layout of a Tekton PipelineRun",
		Long: `Show a run as Tekton shows a PipelineRun: its condition and reason, its start and end, its TaskRuns
and what was skipped. Each cluster of a stage is a TaskRun, and so is each task of the pipeline.`,
		Example: `  sluice get pipelinerun node-agent-2
  sluice get pipelinerun node-agent-2 -o json`,
	}, func(ctx context.Context, e Engine, name string) (any, error) {
		view, err := e.Status(ctx, name)
		if err != nil {
			return nil, err
		}
		return tekton.OfRun(&view.RunStatus), nil
	})
}

// newCmdGetTaskRun shows a cluster or a task of a run as a TaskRun.
func newCmdGetTaskRun(f *Factory) *cobra.Command {
	run := ""
	cmd := newObject(f, "TASKRUN", &cobra.Command{
		Use:   "taskrun TASKRUN",
		Short: "Show a cluster or a task of a run in the layout of a Tekton TaskRun",
		Long: `Show a cluster of a run, or one of its tasks, as Tekton shows a TaskRun. Its name is RUN-CLUSTER or
RUN-TASK, as "sluice get pipelinerun" lists it. Where that is past 63 characters it has a hash in it,
as Tekton's names do: then --run says whose it is.`,
		Example: `  sluice get taskrun node-agent-2-prod-eu-1
  sluice get taskrun node-agent-2-prod-eu-1 --run node-agent-2 -o json`,
	}, func(ctx context.Context, e Engine, name string) (any, error) {
		return taskRun(ctx, e, run, name)
	})
	cmd.Flags().StringVar(&run, "run", "", "the `RUN` that it belongs to (default: the one that its name begins with)")
	return cmd
}

// newObject makes a command that shows one object, as YAML where nothing else is asked for.
func newObject(
	f *Factory, what string, cmd *cobra.Command, find func(context.Context, Engine, string) (any, error),
) *cobra.Command {
	format := asText
	addOutput(cmd, &format)
	cmd.Args = exactly(what)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		e, err := f.Engine(cmd.Context())
		if err != nil {
			return err
		}
		object, err := find(cmd.Context(), e, args[0])
		if err != nil {
			return err
		}
		return cmp.Or(format, asYAML).print(f.Out, object, nil)
	}
	return cmd
}

// taskRun finds a TaskRun: in the run that is named, else in the one with the longest name that its own begins with.
func taskRun(ctx context.Context, e Engine, run, name string) (any, error) {
	named := run != ""
	for at := strings.LastIndexByte(name, '-'); named || at > 0; at = strings.LastIndexByte(name[:at], '-') {
		of := run
		if !named {
			of = name[:at]
		}
		view, err := e.Status(ctx, of)
		if err != nil && (named || fault.CodeOf(err) != fault.NotFound) {
			return nil, err
		}
		if err == nil {
			if found, ok := tekton.OfTask(&view.RunStatus, name); ok {
				return found, nil
			}
		}
		if named {
			return nil, fault.New(fault.NotFound, "cannot find TaskRun %s: run %s has none of that name, or has not come to it", name, run)
		}
	}
	return nil, fault.New(fault.NotFound, "cannot find TaskRun %s: its name begins with no run that has it; --run says whose it is", name)
}
