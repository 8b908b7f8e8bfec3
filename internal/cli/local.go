package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
)

// localProgram is the program of the local stack. It is a module and a binary of its own: Kubernetes and the Temporal
// server are in it.
const localProgram = "sluice-local"

// LocalOptions are what local needs.
type LocalOptions struct {
	Factory *Factory
	Args    []string
}

// NewCmdLocal hands everything to the program of the local stack.
func NewCmdLocal(f *Factory, runF func(context.Context, *LocalOptions) error) *cobra.Command {
	return &cobra.Command{
		Use:   "local [up|down|status|kubectl|...]",
		Short: "Run real Kubernetes API servers and a Temporal server on this machine",
		Example: `  sluice local up --names e2e-1,canary-1,prod-eu-1,prod-eu-2,prod-us-1 --detach
  sluice local kubectl --cluster e2e-1 get pods -A
  sluice local down`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts := &LocalOptions{Factory: f, Args: args}
			if runF != nil {
				return runF(cmd.Context(), opts)
			}
			return localRun(cmd.Context(), opts)
		},
	}
}

func localRun(ctx context.Context, o *LocalOptions) error {
	program, err := beside(localProgram)
	if err != nil {
		return err
	}
	return o.Factory.Exec(ctx, program, o.Args)
}

// beside finds a program beside this one, or on the PATH.
func beside(name string) (string, error) {
	if own, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(own); err == nil {
			own = real
		}
		program := filepath.Join(filepath.Dir(own), name)
		if info, err := os.Stat(program); err == nil && !info.IsDir() {
			return program, nil
		}
	}
	program, err := exec.LookPath(name)
	if err != nil {
		return "", fault.New(fault.NotFound, "cannot find %s beside sluice or on the PATH: build it with 'make build'", name)
	}
	return program, nil
}

// replace makes this process the program: signals and the exit code need nobody to pass them on.
func replace(_ context.Context, program string, args []string) error {
	err := syscall.Exec(program, append([]string{program}, args...), os.Environ())
	var number syscall.Errno
	if errors.As(err, &number) {
		return fault.Wrap(fault.Internal, number, "cannot run %s", program)
	}
	return err
}
