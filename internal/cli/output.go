package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/cli/tree"
	"sluice.dev/sluice/internal/fault"
)

// format is how an object is printed.
type format string

const (
	asText format = ""
	asJSON format = "json"
	asYAML format = "yaml"
)

// addOutput gives a command the flag -o.
func addOutput(cmd *cobra.Command, into *format) {
	cmd.Flags().VarP(into, "output", "o", "print as `FORMAT`: json or yaml")
}

// String, Set and Type make a format the value of a flag.
func (f *format) String() string { return string(*f) }

// Set implements pflag.Value.
func (f *format) Set(text string) error {
	if !slices.Contains([]format{asJSON, asYAML}, format(text)) {
		return fmt.Errorf("%q is neither json nor yaml", text)
	}
	*f = format(text)
	return nil
}

// Type implements pflag.Value.
func (f *format) Type() string { return "FORMAT" }

// print writes an object as JSON or YAML, or lets text write it for people.
func (f format) print(w io.Writer, object any, text func() error) error {
	if f == asText {
		return text()
	}
	body, err := json.MarshalIndent(object, "", "  ")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot print as %s", f)
	}
	body = append(body, '\n')
	if f == asYAML {
		if body, err = yaml.JSONToYAML(body); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot print as %s", f)
		}
	}
	_, err = w.Write(body)
	return fault.Wrap(fault.Internal, err, "cannot print")
}

// stream writes an object that has changed since before: JSON as one line, YAML as one document. What has not changed is
// not written again.
func (f format) stream(w io.Writer, before, after any) error {
	body, err := json.Marshal(after)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot print as %s", f)
	}
	if was, err := json.Marshal(before); err == nil && bytes.Equal(was, body) {
		return nil
	}
	if f == asYAML {
		if body, err = yaml.JSONToYAML(body); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot print as %s", f)
		}
		body = append([]byte("---\n"), bytes.TrimRight(body, "\n")...)
	}
	_, err = w.Write(append(body, '\n'))
	return fault.Wrap(fault.Internal, err, "cannot print")
}

// shown is a writer for people: what a terminal would act on is written out.
type shown struct{ io.Writer }

// Write implements io.Writer. A text has to come in one piece.
func (s shown) Write(text []byte) (int, error) {
	if _, err := io.WriteString(s.Writer, tree.Printable(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// table prints rows in columns, without blanks at the ends of lines.
func table(w io.Writer, rows [][]string) error {
	var text strings.Builder
	tw := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = tree.Printable(oneLine(cell))
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	tw.Flush()
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot print")
		}
	}
	return nil
}

// stamp writes a time as people read it; "-" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// or returns text, or "-" where there is none: columns stay columns.
func or(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
