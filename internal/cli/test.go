package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// maxScenario is how many bytes a scenario, or a file that it uses, may have.
const maxScenario = 1 << 20

// Scenario is a file that is to be played.
type Scenario struct {
	Name    string
	Data    []byte
	Read    func(path string) ([]byte, error) // a file that it uses, by its path from the scenario's folder
	Library []pipelines.Source
}

// Played is what came of a scenario.
type Played struct {
	About     string   // what it says it is about
	Decisions []string // a line each
	Differs   []string // lines of a comparison with those that were expected; empty where they are the same
	Updated   []byte   // the file with these decisions expected
	Failed    error    // why it was not played to its end
}

// TestOptions are what test needs.
type TestOptions struct {
	Factory *Factory
	Files   []string
	Update  bool
	Quiet   bool
}

// NewCmdTest plays scenarios.
func NewCmdTest(f *Factory, runF func(*TestOptions) error) *cobra.Command {
	opts := &TestOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "test FILE...",
		Short: "Play scenarios of pipelines, and compare the decisions with those expected",
		Long: `Play each scenario with the real workflows, in time that passes at once: no cluster, no server and no
ledger is there. Prints the decisions, and where they are others than expected, both.
Exits 1 where any scenario decides otherwise or does not end, 2 where one cannot be read.`,
		Example: `  sluice test examples/scenarios/*.txtar
  sluice test --update my.txtar`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(cmd, "which scenario? give one file at least")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			opts.Files = args
			if runF != nil {
				return runF(opts)
			}
			return testRun(opts)
		},
	}
	cmd.Flags().BoolVar(&opts.Update, "update", false, "write what was decided into each file as what is expected")
	cmd.Flags().BoolVar(&opts.Quiet, "quiet", false, "print the decisions of those alone that fail")
	return cmd
}

func testRun(o *TestOptions) error {
	if o.Factory.Test == nil {
		return fault.New(fault.Internal, "this build of sluice plays no scenarios")
	}
	failed := 0
	for _, file := range o.Files {
		passed, err := o.play(file)
		if err != nil {
			return err
		}
		if !passed {
			failed++
		}
	}
	if failed > 0 {
		return &Exit{Code: fault.ExitFailed, Message: fmt.Sprintf("%d of %s failed", failed, api.Counted(len(o.Files), "scenario"))}
	}
	return nil
}

// play plays one file, prints what came of it, and reports whether that is what was expected.
func (o *TestOptions) play(file string) (bool, error) {
	data, err := readAtMost(file, maxScenario)
	if err != nil {
		return false, err
	}
	read := func(path string) ([]byte, error) {
		return readAtMost(filepath.Join(filepath.Dir(file), path), maxScenario)
	}
	got, err := o.Factory.Test(Scenario{Name: file, Data: data, Read: read, Library: o.Factory.Library})
	if err != nil {
		return false, err
	}
	if o.Update && got.Failed == nil && len(got.Differs) > 0 {
		if err := os.WriteFile(file, got.Updated, 0o644); err != nil {
			return false, fault.Wrap(fault.Invalid, err, "cannot write")
		}
		return true, o.print(file, got, "UPDATED", got.Differs)
	}
	switch {
	case got.Failed != nil:
		return false, o.print(file, got, "FAIL", append(indented(got.Decisions), "! "+got.Failed.Error()))
	case len(got.Differs) > 0:
		return false, o.print(file, got, "FAIL", append([]string{"- expected", "+ decided"}, got.Differs...))
	case o.Quiet:
		return true, o.print(file, got, "PASS", nil)
	}
	return true, o.print(file, got, "PASS", indented(got.Decisions))
}

func indented(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = "  " + line
	}
	return out
}

func (o *TestOptions) print(file string, got Played, verdict string, lines []string) error {
	out := shown{o.Factory.Out}
	text := fmt.Sprintf("%-4s %s", verdict, file)
	if got.About != "" {
		text += ": " + got.About
	}
	for _, line := range append([]string{text}, lines...) {
		if _, err := io.WriteString(out, line+"\n"); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot print")
		}
	}
	return nil
}
