package pipelines

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Source is a YAML file in memory. Name is what messages call it.
type Source struct {
	Name string
	Data []byte
}

// source is a Source with what the loader knows about it.
type source struct {
	Source
	dir      string // its folder on disk, as the caller wrote it; "" for a source in memory
	absolute string // the same folder from the root
	given    bool   // named by the caller, not found in a folder
	library  bool   // what it declares gives way to documents of the same kind and name
	starts   []int  // byte offset of each line's start, made by lineStarts
}

// document is one YAML document of a source.
type document struct {
	source *source
	line   int        // lines of the source before the part that was parsed
	root   *yaml.Node // a mapping
	kind   string
	value  any    // pointer to the kind's struct
	folder string // of a component's probes that it stands in; "" for none

	bad     map[*yaml.Node]bool            // nodes that are wrong by themselves: nothing more is said about them
	excused map[*yaml.Node]map[string]bool // fields that a mapping seems to mean, misspelt: not said to be missing
}

// parse splits a source into documents. Where one does not parse, that is reported and parsing goes on with the next
// "---": that marker cannot stand inside of any value.
func parse(src *source, r *report) []*document {
	if at, what, ok := unreadable(src.Data); ok {
		r.add(Position{src.Name, at.Line, at.Column}, "cannot read YAML: %s", what)
		return nil
	}
	var docs []*document
	for from := 0; from >= 0; {
		parsed, failed := parseFrom(src, from)
		docs = append(docs, parsed...)
		if len(docs) > maxDocuments {
			r.add(Position{File: src.Name}, "the file has more than %d documents", maxDocuments)
			return nil
		}
		if failed == nil {
			return docs
		}
		line := max(failed.Mark.Line, 1) + from
		r.add(Position{src.Name, line, max(failed.Mark.Column, 1)}, "cannot read YAML: %s", syntax(failed, from))
		from = src.nextDocument(max(line-1, from+1))
	}
	return docs
}

// parseFrom parses documents from line index from on, up to the end or the first that does not parse.
func parseFrom(src *source, from int) ([]*document, *yaml.LoadError) {
	loader, err := yaml.NewLoader(bytes.NewReader(src.Data[src.lineStart(from):]))
	if err != nil {
		return nil, &yaml.LoadError{Message: err.Error()}
	}
	var docs []*document
	var node yaml.Node
	for {
		err := loader.Load(&node)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			var failed *yaml.LoadError
			if !errors.As(err, &failed) {
				failed = &yaml.LoadError{Message: err.Error()}
			}
			return docs, failed
		}
		if len(docs) > maxDocuments {
			return docs, nil
		}
		if len(node.Content) == 1 && !empty(node.Content[0]) {
			docs = append(docs, &document{source: src, line: from, root: node.Content[0]})
		}
	}
}

func empty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" && n.Value == ""
}

// syntax says what does not parse, and where that began: what is not closed is noticed far below.
func syntax(e *yaml.LoadError, from int) string {
	if e.ContextMsg == "" {
		return e.Message
	}
	if e.ContextMark.Line == 0 || e.ContextMark.Line == e.Mark.Line {
		return e.ContextMsg + ", " + e.Message
	}
	return fmt.Sprintf("%s that starts at %d:%d, %s", e.ContextMsg, e.ContextMark.Line+from, e.ContextMark.Column, e.Message)
}

// nextDocument is the index of the first line from index on that starts a document, or -1.
func (s *source) nextDocument(index int) int {
	for i := index; i < len(s.lineStarts()); i++ {
		rest := s.Data[s.lineStart(i):]
		if !bytes.HasPrefix(rest, []byte("---")) {
			continue
		}
		if len(rest) == 3 || rest[3] == ' ' || rest[3] == '\t' || rest[3] == '\n' || rest[3] == '\r' {
			return i
		}
	}
	return -1
}

// lineStart is the byte offset at which the line of that index starts, or the length of the data past the last one.
func (s *source) lineStart(index int) int {
	if index == 0 {
		return 0 // most files are asked for no other line
	}
	if starts := s.lineStarts(); index < len(starts) {
		return starts[index]
	}
	return len(s.Data)
}

func (s *source) lineStarts() []int {
	if s.starts != nil {
		return s.starts
	}
	s.starts = []int{0}
	for i, c := range s.Data {
		crlf := c == '\r' && i+1 < len(s.Data) && s.Data[i+1] == '\n'
		if c == '\n' || c == '\r' && !crlf {
			s.starts = append(s.starts, i+1)
		}
	}
	return s.starts
}

// unreadable finds the first character that YAML does not allow: the parser knows no position for these.
func unreadable(data []byte) (Position, string, bool) {
	at := Position{Line: 1, Column: 1}
	for i := 0; i < len(data); {
		c, size := rune(data[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRune(data[i:])
		}
		switch {
		case c == utf8.RuneError && size == 1:
			return at, "it is not UTF-8", true
		case c == '\n':
			at.Line, at.Column = at.Line+1, 0
		case c < ' ' && c != '\t' && c != '\r' || c == 0x7f:
			return at, fmt.Sprintf("control character %U is not allowed", c), true
		}
		at.Column++
		i += size
	}
	return Position{}, "", false
}
