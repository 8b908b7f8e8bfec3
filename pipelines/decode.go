package pipelines

import (
	"fmt"
	"reflect"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"sluice.dev/sluice/pipelines/rule"
)

// Bounds on the shape of a document. Aliases are followed, so that what is written once can be used twice; what they
// stand for is counted each time, so that a few lines cannot grow into billions.
const (
	maxDepth   = 64
	maxAliased = 10_000 // nodes of a document that are reached through aliases
)

// decoder turns the nodes of documents into kinds. It reports everything that the shape of a document alone tells:
// unknown, missing and repeated fields, wrong types, texts and numbers that are not allowed.
type decoder struct {
	structures *structures
	report     *report
	doc        *document
	aliased    int
	depth      int
	following  int // aliases that the current node was reached through
}

// subject names what is decoded, for messages.
type subject struct {
	field *field
	key   string // of a map's value
	item  bool   // of a list
	free  bool   // inside of values that Sluice only passes on
}

func (s subject) String() string {
	switch {
	case s.field == nil:
		return "the document"
	case s.free:
		return "a value in " + s.field.name
	case s.key != "":
		return s.field.name + "." + s.key
	case s.item:
		return "an item of " + s.field.name
	}
	return s.field.name
}

// inside is the subject of what a free value holds.
func (s subject) inside() subject {
	if s.free {
		return s
	}
	return subject{field: &field{name: s.String(), most: maxItems}, free: true}
}

// document decodes a document into out, a pointer to the struct of its kind.
func (d *decoder) document(doc *document, out any) {
	d.doc, d.aliased = doc, 0
	doc.bad, doc.excused = map[*yaml.Node]bool{}, map[*yaml.Node]map[string]bool{}
	d.structure(doc.root, reflect.ValueOf(out).Elem(), "apiVersion", "kind")
}

// fail reports that a node is wrong, and keeps what is made of it from being judged again.
func (d *decoder) fail(n *yaml.Node, format string, args ...any) bool {
	d.report.addAt(spot{d.doc, n}, format, args...)
	d.doc.bad[n] = true
	return false
}

// value decodes a node into v and says whether v can be used.
func (d *decoder) value(n *yaml.Node, v reflect.Value, s subject) bool {
	if n.Kind == yaml.AliasNode {
		d.following++
		defer func() { d.following-- }()
		n = target(n)
	}
	if d.following > 0 {
		d.aliased++
	}
	if d.aliased > maxAliased {
		if d.aliased == maxAliased+1 { // once
			d.fail(n, "aliases stand for more than %d values in this document", maxAliased)
		}
		return false
	}
	if d.depth++; d.depth > maxDepth {
		d.depth--
		return d.fail(n, "%s is nested more than %d deep", s, maxDepth)
	}
	defer func() { d.depth-- }()

	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" && v.Kind() != reflect.Interface {
		return d.fail(n, "%s has no value", s)
	}
	switch v.Type() {
	case reflect.TypeFor[Amount]():
		return d.amount(n, v, s)
	case reflect.TypeFor[Duration]():
		return d.duration(n, v, s)
	case reflect.TypeFor[BatchSoak]():
		return d.batchSoak(n, v, s)
	case reflect.TypeFor[IntOrText]():
		return d.intOrText(n, v, s)
	}
	switch v.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		ok := d.value(n, fresh.Elem(), s)
		if ok || fresh.Elem().Kind() == reflect.Struct && n.Kind == yaml.MappingNode {
			v.Set(fresh)
		}
		return ok
	case reflect.Struct:
		if n.Kind != yaml.MappingNode {
			return d.fail(n, "%s must be a mapping of fields, not %s", s, nature(n))
		}
		return d.structure(n, v)
	case reflect.Slice:
		return d.list(n, v, s)
	case reflect.Map:
		return d.mapping(n, v, s)
	case reflect.Interface:
		return d.free(n, v, s)
	}
	return d.scalar(n, v, s)
}

// structure decodes a mapping into a struct. Names in ignored are fields that somebody else has read.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, ignored ...string) bool {
	st := d.structures.of(v.Type())
	if st.position != nil {
		v.FieldByIndex(st.position).Set(reflect.ValueOf(spot{d.doc, n}.position()))
	}
	ok := v.Type() != reflect.TypeFor[Step]() || d.container(n)
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name, usable := d.key(key, seen)
		if !usable {
			ok = false
			continue
		}
		if slices.Contains(ignored, name) {
			continue
		}
		f := st.field(name)
		if f == nil {
			ok = d.unknown(n, key, append(ignored, st.names()...))
			continue
		}
		if !d.value(value, v.FieldByIndex(f.index), subject{field: f}) {
			ok = false
		}
	}
	for _, f := range st.fields {
		if _, given := seen[f.name]; f.required && !given && !d.doc.excused[n][f.name] {
			d.report.addAt(spot{d.doc, n}, "%s is missing", f.name)
			ok = false
		}
	}
	return ok
}

// key reads the key of a mapping, and notes in seen the line where it is.
func (d *decoder) key(key *yaml.Node, seen map[string]int) (string, bool) {
	if key.Kind != yaml.ScalarNode {
		return "", d.fail(key, "a field's name must be text, not %s", nature(key))
	}
	switch tag := key.ShortTag(); tag {
	case "!!str", "!!timestamp":
	case "!!merge":
		return "", d.fail(key, "merge keys (<<) are not supported: write the fields out, or use an alias for a whole value")
	default:
		return "", d.fail(key, "a field's name must be text, not %s: put %q in quotes", nature(key), key.Value)
	}
	if line, twice := seen[key.Value]; twice {
		return "", d.fail(key, "%s is given twice, first in line %d", key.Value, line)
	}
	seen[key.Value] = key.Line + d.doc.line
	return key.Value, true
}

// moved says where fields are that had another place.
var moved = map[string]string{"firstBatch": "soak.batch.first"}

func (d *decoder) unknown(n, key *yaml.Node, names []string) bool {
	if name := meansField(key.Value, names); name != "" {
		if d.doc.excused[n] == nil {
			d.doc.excused[n] = map[string]bool{}
		}
		d.doc.excused[n][name] = true
	}
	if place, ok := moved[key.Value]; ok {
		return d.fail(key, "unknown field %s: it is written as %s", key.Value, place)
	}
	return d.fail(key, "unknown field %s%s", shortened(key.Value), rule.Suggest(key.Value, names))
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, s subject) bool {
	if _, ok := v.Interface().(MatrixValues); ok && n.Kind == yaml.ScalarNode && spreadText.MatchString(n.Value) {
		v.Set(reflect.ValueOf(MatrixValues{n.Value}))
		return true
	}
	if n.Kind != yaml.SequenceNode {
		return d.fail(n, "%s must be a list, not %s", s, nature(n))
	}
	if !d.length(n, len(n.Content), s) {
		return false
	}
	ok := true
	items := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		if !d.value(item, items.Index(i), subject{field: s.field, item: true, free: s.free}) {
			ok = false
		}
	}
	v.Set(items)
	return ok
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, s subject) bool {
	if n.Kind != yaml.MappingNode {
		return d.fail(n, "%s must be a mapping, not %s", s, nature(n))
	}
	if !d.length(n, len(n.Content)/2, s) {
		return false
	}
	ok := true
	m := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, usable := d.key(n.Content[i], seen)
		if !usable {
			ok = false
			continue
		}
		if f := s.field; f.keys != nil && !f.keys.allows(name) {
			ok = d.fail(n.Content[i], "%s: the name %q %s", s, name, f.keys.complaint(name))
			continue
		}
		value := reflect.New(v.Type().Elem()).Elem()
		if !d.value(n.Content[i+1], value, subject{field: s.field, key: name, free: s.free}) {
			ok = false
		}
		m.SetMapIndex(reflect.ValueOf(name), value)
	}
	v.Set(m)
	return ok
}

func (d *decoder) length(n *yaml.Node, length int, s subject) bool {
	if s.field == nil || s.key != "" {
		return true
	}
	if length < s.field.least {
		return d.fail(n, "%s is empty: give at least %d", s, s.field.least)
	}
	if length > s.field.most {
		return d.fail(n, "%s has %d items, at most %d are allowed", s, length, s.field.most)
	}
	return true
}

// free decodes values that Sluice only passes on: mappings, lists, texts, int64, float64, bool and nil.
func (d *decoder) free(n *yaml.Node, v reflect.Value, s subject) bool {
	var value any
	ok := true
	switch {
	case s.field != nil && s.field.parts && (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode):
		return d.valueParts(n, v, s)
	case s.field != nil && s.field.scalar && (n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null"):
		return d.fail(n, "%s must be text, a number, true or false, not %s", s, nature(n))
	case n.Kind == yaml.MappingNode:
		m := map[string]any{}
		ok = d.mapping(n, reflect.ValueOf(&m).Elem(), s.inside())
		value = m
	case n.Kind == yaml.SequenceNode:
		var l []any
		ok = d.list(n, reflect.ValueOf(&l).Elem(), s.inside())
		value = l
	default:
		value, ok = d.plain(n, s)
	}
	if value != nil {
		v.Set(reflect.ValueOf(value))
	}
	return ok
}

// nature says what a node is, in the words of messages.
func nature(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return nature(target(n))
	}
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return fmt.Sprintf("the text %q", shortened(n.Value))
	case "!!int", "!!float":
		return "the number " + shortened(n.Value)
	case "!!bool":
		return n.Value
	case "!!null":
		return "empty"
	default:
		return "a value with the tag " + shortened(tag)
	}
}

func shortened(text string) string {
	if utf8.RuneCountInString(text) <= 40 {
		return text
	}
	return string([]rune(text)[:40]) + "..."
}
