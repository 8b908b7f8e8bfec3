package pipelines

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// field is what a struct field of a kind accepts. It is read from the field's tags: json for the name and whether it
// may be left out, is and keys for formats, range for numbers, items for the length of lists and maps.
type field struct {
	name     string
	index    []int
	required bool
	is       *format // of the text, or of each text in a list or map
	keys     *format // of a map's keys
	scalar   bool    // an any that holds a text, number or bool
	parts    bool    // or, beside that, a list or mapping of them
	bounded  bool    // whether lowest and highest hold
	lowest   float64
	highest  float64
	least    int // items
	most     int
}

// Bounds that hold where a field has none of its own.
const (
	maxItems = 10_000
	maxText  = 4_096 // characters
)

// structure is the fields of a struct type, those of inlined structs among them.
type structure struct {
	fields   []field
	position []int // index of a field of type Position, or nil
}

func (s *structure) field(name string) *field {
	for i := range s.fields {
		if s.fields[i].name == name {
			return &s.fields[i]
		}
	}
	return nil
}

func (s *structure) names() []string {
	names := make([]string, 0, len(s.fields))
	for _, f := range s.fields {
		names = append(names, f.name)
	}
	return names
}

// structures reads the tags of struct types, each once.
type structures struct {
	formats map[string]*format
	known   map[reflect.Type]*structure
}

func newStructures() *structures {
	return &structures{formats: formats(), known: map[reflect.Type]*structure{}}
}

func (s *structures) of(t reflect.Type) *structure {
	if known, ok := s.known[t]; ok {
		return known
	}
	st := &structure{}
	for f := range t.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Type == reflect.TypeFor[Position]():
			st.position = f.Index
		case tag == "-":
		case f.Anonymous:
			for _, inner := range s.of(f.Type).fields {
				inner.index = append([]int{f.Index[0]}, inner.index...)
				st.fields = append(st.fields, inner)
			}
		default:
			st.fields = append(st.fields, s.read(t, f, tag))
		}
	}
	s.known[t] = st
	return st
}

func (s *structures) read(t reflect.Type, f reflect.StructField, name string) field {
	out := field{
		name:     name,
		index:    f.Index,
		required: !strings.Contains(f.Tag.Get("json"), ",omitempty"),
		most:     maxItems,
	}
	out.is, out.scalar = s.format(t, f, "is")
	out.parts = f.Tag.Get("is") == "value"
	out.keys, _ = s.format(t, f, "keys")
	if low, high, ok := strings.Cut(f.Tag.Get("range"), ".."); ok {
		out.bounded, out.lowest, out.highest = true, mustNumber(low), mustNumber(high)
	}
	if least, most, ok := strings.Cut(f.Tag.Get("items"), ".."); ok {
		out.least, out.most = int(mustNumber(least)), int(mustNumber(most))
	}
	return out
}

func (s *structures) format(t reflect.Type, f reflect.StructField, tag string) (is *format, scalar bool) {
	name := f.Tag.Get(tag)
	if name == "" {
		return nil, false
	}
	is, ok := s.formats[name]
	if !ok {
		panic(fmt.Sprintf("%s.%s: there is no format %q", t, f.Name, name))
	}
	return is, is == nil
}

// mustNumber panics on a tag of this package that is no number: any test that loads a document finds it.
func mustNumber(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return n
}
