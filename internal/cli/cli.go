// Package cli is the command line of Sluice: it parses, asks the engine, and prints. Every answer has three renderings,
// for a terminal, as plain text, and as JSON or YAML. It decides nothing about runs; the kinds of error decide exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// Execute runs a command line without the program's name, and returns the exit code. What went wrong is printed to the
// factory's Err.
func Execute(ctx context.Context, args []string, f *Factory) int {
	root := NewRoot(f)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if closing := f.Close(); err == nil {
		err = closing
	}
	return conclude(f.Err, err)
}

// NewRoot returns the whole command line.
func NewRoot(f *Factory) *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "Roll changes through fleets of Kubernetes clusters, in small checked steps",
		Long: `Sluice rolls a component through a fleet of Kubernetes clusters: stage by stage, cluster by
cluster, batch by batch, with checks in between, and stops what goes wrong before users notice.

Exit codes: 0 done; 1 failed; 2 invalid input or usage; 3 refused, or held by a gate; 4 still
waiting when --timeout ran out; 5 rolled back.`,
		Example: `  sluice lint examples
  sluice plan node-agent --to 2.0.0 -f examples
  sluice run 3f2a9c01 --wait`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(f.In)
	root.SetOut(f.Out)
	root.SetErr(f.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, "%v", err) })
	flags := root.PersistentFlags()
	flags.StringVar(&f.Server, "server", "", "`URL` of a server to ask (default $SLUICE_SERVER, else the local stack's, else the context's)")
	flags.StringVar(&f.Context, "context", "", "ask the server of the context `NAME`, and not of the current one")
	flags.BoolVar(&f.Itself, "no-server", false, "ask the ledger itself, whatever server there may be")
	flags.StringVar(&f.Ledger, "ledger", "",
		"`FILE` of the ledger, or postgres:// URL of its database (default $SLUICE_LEDGER, else ledger.db in the state folder)")
	flags.StringVar(&f.Dir, "dir", "", "state `FOLDER` of the ledger and of the local stack (default .sluice, here or in a folder above)")
	flags.BoolVar(&f.Init, "init", false, "make the ledger where there is none; worker, local up and demo do so unasked")
	flags.StringVar(&f.Address, "address", "", "`HOST:PORT` of the Temporal server (default as Temporal's own CLI, then the local stack)")
	flags.StringVar(&f.Namespace, "namespace", "", "Temporal `NAMESPACE` (default as Temporal's own CLI)")
	flags.StringVar(&f.PayloadKeys, "payload-keys", "",
		"`FILE` of the keys that encrypt what Temporal keeps of runs (default $SLUICE_PAYLOAD_KEYS, else nothing is encrypted)")
	root.AddCommand(
		NewCmdLint(f, nil), NewCmdSchema(f, nil), NewCmdRBAC(f, nil), NewCmdTest(f, nil), NewCmdConvert(f, nil), NewCmdExplain(f),
		NewCmdPlan(f, nil), newCmdCatchUp(f), NewCmdRun(f, nil), NewCmdGet(f), NewCmdWhy(f, nil), NewCmdReport(f, nil), NewCmdChanges(f, nil),
		NewCmdWindow(f, nil),
		newCmdPause(f), newCmdResume(f), newCmdApprove(f), newCmdReject(f), newCmdAbort(f),
		newCmdRollback(f), newCmdSkip(f), newCmdEndSoak(f), newCmdRetry(f),
		newCmdFreeze(f), newCmdUnfreeze(f), newCmdBypass(f), newCmdLetIn(f), newCmdReconcile(f), newCmdApply(f), newCmdDelete(f),
		newCmdDrill(f), newCmdSource(f),
		newCmdServer(f), newCmdContext(f), newCmdLogin(f), newCmdWhoami(f), newCmdCanI(f), newCmdToken(f), newCmdCluster(f),
		NewCmdWorker(f, nil), newCmdAgent(f), NewCmdLocal(f, nil), NewCmdDemo(f, nil), NewCmdVersion(f), newCmdAnswerProbe(f),
		newCmdNotify(f), newCmdCI(f), newCmdPayloadKeys(f), newCmdProbe(f),
	)
	addCompletion(f, root)
	return root
}

// Exit is an outcome that no kind of error stands for: a run that was waited for and did not succeed.
type Exit struct {
	Code    int
	Message string
}

// Error returns the message.
func (e *Exit) Error() string { return e.Message }

// conclude prints what went wrong and returns the exit code.
func conclude(w io.Writer, err error) int {
	if err == nil {
		return fault.ExitDone
	}
	w = shown{w}
	var found pipelines.Diagnostics
	if errors.As(err, &found) {
		files := map[string]bool{}
		for _, d := range found {
			fmt.Fprintln(w, d)
			files[d.Position.File] = true
		}
		fmt.Fprintf(w, "sluice: %s in %s\n", api.Counted(len(found), "error"), api.Counted(len(files), "file"))
		return fault.ExitInvalid
	}
	fmt.Fprintf(w, "sluice: %s\n", strings.TrimRight(err.Error(), "\n"))
	var exit *Exit
	if errors.As(err, &exit) {
		return exit.Code
	}
	return fault.CodeOf(err).Exit()
}

// usage is an error about what was typed.
func usage(cmd *cobra.Command, format string, args ...any) error {
	return fault.New(fault.Invalid, "%s (see '%s --help')", fmt.Sprintf(format, args...), cmd.CommandPath())
}

func unknownCommand(cmd *cobra.Command, name string) error {
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return usage(cmd, "there is no command %q; did you mean %s?", name, strings.Join(near, " or "))
	}
	return usage(cmd, "there is no command %q", name)
}

// exactly makes a wrong number of arguments an error about usage.
func exactly(names ...string) cobra.PositionalArgs { return between(len(names), names...) }

// between wants at least least arguments, and at most one for each name.
func between(least int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usage(cmd, "%s is missing", names[len(args)])
		case len(args) > len(names):
			return usage(cmd, "there is nothing to do with %q", args[len(names)])
		}
		return nil
	}
}
