package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/report"
)

// ReportOptions are what report needs.
type ReportOptions struct {
	Factory *Factory
	Run     string
	Format  string
	File    string
}

// The formats of a report.
const (
	asMarkdown = "markdown"
	asHTML     = "html"
)

// NewCmdReport writes down what became of a run.
func NewCmdReport(f *Factory, runF func(context.Context, *ReportOptions) error) *cobra.Command {
	opts := &ReportOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Write down what became of a run, for whoever was not there",
		Long: `Write a report of a run, open or ended: what was to change, what happened when, the verdicts with
what they saw, who did what, what went back, what is owed, and the changes. Times are UTC, secrets
are masked. HTML is one file that opens without a network, with a chart of the clusters over time.
Of a run that has ended it needs the ledger alone.`,
		Example: `  sluice report node-agent-3
  sluice report node-agent-3 --output node-agent-3.html`,
		Args: exactly("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Run = args[0]
			if err := opts.complete(cmd); err != nil {
				return err
			}
			if runF != nil {
				return runF(cmd.Context(), opts)
			}
			return reportRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVarP(&opts.Format, "format", "o", "", "`FORMAT`: markdown or html (default html for a FILE that ends so, else markdown)")
	cmd.Flags().StringVar(&opts.File, "output", "", "write to `FILE` instead of printing")
	return cmd
}

// complete settles the format.
func (o *ReportOptions) complete(cmd *cobra.Command) error {
	if o.Format == "" {
		o.Format = asMarkdown
		if strings.EqualFold(filepath.Ext(o.File), ".html") {
			o.Format = asHTML
		}
	}
	if !slices.Contains([]string{asMarkdown, asHTML}, o.Format) {
		return usage(cmd, "%q is neither markdown nor html", o.Format)
	}
	return nil
}

func reportRun(ctx context.Context, o *ReportOptions) error {
	e, err := o.Factory.Engine(ctx)
	if err != nil {
		return err
	}
	facts, err := e.Report(ctx, o.Run)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	write := report.Of(facts).Markdown
	if o.Format == asHTML {
		write = report.Of(facts).HTML
	}
	if err := write(&text); err != nil {
		return err
	}
	if o.File == "" {
		_, err := text.WriteTo(o.Factory.Out)
		return fault.Wrap(fault.Internal, err, "cannot print")
	}
	if err := os.WriteFile(o.File, text.Bytes(), 0o644); err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot write %s", o.File)
	}
	_, err = fmt.Fprintf(o.Factory.Out, "%s is in %s\n", o.Run, o.File)
	return fault.Wrap(fault.Internal, err, "cannot print")
}
