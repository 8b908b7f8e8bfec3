package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/pipelines/calendar"
)

// NewCmdWindow groups what can be asked about windows.
func NewCmdWindow(f *Factory, runF func(context.Context, *WindowOptions) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "window",
		Short:   "Say when windows allow a change",
		Example: `  sluice window explain -f examples`,

		SuggestionsMinimumDistance: 2,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCmdWindowExplain(f, runF))
	return cmd
}

// WindowOptions are what window explain needs.
type WindowOptions struct {
	Factory *Factory
	Request engine.WindowsRequest
	Params  []string // name=value
	At      string   // "" is now
	Format  format
}

func newCmdWindowExplain(f *Factory, runF func(context.Context, *WindowOptions) error) *cobra.Command {
	opts := &WindowOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say who may do what at a time, by which window, and until when",
		Long: `Read files, and say of every window of every pipeline, for each action and invoker, whether it is
open at a time, which window decides, and when that changes. It asks no cluster and no server.

A time is written with its zone, as 2026-12-24T18:00:00+01:00 or 2026-12-24T17:00:00Z. Answers come
in the time zone of the window.`,
		Example: `  sluice window explain -f examples
  sluice window explain --at 2026-12-24T18:00:00+01:00 -f examples --pipeline careful
  sluice window explain -f examples -o json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opts.complete(cmd); err != nil {
				return err
			}
			if runF != nil {
				return runF(cmd.Context(), opts)
			}
			return windowExplain(opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.At, "at", "", "`TIME` to ask about, such as 2026-12-24T18:00:00+01:00 (default now)")
	flags.StringArrayVarP(&opts.Request.Paths, "file", "f", nil, "`PATH` of a file or folder to read; may be repeated (default .)")
	flags.StringVar(&opts.Request.Pipeline, "pipeline", "", "`NAME` of the pipeline (default: all of them)")
	flags.StringArrayVarP(&opts.Params, "param", "p", nil, "`NAME=VALUE` of a param of the pipeline; may be repeated")
	addOutput(cmd, &opts.Format)
	return cmd
}

// complete fills in what flags leave open.
func (o *WindowOptions) complete(cmd *cobra.Command) error {
	if len(o.Request.Paths) == 0 {
		o.Request.Paths = []string{"."}
	}
	if len(o.Params) > 0 && o.Request.Pipeline == "" {
		return usage(cmd, "--param goes with --pipeline: params are those of one pipeline")
	}
	var err error
	if o.Request.Params, err = paramsOf(cmd, o.Params); err != nil {
		return err
	}
	o.Request.At = o.Factory.Clock.Now()
	if o.At == "" {
		return nil
	}
	if o.Request.At, err = time.Parse(time.RFC3339, o.At); err != nil {
		return usage(cmd, "cannot read --at %q: write a time with its zone, such as 2026-12-24T18:00:00+01:00", o.At)
	}
	return nil
}

// explainedWindows is what window explain prints as JSON.
type explainedWindows struct {
	At      time.Time           `json:"at"`
	Windows []engine.WindowStep `json:"windows"`
}

func windowExplain(o *WindowOptions) error {
	found, err := engine.ExplainWindows(o.Request, o.Factory.Library)
	if err != nil {
		return err
	}
	return o.Format.print(o.Factory.Out, explainedWindows{o.Request.At, found}, func() error { return o.text(found) })
}

func (o *WindowOptions) text(found []engine.WindowStep) error {
	out := shown{o.Factory.Out}
	if len(found) == 0 {
		_, err := fmt.Fprintln(out, "no pipeline has a window: changes are allowed at any time")
		return err
	}
	if _, err := fmt.Fprintf(out, "at %s\n", o.Request.At.Format(time.RFC3339)); err != nil {
		return err
	}
	for _, w := range found {
		if _, err := fmt.Fprintf(out, "\n%s\n", windowHead(w)); err != nil {
			return err
		}
		if w.Unknown != "" {
			if _, err := fmt.Fprintln(out, "  "+w.Unknown); err != nil {
				return err
			}
			continue
		}
		if err := table(o.Factory.Out, windowRows(w.Answers)); err != nil {
			return err
		}
	}
	return nil
}

func windowHead(w engine.WindowStep) string {
	points := make([]string, 0, len(w.At))
	for _, p := range w.At {
		points = append(points, string(p))
	}
	text := fmt.Sprintf("pipeline %s, %s, %s, in %s", w.Pipeline, w.Step, strings.Join(points, " "), w.TimeZone)
	if len(w.Stages) > 0 {
		text += ", stages " + strings.Join(w.Stages, " ")
	}
	return text
}

// windowRows has a row for each action and each answer to it.
func windowRows(answers []engine.WindowAnswer) [][]string {
	rows := [][]string{{"ACTION", "BY", "ANSWER"}}
	for _, action := range calendar.Actions() {
		said := map[string][]string{}
		var texts []string
		for _, a := range answers {
			if a.Action != action {
				continue
			}
			if !slices.Contains(texts, a.Text) {
				texts = append(texts, a.Text)
			}
			said[a.Text] = append(said[a.Text], string(a.Invoker))
		}
		for _, text := range texts {
			by := strings.Join(said[text], ", ")
			if len(texts) == 1 {
				by = "anybody"
			}
			rows = append(rows, []string{string(action), by, text})
		}
	}
	return rows
}
