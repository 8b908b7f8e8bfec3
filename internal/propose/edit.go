// Package propose changes a component's document where it stands, and puts the change on a branch of its git repository. It changes values
// and nothing else: comments, order and layout stay. It merges nothing, and overwrites nobody's branch.
package propose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"sluice.dev/sluice/internal/fault"
)

// Document is which document of a file is meant.
type Document struct{ Kind, Name, Version string }

// Value is a new value of a field of a document.
type Value struct {
	Path []string // names of fields: spec, version
	Text string
}

// Edit returns a YAML file with new values of one of its documents. Every field has to be there, as a text on one line; everything else
// stays as it is, byte for byte. Where nothing changes the file is returned as it was. Errors are fault.NotFound for a document or field
// that is not there, and fault.Invalid for one that cannot be changed in place.
func Edit(file []byte, doc Document, values []Value) ([]byte, error) {
	roots, err := documents(file)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(roots, doc.is)
	if at < 0 {
		return nil, fault.New(fault.NotFound, "cannot find %s %s %s in the file", doc.Kind, doc.Name, doc.Version)
	}
	type splice struct {
		from, to int
		text     string
	}
	var all []splice
	for _, v := range values {
		node := field(roots[at], v.Path)
		if node == nil {
			return nil, fault.New(fault.NotFound, "cannot change %s: %s %s has no such field", strings.Join(v.Path, "."), doc.Kind, doc.Name)
		}
		from, to, err := scalar(file, node)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot change %s, at line %d", strings.Join(v.Path, "."), node.Line)
		}
		if node.Value != v.Text {
			all = append(all, splice{from, to, written(v.Text, file[from])})
		}
	}
	slices.SortFunc(all, func(a, b splice) int { return b.from - a.from }) // the last one first: the others stay where they are
	edited := slices.Clone(file)
	for _, s := range all {
		edited = slices.Concat(edited[:s.from], []byte(s.text), edited[s.to:])
	}
	return edited, changedAlone(edited, roots, at, values)
}

// documents reads a file's documents.
func documents(file []byte) ([]*yaml.Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(file))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot read the file")
	}
	var all []*yaml.Node
	for {
		var node yaml.Node
		if err := loader.Load(&node); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot read the file")
		}
		if len(node.Content) == 1 {
			all = append(all, node.Content[0])
		}
	}
}

func (d Document) is(root *yaml.Node) bool {
	said := func(path ...string) string {
		if n := field(root, path); n != nil {
			return n.Value
		}
		return ""
	}
	return said("kind") == d.Kind && said("metadata", "name") == d.Name && said("spec", "version") == d.Version
}

// field is a field's value; nil where there is none.
func field(n *yaml.Node, path []string) *yaml.Node {
	for _, name := range path {
		if n.Kind != yaml.MappingNode {
			return nil
		}
		var next *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				next = n.Content[i+1]
			}
		}
		if next == nil {
			return nil
		}
		n = next
	}
	return n
}

// scalar is where a text stands in a file, with its quotes.
func scalar(file []byte, n *yaml.Node) (from, to int, err error) {
	if n.Kind != yaml.ScalarNode || n.Anchor != "" || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) != 0 {
		return 0, 0, errors.New("it is no plain text on one line")
	}
	from = offset(file, n.Line, n.Column)
	rest, _, _ := bytes.Cut(file[from:], []byte("\n"))
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		to = closing(rest, '"', '\\')
	case n.Style&yaml.SingleQuotedStyle != 0:
		to = closing(rest, '\'', 0)
	case bytes.HasPrefix(rest, []byte(n.Value)) && n.Value != "":
		to = len(n.Value)
	}
	if to <= 0 {
		return 0, 0, errors.New("it is no plain text on one line")
	}
	return from, from + to, nil
}

// closing is how many bytes a quoted text at the beginning of a line has; 0 where it does not end there.
func closing(line []byte, quote, escape byte) int {
	if len(line) == 0 || line[0] != quote {
		return 0
	}
	for i := 1; i < len(line); i++ {
		switch {
		case escape != 0 && line[i] == escape:
			i++
		case line[i] == quote && escape == 0 && i+1 < len(line) && line[i+1] == quote:
			i++
		case line[i] == quote:
			return i + 1
		}
	}
	return 0
}

// offset is the byte at a line and column, which count characters from 1.
func offset(file []byte, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		at += bytes.IndexByte(file[at:], '\n') + 1
	}
	if at == 0 {
		at = len(file) - len(bytes.TrimPrefix(file, []byte("\ufeff")))
	}
	for ; column > 1 && at < len(file); column-- {
		_, size := utf8.DecodeRune(file[at:])
		at += size
	}
	return at
}

// written is a text as it is written where another one began with that byte: in its quotes, and in quotes where it would be no text else.
func written(text string, first byte) string {
	switch {
	case first == '\'':
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	case first == '"' || !plain(text):
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	return text
}

// plain reports whether a text stands for itself without quotes, wherever it stands.
func plain(text string) bool {
	if strings.HasPrefix(text, "@") || strings.ContainsAny(text, ",[]{}#&*!|>'\"%`\\ \t\r\n") {
		return false
	}
	var n yaml.Node
	return yaml.Unmarshal([]byte(text), &n) == nil && len(n.Content) == 1 && n.Content[0].Kind == yaml.ScalarNode &&
		n.Content[0].ShortTag() == "!!str" && n.Content[0].Value == text
}

// changedAlone fails where an edited file says anything else than it said before, but for the new values.
func changedAlone(edited []byte, before []*yaml.Node, at int, values []Value) error {
	after, err := documents(edited)
	if err != nil || len(after) != len(before) {
		return fault.New(fault.Invalid, "cannot change the file in place: it could not be read any more")
	}
	for i := range before {
		var was, is any
		if err := errors.Join(before[i].Decode(&was), after[i].Decode(&is)); err != nil {
			return fault.Wrap(fault.Invalid, err, "cannot read the file")
		}
		if i == at {
			for _, v := range values {
				if field(before[i], v.Path).Value != v.Text {
					put(was, v.Path, v.Text)
				}
			}
		}
		if !reflect.DeepEqual(was, is) {
			return fault.New(fault.Invalid, "cannot change the file in place: something else would change with it")
		}
	}
	return nil
}

// put sets a field that is there.
func put(in any, path []string, text string) {
	m, ok := in.(map[string]any)
	if !ok {
		return
	}
	if len(path) == 1 {
		m[path[0]] = text
		return
	}
	put(m[path[0]], path[1:], text)
}

// Slots are the values by which images of a component become others: each slot's reference, in one environment or, where that is "", by
// default. The fields are those of spec.images.
func Slots(images map[string]string, environment string) []Value {
	var all []Value
	for _, slot := range slices.Sorted(maps.Keys(images)) {
		path := []string{"spec", "images", slot, "default"}
		if environment != "" {
			path = []string{"spec", "images", slot, "environments", environment}
		}
		all = append(all, Value{path, images[slot]})
	}
	return all
}

// String names the document.
func (d Document) String() string { return fmt.Sprintf("%s %s %s", d.Kind, d.Name, d.Version) }
