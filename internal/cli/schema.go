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

// SchemaOptions are what schema needs.
type SchemaOptions struct {
	Out  io.Writer
	Kind string // "" is all kinds in one
}

// NewCmdSchema prints JSON Schemas.
func NewCmdSchema(f *Factory, runF func(*SchemaOptions) error) *cobra.Command {
	opts := &SchemaOptions{Out: f.Out}
	return &cobra.Command{
		Use:   "schema [KIND]",
		Short: "Print the JSON Schema of the language, for an editor",
		Long: "Print the JSON Schema of one kind, or of all of them in one, as an editor's YAML support takes it.\n" +
			"The kinds are " + kindsInLines(8) + ".",
		Example: `  sluice schema > sluice.schema.json
  sluice schema Pipeline`,
		Args: between(0, "KIND"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.Kind = args[0]
			}
			if runF != nil {
				return runF(opts)
			}
			return schemaRun(opts)
		},
	}
}

// kindsInLines names all kinds, so many on a line.
func kindsInLines(most int) string {
	var lines []string
	for some := range slices.Chunk(pipelines.Kinds(), most) {
		lines = append(lines, strings.Join(some, ", "))
	}
	return strings.Join(lines, ",\n")
}

func schemaRun(o *SchemaOptions) error {
	if o.Kind == "" {
		return write(o.Out, pipelines.Schema())
	}
	all := pipelines.Schemas()
	for kind, body := range all {
		if strings.EqualFold(kind, o.Kind) {
			return write(o.Out, body)
		}
	}
	return fault.New(fault.Invalid, "cannot print the schema of %s: the kinds are %s",
		o.Kind, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
}

func write(w io.Writer, body []byte) error {
	_, err := fmt.Fprintf(w, "%s\n", strings.TrimRight(string(body), "\n"))
	return fault.Wrap(fault.Internal, err, "cannot print")
}
