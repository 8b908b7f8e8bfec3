package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// DirectRun is what a run is taken back with that needs no Temporal. Ledger is closed by the command line.
type DirectRun struct {
	Ledger      ledger.Ledger
	Run         ledger.Run // that takes back
	First       string     // the first run that took back the same
	Clusters    []string
	Kubeconfigs []string
	Said        func(api.UnitStatus) // hears of each unit that begins or ends
}

// directOptions are what rollback needs where Temporal is gone.
type directOptions struct {
	Direct      bool
	Anyhow      bool
	Kubeconfigs []string
}

// mostNamed is how many clusters a line names.
const mostNamed = 20

func addDirect(cmd *cobra.Command) *directOptions {
	o := &directOptions{}
	flags := cmd.Flags()
	flags.BoolVar(&o.Direct, "direct", false, "without Temporal and workers, from this process; needs --reason")
	flags.BoolVar(&o.Anyhow, "although-temporal-answers", false, "with --direct: Temporal answers, and yet nothing moves")
	flags.StringArrayVar(&o.Kubeconfigs, "kubeconfig", nil, "with --direct: `FILE` with a context for each cluster; may be repeated")
	return o
}

// run takes a run back from this process.
func (o *directOptions) run(cmd *cobra.Command, c *CommandOptions, run string) error {
	f, ctx := c.Factory, cmd.Context()
	switch {
	case !o.Direct:
		return usage(cmd, "--kubeconfig and --although-temporal-answers go with --direct: a worker has clusters of its own")
	case c.Command.Reason == "" && !c.Command.DryRun:
		return usage(cmd, "--reason is missing: say why")
	case f.Direct == nil:
		return fault.New(fault.Internal, "this build of sluice cannot do without Temporal")
	}
	files := WorkerOptions{Factory: f, Kubeconfigs: o.Kubeconfigs}
	if _, err := files.clusters(); err != nil {
		return err
	}
	e, err := f.here(ctx)
	if err != nil {
		return err
	}
	c.Command.Who = f.Who()
	begun, err := e.BeginDirect(ctx, run, c.Command, o.Anyhow)
	if err != nil {
		return err
	}
	if begun.By == "" {
		return c.Format.print(f.Out, begun, func() error { return f.printBegun(begun) })
	}
	l, err := f.Open(ctx)
	if err != nil {
		return err
	}
	said := func(api.UnitStatus) {}
	if c.Format == asText {
		if err := f.printBegun(begun); err != nil {
			return err
		}
		said = func(u api.UnitStatus) {
			_, _ = fmt.Fprintf(shown{f.Out}, "  %s  %s\n", f.Clock.Now().Format("15:04:05"), ofUnitBack(u))
		}
	}
	status, err := f.Direct(ctx, DirectRun{
		Ledger: l, Run: begun.Made, First: begun.First, Clusters: begun.Clusters(), Kubeconfigs: files.Kubeconfigs, Said: said,
	})
	if err != nil {
		return err
	}
	if err := c.Format.print(f.Out, status, func() error { return f.printBack(f.Out, status) }); err != nil {
		return err
	}
	if status.Phase != api.PhaseRolledBack {
		return &Exit{fault.ExitFailed, fmt.Sprintf("not all of %s is back; what is left is taken back by the same command again", run)}
	}
	return nil
}

// printBegun says what goes where.
func (f *Factory) printBegun(d engine.Direct) error {
	what := d.Scope.String()
	if d.Scope.Whole() {
		what = "all"
	}
	text := fmt.Sprintf("%s takes back %s of %s without Temporal, %s\n", d.By, what, d.Run, api.Counted(len(d.Units), "unit"))
	switch {
	case len(d.Units) == 0:
		text = fmt.Sprintf("%s: nothing is left to take back, of %s\n", d.Run, what)
	case d.By == "":
		text = fmt.Sprintf("this process would take back %s of %s, %s\n  %s\n", what, d.Run, api.Counted(len(d.Units), "unit"),
			strings.Join(d.Lines(), "\n  "))
	}
	if d.Forbids != "" {
		text += "it would be refused now: " + d.Forbids + "\n"
	}
	_, err := io.WriteString(shown{f.Out}, text)
	return err
}

func ofUnitBack(u api.UnitStatus) string {
	at := ""
	if u.Failure != nil {
		at = ": " + shortened(u.Failure.Message, 160)
	}
	switch u.Phase {
	case api.PhaseRollingBack:
		return u.Path + " goes back"
	case api.PhaseRolledBack:
		where := "what was there before"
		if u.Version != "" {
			where = "version " + u.Version
		}
		return fmt.Sprintf("%s is back at %s", u.Path, where) + keptBack(u.Kept)
	case api.PhaseUnreachable:
		return u.Path + " is out of reach, and owed" + at
	}
	return u.Path + " is not back" + at
}

func keptBack(kept []string) string {
	if len(kept) == 0 {
		return ""
	}
	return "; kept: " + clip.Few(kept, mostNamed)
}

// printBack says what is back and what is not.
func (f *Factory) printBack(w io.Writer, s api.RunStatus) error {
	var back, owed, not []string
	for _, st := range s.Stages {
		for _, u := range st.Units {
			switch u.Phase {
			case api.PhaseRolledBack:
				back = append(back, u.Cluster)
			case api.PhaseUnreachable:
				owed = append(owed, u.Cluster)
			default:
				not = append(not, u.Cluster)
			}
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %d of %s back\n", s.Name, len(back), api.Counted(len(back)+len(owed)+len(not), "unit"))
	if len(owed) > 0 {
		fmt.Fprintf(&text, "  owed, out of reach: %s\n", clip.Few(owed, mostNamed))
	}
	if len(not) > 0 {
		fmt.Fprintf(&text, "  not back: %s\n", clip.Few(not, mostNamed))
	}
	fmt.Fprintf(&text, "once Temporal is back: %s reconcile %s --reason TEXT\n", f.program(), s.Back)
	_, err := io.WriteString(shown{w}, text.String())
	return err
}
