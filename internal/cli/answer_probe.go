package cli

import (
	"cmp"
	"context"
	"os"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probe"
)

// terminationLog is where Kubernetes reads what a container says at its end.
const terminationLog = "/dev/termination-log"

// newCmdAnswerProbe is what a pod runs that asks from inside a cluster. Nobody types it.
func newCmdAnswerProbe(f *Factory) *cobra.Command {
	return &cobra.Command{
		Use:     check.ProgramInside,
		Short:   "Ask what a worker has put into this pod, and say what came of it",
		Example: "  sluice " + check.ProgramInside,
		Hidden:  true,
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return answerProbe(cmd.Context(), f) },
	}
}

func answerProbe(ctx context.Context, f *Factory) error {
	question := f.Getenv(check.VariableInside)
	if question == "" {
		return fault.New(fault.Invalid, "cannot ask: there is no question in %s", check.VariableInside)
	}
	answer, err := check.AnswerInside(ctx, probe.New(f.Clock, nil), question)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot answer a worker")
	}
	file := cmp.Or(f.Getenv("TERMINATION_LOG"), terminationLog)
	return fault.Wrap(fault.Internal, os.WriteFile(file, answer, 0o600), "cannot say what came of it")
}
