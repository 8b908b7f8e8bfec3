package ci

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Kind of an annotation.
type Kind string

// The kinds of annotations.
const (
	Error   Kind = "error"
	Warning Kind = "warning"
)

// MaxAnnotations is how many annotations of a job GitHub shows; of each kind ten for a step.
const MaxAnnotations = 10

// Annotation is what is said of a place in a file, where the change is reviewed.
type Annotation struct {
	Kind         Kind
	File         string // as the repository knows it
	Line, Column int    // 0: none
	Message      string
}

// data and property escape a text as a workflow command of GitHub reads it.
var (
	data     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// Command is the annotation as a workflow command of GitHub, a line of the job's output.
func (a Annotation) Command() string {
	var at []string
	if a.File != "" {
		at = append(at, "file="+property.Replace(a.File))
		if a.Line > 0 {
			at = append(at, fmt.Sprintf("line=%d", a.Line))
		}
		if a.Line > 0 && a.Column > 0 {
			at = append(at, fmt.Sprintf("col=%d", a.Column))
		}
	}
	head := string(a.Kind)
	if len(at) > 0 {
		head += " " + strings.Join(at, ",")
	}
	return "::" + head + "::" + data.Replace(a.Message) + "\n"
}

// Log is a writer into a job's log where nothing that others wrote is a command of GitHub. What is written has to come in whole lines; a
// line that does not end is ended by the next Write's beginning all the same.
type Log struct{ io.Writer }

// Write implements io.Writer.
func (l Log) Write(text []byte) (int, error) {
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		line = bytes.ReplaceAll(line, []byte("\r"), nil) // it ends a line for some who read logs
		// A command is a line that begins with ::, or has ##[ anywhere.
		line = bytes.ReplaceAll(line, []byte("##["), []byte("## ["))
		if trimmed := bytes.TrimLeftFunc(line, blank); bytes.HasPrefix(trimmed, []byte("::")) {
			out.Write(line[:len(line)-len(trimmed)])
			out.WriteString(": :")
			line = trimmed[2:]
		}
		out.Write(line)
	}
	if _, err := l.Writer.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// blank reports whether GitHub may pass by a character before a command: it passes by whatever Unicode calls white space.
func blank(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Z, unicode.Cf, unicode.Cc)
}
