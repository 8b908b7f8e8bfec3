package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/origin"
	"sluice.dev/sluice/internal/plan"
)

// length is how much of a plan is printed. The zero value is all of it, but on a terminal only where it fits there.
type length struct{ summary, full bool }

func (l *length) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&l.summary, "summary", false, "print a plan's stages as lines, few names, and the beginnings of diffs")
	cmd.Flags().BoolVar(&l.full, "full", false, "print all of a plan, however long it is")
}

func (l *length) complete(cmd *cobra.Command) error {
	if l.summary && l.full {
		return usage(cmd, "--summary and --full go one at a time")
	}
	return nil
}

// printPlan prints a plan with the diffs that belong to it.
func (f *Factory) printPlan(ctx context.Context, as format, l length, e Engine, p *engine.Planned) error {
	return as.print(f.Out, p, func() error {
		text, err := renderPlan(ctx, e, p, l.summary)
		if err != nil {
			return err
		}
		if !l.summary && !l.full && f.Terminal && !f.fits(text) {
			if text, err = renderPlan(ctx, e, p, true); err != nil {
				return err
			}
			text += fmt.Sprintf("\nthis is a summary; all of it: %s get %.12s --full\n", f.program(), p.Hash)
		}
		_, err = shown{f.Out}.Write([]byte(text))
		return fault.Wrap(fault.Internal, err, "cannot print the plan")
	})
}

func renderPlan(ctx context.Context, e Engine, p *engine.Planned, summary bool) (string, error) {
	var out bytes.Buffer
	err := plan.Render(&out, p.Plan, p.Live, plan.RenderOptions{
		Origin: origin.Text(p.Stored.Origin), Refused: p.RefusedByPolicy(), Warnings: p.Warnings(), Summary: summary,
		Text: func(digest string) (string, error) { return e.Text(ctx, digest) },
	})
	if p.TooBig != "" {
		fmt.Fprintf(&out, "\n%s\n", p.TooBig)
	}
	return out.String(), err
}

// fits reports whether a text can be read on the terminal without scrolling, with a few lines left for what follows it.
func (f *Factory) fits(text string) bool {
	const left = 4
	width, height := f.Width()
	lines := left
	for line := range strings.Lines(text) {
		lines += 1 + (len(line)-1)/max(width, 1)
	}
	return lines <= height
}
