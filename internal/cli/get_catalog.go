package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
)

func newCmdGetCatalog(f *Factory) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "catalog [NAME]",
		Short: "List the ready-made Tasks and Pipelines, or show one",
		Long: `List the Tasks and Pipelines that come with Sluice. A pipeline may name them in a taskRef; a document
of your own with the same kind and name goes before them. With NAME, show what it does, what it may
read or change, its params, and its text.`,
		Example: `  sluice get catalog
  sluice get catalog pods-stay-healthy`,
		Args: between(0, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := catalogOf(cmd.Context(), f)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				for i := range all {
					all[i].Text = "" // whoever wants one asks for one
				}
				return out.print(f.Out, all, func() error { return printCatalog(f.Out, all) })
			}
			i := slices.IndexFunc(all, func(e catalog.Entry) bool { return e.Name == args[0] })
			if i < 0 {
				return fault.New(fault.NotFound, "cannot find %s in the catalog: it has %s", args[0], strings.Join(namesOf(all), ", "))
			}
			return out.print(f.Out, all[i], func() error { return printEntry(f.Out, all[i]) })
		},
	}
	addOutput(cmd, &out)
	return cmd
}

// catalogOf is that of the server that plans, where one is asked, and else that of this program, which takes no ledger.
func catalogOf(ctx context.Context, f *Factory) ([]catalog.Entry, error) {
	e, err := f.away(ctx)
	if err != nil {
		return nil, err
	}
	if e != nil {
		return e.Catalog(ctx)
	}
	return catalog.Entries(f.Library)
}

func namesOf(all []catalog.Entry) []string {
	names := make([]string, 0, len(all))
	for _, e := range all {
		names = append(names, e.Name)
	}
	return names
}

func printCatalog(w io.Writer, all []catalog.Entry) error {
	rows := [][]string{{"KIND", "NAME", "WHAT IT DOES"}}
	for _, e := range all {
		rows = append(rows, []string{e.Kind, e.Name, oneLine(e.Description)})
	}
	return table(w, rows)
}

func printEntry(w io.Writer, e catalog.Entry) error {
	if _, err := fmt.Fprintf(w, "%s %s\n%s\n", e.Kind, e.Name, strings.TrimSpace(e.Description)); err != nil {
		return err
	}
	if len(e.Steps) > 0 {
		rows := [][]string{{"STEP", "KIND", "IT"}}
		for _, s := range e.Steps {
			rows = append(rows, []string{s.Name, s.Kind, strings.Join(s.Does, ", ")})
		}
		if err := spaced(w, rows); err != nil {
			return err
		}
	}
	if len(e.Params) > 0 {
		rows := [][]string{{"PARAM", "TYPE", "DEFAULT", "WHAT IT IS"}}
		for _, p := range e.Params {
			rows = append(rows, []string{p.Name, string(p.Type), defaultOf(p), oneLine(p.Description)})
		}
		if err := spaced(w, rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s", e.Text)
	return err
}

// spaced prints a table below an empty line.
func spaced(w io.Writer, rows [][]string) error {
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return table(w, rows)
}

func defaultOf(p pipelines.Param) string {
	if p.Default == nil {
		return "(required)"
	}
	return pipelines.ParamValue{Value: p.Default}.Text()
}
