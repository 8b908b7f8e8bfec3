// Package cli is the command line of `sluice local`. It parses flags, prints,
// and leaves the work to other packages.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// Exit codes, the same as those of `sluice`.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// KubectlFunc runs kubectl on a context of a kubeconfig.
type KubectlFunc func(kubeconfig, context string, args []string) error

// errSilent fails a command that has already said why.
var errSilent = errors.New("failed")

// usageError is about what was typed.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// environment is what commands work in.
type environment struct {
	out, err io.Writer
	kubectl  KubectlFunc
}

// Run runs a command line without the words `sluice local` and returns the
// exit code.
func Run(args []string, kubectl KubectlFunc) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args, environment{out: os.Stdout, err: os.Stderr, kubectl: kubectl})
}

func run(ctx context.Context, args []string, env environment) int {
	// Kubernetes' packages register flags of their own for every command in the
	// process.
	pflag.CommandLine = pflag.NewFlagSet("sluice", pflag.ContinueOnError)
	// The outer command only makes usage texts read `sluice local ...`.
	outer := &cobra.Command{Use: "sluice", SilenceErrors: true, SilenceUsage: true}
	outer.CompletionOptions.DisableDefaultCmd = true
	outer.AddCommand(newCommand(env))
	outer.SetArgs(append([]string{"local"}, args...))
	outer.SetOut(env.out)
	outer.SetErr(env.err)
	outer.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })

	err := outer.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errSilent):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(env.err, "sluice: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(env.err, "sluice: %v\n", err)
		return exitFailed
	}
}

func newCommand(env environment) *cobra.Command {
	dir := stack.DefaultFolder
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run Kubernetes control planes and a Temporal server on this machine",
		Long: `Run Kubernetes control planes with simulated nodes, and a Temporal server with
its Web UI, on this machine. Everything listens on 127.0.0.1 and keeps its state
in one folder.`,
		Example: `  sluice local up --names e2e-1,canary-1,prod-eu-1,prod-eu-2,prod-us-1 --detach
  sluice local status
  sluice local down --purge`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&dir, "dir", dir, "state folder")
	folder := func() (stack.Folder, error) { return stack.Open(dir) }
	cmd.AddCommand(
		newUp(env, folder), newDown(env, folder), newStatus(env, folder),
		newPart(env, folder, "start"), newPart(env, folder, "stop"), newPart(env, folder, "restart"),
		newKubectl(env),
	)
	return cmd
}

type folderFunc func() (stack.Folder, error)

// usageArgs makes an error about arguments one about usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
