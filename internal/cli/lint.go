package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/pipelines"
)

// LintOptions are what lint needs.
type LintOptions struct {
	Out     io.Writer
	Paths   []string
	Library []pipelines.Source
	Format  format
}

// NewCmdLint checks files and folders.
func NewCmdLint(f *Factory, runF func(*LintOptions) error) *cobra.Command {
	opts := &LintOptions{Out: f.Out}
	cmd := &cobra.Command{
		Use:   "lint [PATH...]",
		Short: "Check pipelines, tasks, components and fleets",
		Long: `Check files and folders (default: the working folder) against each other, and print everything
that is wrong as file:line:column. It asks no cluster and no server. Exits 2 where anything is wrong.`,
		Example: `  sluice lint examples
  sluice lint examples/fleet examples/pipelines examples/tasks
  sluice lint examples -o json`,
		RunE: func(_ *cobra.Command, args []string) error {
			opts.Paths, opts.Library = args, f.Library
			if len(args) == 0 {
				opts.Paths = []string{"."}
			}
			if runF != nil {
				return runF(opts)
			}
			return lintRun(opts)
		},
	}
	addOutput(cmd, &opts.Format)
	return cmd
}

// lintReport is what lint prints as JSON.
type lintReport struct {
	Files       []string              `json:"files"`
	Diagnostics pipelines.Diagnostics `json:"diagnostics"`
}

func lintRun(o *LintOptions) error {
	docs, err := engine.LoadDocuments(o.Paths, o.Library)
	found := lintReport{Files: []string{}, Diagnostics: pipelines.Diagnostics{}}
	if err != nil && !errors.As(err, &found.Diagnostics) {
		return err
	}
	if docs != nil {
		found.Files = docs.Files
	}
	printed := o.Format.print(o.Out, found, func() error {
		if err != nil {
			return nil
		}
		_, err := fmt.Fprintf(o.Out, "%s: nothing is wrong\n", count(len(docs.Files), "file"))
		return err
	})
	return errors.Join(err, printed)
}
