package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/convert"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// ConvertOptions are what convert needs.
type ConvertOptions struct {
	Out   io.Writer
	Err   io.Writer // where it says what is not carried over
	Files []string
}

// NewCmdConvert carries Argo Rollouts' analysis over.
func NewCmdConvert(f *Factory, runF func(*ConvertOptions) error) *cobra.Command {
	opts := &ConvertOptions{Out: f.Out, Err: f.Err}
	return &cobra.Command{
		Use:   "convert FILE...",
		Short: "Write Argo Rollouts' AnalysisTemplates as Tasks",
		Long: `Read AnalysisTemplates and ClusterAnalysisTemplates of Argo Rollouts, and print a Task for each: arguments
become params, conditions CEL, metrics that ask Prometheus steps of the kind metrics. What has no exact
counterpart is left out, and named on the error output as file:line:column.
Exits 3 where anything was left out, 2 where a file cannot be read as YAML.`,
		Example: `  sluice convert analysis.yaml > tasks.yaml`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(cmd, "which file? give one at least")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			opts.Files = args
			if runF != nil {
				return runF(opts)
			}
			return convertRun(opts)
		},
	}
}

func convertRun(o *ConvertOptions) error {
	var tasks []convert.Task
	var left pipelines.Diagnostics
	for _, file := range o.Files {
		body, err := readAtMost(file, convert.MaxBytes)
		if err != nil {
			return err
		}
		got, err := convert.Analysis(file, body)
		if err != nil {
			return err
		}
		tasks, left = append(tasks, got.Tasks...), append(left, got.Left...)
	}
	out, err := convert.YAML(tasks)
	if err != nil {
		return err
	}
	if _, err := o.Out.Write(out); err != nil {
		return fault.Wrap(fault.Internal, err, "cannot print")
	}
	for _, d := range left {
		if _, err := fmt.Fprintln(shown{o.Err}, d); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot print")
		}
	}
	if len(left) > 0 {
		return fault.New(fault.Refused, "%s written; %s not carried over, or not as it was",
			api.Counted(len(tasks), "task"), api.Counted(len(left), "thing"))
	}
	return nil
}

// readAtMost reads a file, and one byte more than it may have.
func readAtMost(file string, most int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot read")
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, most+1))
	return body, fault.Wrap(fault.Invalid, err, "cannot read %s", file)
}
