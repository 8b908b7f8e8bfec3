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

// NewCmdConvert carries over what other systems check by.
func NewCmdConvert(f *Factory, runF func(*ConvertOptions) error) *cobra.Command {
	opts := &ConvertOptions{Out: f.Out, Err: f.Err}
	return &cobra.Command{
		Use:   "convert FILE...",
		Short: "Write analyses of Argo Rollouts as Tasks, and checks of Kuberhealthy as Probes",
		Long: `Read AnalysisTemplates and ClusterAnalysisTemplates of Argo Rollouts, and print a Task for each: arguments
become params, conditions CEL, metrics that ask Prometheus steps of the kind metrics. What has no exact
counterpart is left out, and named on the error output as file:line:column. KuberhealthyChecks,
KuberhealthyJobs and HealthChecks of Kuberhealthy, and Probes of KubeProber, become a Probe and a ProbeBinding
each; what no profile of pods gives, such as hostPath or privileged containers, is refused by name.
Exits 3 where anything was left out, 2 where a file cannot be read as YAML.`,
		Example: `  sluice convert analysis.yaml > tasks.yaml
  sluice convert khchecks.yaml > probes/imported.yaml`,
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
	var documents []any
	tasks, probes := 0, 0
	var left pipelines.Diagnostics
	for _, file := range o.Files {
		body, err := readAtMost(file, convert.MaxBytes)
		if err != nil {
			return err
		}
		got, err := convert.File(file, body)
		if err != nil {
			return err
		}
		for _, t := range got.Tasks {
			documents = append(documents, t)
		}
		for _, p := range got.Probes {
			documents = append(documents, p)
		}
		tasks, probes, left = tasks+len(got.Tasks), probes+len(got.Probes)/2, append(left, got.Left...)
	}
	out, err := convert.YAML(documents)
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
		written := api.Counted(tasks, "task")
		if probes > 0 {
			written += " and " + api.Counted(probes, "probe")
		}
		return fault.New(fault.Refused, "%s written; %s not carried over, or not as it was", written, api.Counted(len(left), "thing"))
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
