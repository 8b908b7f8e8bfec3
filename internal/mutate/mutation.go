// Package mutate asks whether the tests would notice a mistake. It takes semantic mutations from a list - each a line of the
// code where a mistake hurts most, and the mistake - applies them one at a time without touching a file, and runs the cheap
// tests that are to see them.
package mutate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice.dev/sluice/internal/fault"
)

// Mutation is one mistake.
type Mutation struct {
	Wrong string   // what would go wrong, in a sentence
	Class string   // the heading under which it stands
	File  string   // path from the root of the module
	Old   string   // text that stands in the file exactly once
	New   string   // what stands there instead
	Tests []string // packages whose tests are to see it
	Line  int      // of the list
}

// Parse reads a list. A line with "# " begins a class, one with "= " a mutation and says what would go wrong; then come its
// file and the packages of its tests, and then lines as in a diff: "-" was, "+" is, "|" stays.
func Parse(text string) ([]Mutation, error) {
	var all []Mutation
	class := ""
	for i, line := range strings.Split(text, "\n") {
		mark, rest := line, ""
		if line != "" {
			mark, rest = line[:1], line[1:]
		}
		if mark == "#" {
			class = strings.TrimSpace(rest)
			continue
		}
		if mark == "=" {
			all = append(all, Mutation{Wrong: strings.TrimSpace(rest), Class: class, Line: i + 1})
			continue
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if len(all) == 0 {
			return nil, fault.New(fault.Invalid, "cannot read line %d: no mutation has begun", i+1)
		}
		m := &all[len(all)-1]
		switch mark {
		case "-":
			m.Old += rest + "\n"
		case "+":
			m.New += rest + "\n"
		case "|":
			m.Old, m.New = m.Old+rest+"\n", m.New+rest+"\n"
		default:
			words := strings.Fields(line)
			if m.File != "" || len(words) < 2 {
				return nil, fault.New(fault.Invalid, "cannot read line %d: it is neither a file with its tests nor a line of one", i+1)
			}
			m.File, m.Tests = words[0], words[1:]
		}
	}
	for _, m := range all {
		if m.File == "" || m.Old == "" || m.Old == m.New {
			return nil, fault.New(fault.Invalid, "cannot use the mutation of line %d: it needs a file, tests, and a change", m.Line)
		}
	}
	return all, nil
}

// String names it by its line in the list, its file and what would go wrong.
func (m Mutation) String() string { return fmt.Sprintf("%3d %s: %s", m.Line, m.File, m.Wrong) }

// Apply returns the file of the mutation with the mistake in it. Its old text has to be there exactly once: code that has
// moved on since is an error, not a mistake that nobody saw.
func (m Mutation) Apply(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, m.File))
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "cannot mutate %s (line %d)", m.File, m.Line)
	}
	// A part of a line is found by the lines around it only: both texts are whole lines.
	whole := "\n" + string(text)
	if n := count(whole, "\n"+m.Old); n != 1 {
		return nil, fault.New(fault.Invalid, "cannot mutate %s (line %d): its text is there %d times, not once", m.File, m.Line, n)
	}
	return []byte(strings.Replace(whole, "\n"+m.Old, "\n"+m.New, 1)[1:]), nil
}

// count counts the places where a text begins, which may be within each other.
func count(text, part string) (n int) {
	for at := strings.Index(text, part); at >= 0; at = strings.Index(text, part) {
		n++
		text = text[at+1:]
	}
	return n
}
