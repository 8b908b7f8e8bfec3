package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/markdown"
)

// written is whether a plan is written in Markdown, and how long it may be.
type written struct {
	format   string
	limit    int
	markdown bool
}

func (w *written) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.format, "format", "", "write the plan as `FORMAT`: markdown")
	cmd.Flags().IntVar(&w.limit, "limit", markdown.GitHubComment, "with --format markdown, how many `BYTES` it has at most")
}

func (w *written) complete(cmd *cobra.Command) error {
	said := cmd.Flags().Changed
	switch {
	case cmd.Flags().Lookup("format") == nil, w.format == "" && !said("limit"):
		return nil
	case w.format == "":
		return usage(cmd, "--limit goes with --format markdown")
	case w.format != "markdown":
		return usage(cmd, "%q is no format: write --format markdown", w.format)
	case said("output") || said("summary") || said("full"):
		return usage(cmd, "--format goes neither with --output nor with --summary or --full")
	}
	w.markdown = true
	return checkLimit(cmd, w.limit)
}

// checkLimit is an error about usage where a text would have no room for what matters.
func checkLimit(cmd *cobra.Command, limit int) error {
	if limit < markdown.Least {
		return usage(cmd, "--limit %d is too little for a plan: it takes %d at least", limit, markdown.Least)
	}
	return nil
}

// writePlan writes a plan in Markdown.
func (f *Factory) writePlan(ctx context.Context, e Engine, p *engine.Planned, limit int) error {
	text, err := f.markdownOf(ctx, e, p, limit)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f.Out, text)
	return fault.Wrap(fault.Internal, err, "cannot print the plan")
}

func (f *Factory) markdownOf(ctx context.Context, e Engine, p *engine.Planned, limit int) (string, error) {
	shown, err := p.Shown(func(digest string) (string, error) { return e.Text(ctx, digest) }, f.program())
	if err != nil {
		return "", err
	}
	return markdown.Plan(shown, limit), nil
}
