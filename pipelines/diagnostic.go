package pipelines

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Diagnostic is one thing that is wrong, and where.
type Diagnostic struct {
	Position Position `json:"position"`
	Message  string   `json:"message"`
}

// String prints file:line:column: what is wrong.
func (d Diagnostic) String() string {
	return d.Position.String() + ": " + d.Message
}

// Diagnostics are everything that is wrong with a set of files, sorted by file, line and column. As an error they
// are never empty.
type Diagnostics []Diagnostic

// Error prints one diagnostic a line.
func (d Diagnostics) Error() string {
	lines := make([]string, 0, len(d))
	for _, one := range d {
		lines = append(lines, one.String())
	}
	return strings.Join(lines, "\n")
}

// Sorted returns the diagnostics by file, line, column and message, each once.
func (d Diagnostics) Sorted() Diagnostics { return slices.Clone(d).sorted() }

func (d Diagnostics) sorted() Diagnostics {
	slices.SortFunc(d, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Position.File, b.Position.File),
			cmp.Compare(a.Position.Line, b.Position.Line),
			cmp.Compare(a.Position.Column, b.Position.Column),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(d)
}

// maxDiagnostics is how many errors are kept of one file: nobody reads more, and a file of sixteen megabytes that is
// no YAML of ours could hold millions.
const maxDiagnostics = 1000

// report gathers diagnostics.
type report struct {
	found Diagnostics
	count map[string]int // by file
}

func newReport() *report {
	return &report{count: map[string]int{}}
}

func (r *report) add(at Position, format string, args ...any) {
	r.count[at.File]++
	switch n := r.count[at.File]; {
	case n <= maxDiagnostics:
		r.found = append(r.found, Diagnostic{at, fmt.Sprintf(format, args...)})
	case n == maxDiagnostics+1:
		text := fmt.Sprintf("more than %d errors: the rest of this file is left out", maxDiagnostics)
		r.found = append(r.found, Diagnostic{Position{File: at.File}, text})
	}
}

// drop forgets what was said about a file.
func (r *report) drop(file string) {
	r.found = slices.DeleteFunc(r.found, func(d Diagnostic) bool { return d.Position.File == file })
	delete(r.count, file)
}

func (r *report) err() error {
	if len(r.found) == 0 {
		return nil
	}
	return r.found.sorted()
}
