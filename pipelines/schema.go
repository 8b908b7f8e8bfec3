package pipelines

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strconv"

	"github.com/invopop/jsonschema"
)

const schemaDialect = "https://json-schema.org/draft/2020-12/schema"

// Schemas returns a JSON Schema (draft 2020-12) for each kind. They accept what the loader's decoder accepts: names,
// types, formats and bounds of single fields. What fields and documents say of each other, the loader alone checks.
func Schemas() map[string][]byte {
	g := newSchemaGenerator()
	schemas := map[string][]byte{}
	for _, kind := range Kinds() {
		schema := g.kind(kind)
		schema.Version = schemaDialect
		schemas[kind] = encodeSchema(schema)
	}
	return schemas
}

// Schema returns one JSON Schema for documents of every kind, as editors want it.
func Schema() []byte {
	g := newSchemaGenerator()
	all := &jsonschema.Schema{
		Version:     schemaDialect,
		Title:       "Sluice",
		Description: "A document of Sluice: " + APIVersion,
		Definitions: jsonschema.Definitions{},
	}
	for _, kind := range Kinds() {
		schema := g.kind(kind)
		maps.Copy(all.Definitions, schema.Definitions)
		schema.Definitions = nil
		all.Definitions[kind] = schema
		all.OneOf = append(all.OneOf, &jsonschema.Schema{Ref: "#/$defs/" + kind})
	}
	return encodeSchema(all)
}

func encodeSchema(schema *jsonschema.Schema) []byte {
	data, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("cannot encode schema: %v", err)) // a schema holds texts and numbers only
	}
	return append(data, '\n')
}

// kindType is the struct of a kind.
func kindType(kind string) reflect.Type {
	switch kind {
	case KindPipeline:
		return reflect.TypeFor[Pipeline]()
	case KindTask:
		return reflect.TypeFor[Task]()
	case KindComponent:
		return reflect.TypeFor[Component]()
	case KindClusterGroup:
		return reflect.TypeFor[ClusterGroup]()
	case KindCluster:
		return reflect.TypeFor[Cluster]()
	case KindFleet:
		return reflect.TypeFor[Fleet]()
	case KindCalendar:
		return reflect.TypeFor[Calendar]()
	case KindDataSource:
		return reflect.TypeFor[DataSource]()
	case KindReceiver:
		return reflect.TypeFor[Receiver]()
	case KindPolicy:
		return reflect.TypeFor[Policy]()
	case KindGroup:
		return reflect.TypeFor[Group]()
	case KindFuse:
		return reflect.TypeFor[Fuse]()
	case KindDrill:
		return reflect.TypeFor[Drill]()
	case KindLimit:
		return reflect.TypeFor[Limit]()
	case KindBinding:
		return reflect.TypeFor[Binding]()
	case KindSource:
		return reflect.TypeFor[GitSource]()
	case KindTrigger:
		return reflect.TypeFor[Trigger]()
	case KindProbe:
		return reflect.TypeFor[Probe]()
	case KindProbeSet:
		return reflect.TypeFor[ProbeSet]()
	case KindProbeBinding:
		return reflect.TypeFor[ProbeBinding]()
	}
	return nil
}

// schemaGenerator makes schemas of the kinds' structs: the shape by reflection, the formats and bounds from the same
// tags as the decoder, the descriptions from the comments in the source.
type schemaGenerator struct {
	structures *structures
	comments   map[string]string
	types      map[string]reflect.Type // structs by name
}

func newSchemaGenerator() *schemaGenerator {
	return &schemaGenerator{structures: newStructures(), comments: comments(), types: map[string]reflect.Type{}}
}

func (g *schemaGenerator) kind(kind string) *jsonschema.Schema {
	t := kindType(kind)
	g.gather(t)
	r := &jsonschema.Reflector{
		Anonymous:      true,
		ExpandedStruct: true,
		Mapper:         mapType,
		LookupComment: func(t reflect.Type, field string) string {
			if field == "" {
				return g.comments[t.Name()]
			}
			return g.comments[t.Name()+"."+field]
		},
	}
	schema := r.ReflectFromType(t)
	schema.Version = ""
	for name, definition := range schema.Definitions {
		g.tighten(definition, g.types[name])
	}
	g.tighten(schema, t)
	if step, ok := schema.Definitions["Step"]; ok {
		inStep(step, schema.Definitions["Job"], schema.Definitions["PodLimits"])
	}
	if soak, ok := schema.Definitions["Soak"]; ok {
		orDuration(soak)
	}

	schema.Title = kind
	schema.Properties.Set("apiVersion", &jsonschema.Schema{Const: APIVersion, Description: "The version of the language."})
	schema.Properties.Set("kind", &jsonschema.Schema{Const: kind, Description: schema.Description})
	for _, name := range []string{"kind", "apiVersion"} {
		if err := schema.Properties.MoveToFront(name); err != nil {
			panic(fmt.Sprintf("cannot order schema: %v", err)) // it was set just now
		}
	}
	schema.Required = append([]string{"apiVersion", "kind"}, schema.Required...)
	return schema
}

// gather notes the structs that a type is made of.
func (g *schemaGenerator) gather(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		g.gather(t.Elem())
	case reflect.Struct:
		if _, known := g.types[t.Name()]; known || mapType(t) != nil {
			return
		}
		g.types[t.Name()] = t
		for f := range t.Fields() {
			g.gather(f.Type)
		}
	}
}

// mapType is the schema of types that are not written as Go would encode them. A new one each time: whoever asks
// adds to it.
func mapType(t reflect.Type) *jsonschema.Schema {
	switch reflect.Zero(t).Interface().(type) {
	case Amount:
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "integer", Minimum: "0", Maximum: number(maxCount)},
			{Type: "string", Pattern: `^(100|[1-9]?[0-9])%$`},
		}}
	case Duration:
		return &jsonschema.Schema{Type: "string", Pattern: durationPattern, Examples: []any{"90s", "10m", "24h", "7d"}}
	case IntOrText:
		return intOrTextSchema()
	case MatrixValues:
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "array", Items: &jsonschema.Schema{AnyOf: scalarSchemas()}, MaxItems: new(uint64(maxParts))},
			{Type: "string", Pattern: spreadText.String()},
		}}
	}
	if kind, ok := reflect.Zero(t).Interface().(enum); ok && t.Kind() == reflect.String {
		return enumeration(kind.values())
	}
	return nil
}

func enumeration(values []string) *jsonschema.Schema {
	schema := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		schema.Enum = append(schema.Enum, v)
	}
	return schema
}

func number(n float64) json.Number {
	return json.Number(strconv.FormatFloat(n, 'f', -1, 64))
}

// tighten adds the formats and bounds of a struct's fields to its schema.
func (g *schemaGenerator) tighten(schema *jsonschema.Schema, t reflect.Type) {
	if t == nil || schema.Properties == nil {
		return
	}
	if t == reflect.TypeFor[Step]() {
		oneKind(schema)
	}
	for _, f := range g.structures.of(t).fields {
		property, ok := schema.Properties.Get(f.name)
		if ok {
			tightenField(property, f, t.FieldByIndex(f.index).Type)
		}
	}
}

// oneKind says that a step is of exactly one kind.
func oneKind(schema *jsonschema.Schema) {
	for _, name := range stepFields {
		schema.OneOf = append(schema.OneOf, &jsonschema.Schema{Required: []string{name}})
	}
}

func tightenField(s *jsonschema.Schema, f field, t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if mapType(t) != nil {
		return
	}
	switch t.Kind() {
	case reflect.String:
		s.MaxLength = new(uint64(maxText))
		tightenText(s, f.is)
	case reflect.Int, reflect.Float64:
		if f.bounded {
			s.Minimum, s.Maximum = number(f.lowest), number(f.highest)
		}
	case reflect.Slice:
		s.MinItems, s.MaxItems = new(uint64(f.least)), new(uint64(f.most))
		tightenField(s.Items, field{is: f.is}, t.Elem())
	case reflect.Map:
		s.MaxProperties = new(uint64(f.most))
		if f.keys != nil {
			s.PropertyNames = &jsonschema.Schema{}
			tightenText(s.PropertyNames, f.keys)
		}
		if s.AdditionalProperties != nil && t.Elem().Kind() != reflect.Struct && t.Elem().Kind() != reflect.Map {
			tightenField(s.AdditionalProperties, f, t.Elem())
		}
	case reflect.Interface:
		if f.scalar {
			s.AnyOf = scalarSchemas()
		}
		if f.parts {
			s.AnyOf = append(s.AnyOf,
				&jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{AnyOf: scalarSchemas()}, MaxItems: new(uint64(maxParts))},
				&jsonschema.Schema{
					Type: "object", AdditionalProperties: &jsonschema.Schema{AnyOf: scalarSchemas()}, MaxProperties: new(uint64(maxParts)),
				})
		}
	}
}

func scalarSchemas() []*jsonschema.Schema {
	return []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}
}

func tightenText(s *jsonschema.Schema, f *format) {
	switch {
	case f == nil:
	case f.values != nil:
		s.Enum = enumeration(f.values).Enum
	default:
		s.Pattern = f.pattern.String()
	}
}
