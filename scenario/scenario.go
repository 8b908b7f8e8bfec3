// Package scenario plays a pipeline on a fleet that is not there: the real workflows, in Temporal's test environment, over virtual time.
// A scenario is one file to read: the documents, a script of what clusters and checks answer and what people do, and the decisions that
// are expected to come of it. It reaches no cluster, no ledger and no server.
package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// Bounds of a scenario.
const (
	MaxBytes     = 256 << 10           // of its file
	MaxLines     = 1000                // of its script
	MaxClusters  = 100                 // that it moves
	MaxPods      = 10_000              // of a node set
	MaxVirtual   = 90 * 24 * time.Hour // that may pass in it
	MaxDecisions = 5000                // that may come of it
	MaxReal      = 20 * time.Second    // in which nothing happens
)

// The files of a scenario. Every other one is documents, and ends in .yaml.
const (
	scriptName   = "script"
	expectedName = "expected"
)

// Scenario is a file that was read.
type Scenario struct {
	Name     string // of its file
	About    string // what stands before its first part
	sources  []pipelines.Source
	script   script
	expected []string
	archive  *txtar.Archive
}

// Parse reads a scenario. Read reads files that it uses, by their path from the scenario's folder. An error is fault.Invalid around
// pipelines.Diagnostics, with a line of the file for each mistake.
func Parse(name string, data []byte, read func(path string) ([]byte, error)) (*Scenario, error) {
	if len(data) > MaxBytes {
		return nil, fault.New(fault.Invalid, "%s has %d bytes, at most %d are read", name, len(data), MaxBytes)
	}
	s := &Scenario{Name: name, archive: txtar.Parse(data)}
	s.About = strings.TrimSpace(string(s.archive.Comment))
	var wrong pipelines.Diagnostics
	seen := map[string]bool{}
	line := 1 + strings.Count(string(s.archive.Comment), "\n")
	for _, f := range s.archive.Files {
		at := pipelines.Position{File: name, Line: line, Column: 1}
		text := string(f.Data)
		if seen[f.Name] {
			wrong = append(wrong, diagnose(at, "there is a second part %s", f.Name))
		}
		seen[f.Name] = true
		switch {
		case f.Name == scriptName:
			var bad pipelines.Diagnostics
			s.script, bad = parseScript(name, line, text)
			wrong = append(wrong, bad...)
		case f.Name == expectedName:
			s.expected = linesOf(text)
		case strings.HasSuffix(f.Name, ".yaml"):
			// Lines are counted from the top of the scenario.
			s.sources = append(s.sources, pipelines.Source{Name: name, Data: append([]byte(strings.Repeat("\n", line)), f.Data...)})
		default:
			wrong = append(wrong, diagnose(at, "part %s is unknown: there are %s, %s and documents in NAME.yaml", f.Name, scriptName, expectedName))
		}
		line += 1 + strings.Count(text, "\n")
	}
	for _, u := range s.script.uses {
		body, err := read(u.path)
		if err != nil {
			wrong = append(wrong, diagnose(u.at, "cannot use %s: %v", u.path, err))
			continue
		}
		s.sources = append(s.sources, pipelines.Source{Name: u.path, Data: body})
	}
	if len(s.sources) == 0 && len(wrong) == 0 {
		wrong = append(wrong, diagnose(pipelines.Position{File: name, Line: 1}, "there are no documents: write -- fleet.yaml -- or use FILE"))
	}
	if len(wrong) > 0 {
		return nil, fault.Wrap(fault.Invalid, wrong.Sorted(), "cannot read scenario %s", name)
	}
	return s, nil
}

// Updated is the scenario's file with other decisions expected.
func (s *Scenario) Updated(decisions []string) []byte {
	files := slices.Clone(s.archive.Files)
	body := []byte(strings.Join(decisions, "\n") + "\n")
	if i := slices.IndexFunc(files, func(f txtar.File) bool { return f.Name == expectedName }); i >= 0 {
		files[i].Data = body
	} else {
		files = append(files, txtar.File{Name: expectedName, Data: body})
	}
	return txtar.Format(&txtar.Archive{Comment: s.archive.Comment, Files: files})
}

// Expected is the decisions that are expected, a line each.
func (s *Scenario) Expected() []string { return s.expected }

// linesOf are the lines of a text that say something, with their columns one space apart.
func linesOf(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \r\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

func diagnose(at pipelines.Position, format string, args ...any) pipelines.Diagnostic {
	return pipelines.Diagnostic{Position: at, Message: fmt.Sprintf(format, args...)}
}
