package cli

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger/postgres"
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
	args, err := o.inState(ctx)
	if err != nil {
		return err
	}
	return o.Factory.Exec(ctx, program, args)
}

// inState adds the state folder to a command that is given none, unless it makes one: that is made here. A stack that is
// brought up gets its ledger.
func (o *LocalOptions) inState(ctx context.Context) ([]string, error) {
	if len(o.Args) == 0 || slices.ContainsFunc(o.Args, func(arg string) bool { return arg == "-h" || arg == "--help" }) {
		return o.Args, nil
	}
	f := *o.Factory
	verb, dir := o.said()
	if verb == "up" {
		f.Dir, f.Init = cmp.Or(dir, f.Dir, stateFolder), true
		if !postgres.IsURL(f.ledgerPath()) && f.ledgerThere() == nil {
			return o.Args, nil
		}
		_, err := f.Open(ctx)
		return o.Args, errors.Join(err, f.Close())
	}
	if state := f.state(); dir == "" && verb != "" && state != stateFolder {
		// Before everything else: what follows may be for kubectl.
		return append([]string{"--dir", state}, o.Args...), nil
	}
	return o.Args, nil
}

// said is what the arguments ask for, and the state folder that they name.
func (o *LocalOptions) said() (verb, dir string) {
	for i := 0; i < len(o.Args); i++ {
		value, inline := strings.CutPrefix(o.Args[i], "--dir=")
		switch {
		case inline:
			dir = value
		case o.Args[i] == "--dir" && i+1 < len(o.Args):
			i++
			dir = o.Args[i]
		case verb == "" && !strings.HasPrefix(o.Args[i], "-"):
			verb = o.Args[i]
		case o.Args[i] == "--":
			return verb, dir
		}
	}
	return verb, dir
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
