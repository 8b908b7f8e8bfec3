package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// catalogEntry is a ready-made Task or Pipeline.
type catalogEntry struct {
	Kind        string            `json:"kind"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Params      []pipelines.Param `json:"params,omitempty"`
	Steps       []catalogStep     `json:"steps,omitempty"`
	Text        string            `json:"-"` // as it could stand in a file
}

// catalogStep is a step of a Task, of one kind, and what that may read or change.
type catalogStep struct {
	Name string   `json:"name"`
	Kind string   `json:"kind"`
	Does []string `json:"does"`
}

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
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := catalogOf(f.Library)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return out.print(f.Out, all, func() error { return printCatalog(f.Out, all) })
			}
			i := slices.IndexFunc(all, func(e catalogEntry) bool { return e.Name == args[0] })
			if i < 0 {
				return fault.New(fault.NotFound, "cannot find %s in the catalog: it has %s", args[0], strings.Join(namesOf(all), ", "))
			}
			return out.print(f.Out, all[i], func() error { return printEntry(f.Out, all[i]) })
		},
	}
	addOutput(cmd, &out)
	return cmd
}

// catalogOf reads the library, sorted by kind and name.
func catalogOf(library []pipelines.Source) ([]catalogEntry, error) {
	docs, err := pipelines.Loader{Library: library}.Parse()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot read the catalog")
	}
	texts := map[string]string{}
	for _, s := range library {
		texts[s.Name] = string(s.Data)
	}
	var all []catalogEntry
	for _, name := range slices.Sorted(maps.Keys(docs.Pipelines)) {
		p := docs.Pipelines[name]
		all = append(all, catalogEntry{
			Kind: pipelines.KindPipeline, Name: name, Description: p.Spec.Description, Params: p.Spec.Params, Text: texts[p.Position.File],
		})
	}
	for _, name := range slices.Sorted(maps.Keys(docs.Tasks)) {
		t := docs.Tasks[name]
		e := catalogEntry{
			Kind: pipelines.KindTask, Name: name, Description: t.Spec.Description, Params: t.Spec.Params, Text: texts[t.Position.File],
		}
		for i := range t.Spec.Steps {
			s := &t.Spec.Steps[i]
			e.Steps = append(e.Steps, catalogStep{Name: s.Name, Kind: s.Kind(), Does: s.Does()})
		}
		all = append(all, e)
	}
	return all, nil
}

func namesOf(all []catalogEntry) []string {
	names := make([]string, 0, len(all))
	for _, e := range all {
		names = append(names, e.Name)
	}
	return names
}

func printCatalog(w io.Writer, all []catalogEntry) error {
	rows := [][]string{{"KIND", "NAME", "WHAT IT DOES"}}
	for _, e := range all {
		rows = append(rows, []string{e.Kind, e.Name, oneLine(e.Description)})
	}
	return table(w, rows)
}

func printEntry(w io.Writer, e catalogEntry) error {
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
