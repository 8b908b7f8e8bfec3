package rule

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
)

// Type is the type of a param.
type Type string

// The param types. A value of each is a Go string, int64, float64, bool, time.Duration, []string or map[string]string.
const (
	TypeString   Type = "string"
	TypeInt      Type = "int"
	TypeDouble   Type = "double"
	TypeBool     Type = "bool"
	TypeDuration Type = "duration"
	TypeArray    Type = "array"
	TypeObject   Type = "object"
)

// Param declares a variable that a rule reads as params.NAME. Name is an identifier. With Task it is a result of that task, which
// a rule reads as tasks.TASK.results.NAME; a name with dashes stands in backquotes.
type Param struct {
	Name string
	Type Type
	Task string
	Keys []string // of an object, where they are known: a rule that reads another is refused
}

// Params are the values of a rule's params, by name; those of results by ResultPath.
type Params = map[string]any

// ResultPath is the name under which Params have a result of a task.
func ResultPath(task, result string) string { return tasksPrefix + task + resultsPart + result }

// path is the name under which CEL knows the param.
func (p Param) path() string {
	if p.Task == "" {
		return paramsPrefix + p.Name
	}
	return ResultPath(p.Task, p.Name)
}

func (t Type) cel() *cel.Type {
	switch t {
	case TypeInt:
		return cel.IntType
	case TypeDouble:
		return cel.DoubleType
	case TypeBool:
		return cel.BoolType
	case TypeDuration:
		return cel.DurationType
	case TypeArray:
		return cel.ListType(cel.StringType)
	case TypeObject:
		return cel.MapType(cel.StringType, cel.StringType)
	}
	return cel.StringType
}

// signature identifies a set of params, whatever order they are declared in.
func signature(params []Param) string {
	sorted := slices.SortedFunc(slices.Values(params), func(a, b Param) int { return cmp.Compare(a.path(), b.path()) })
	var b strings.Builder
	for _, p := range sorted {
		b.WriteString(p.path())
		b.WriteByte(':')
		b.WriteString(string(p.Type))
		for _, key := range p.Keys {
			b.WriteString("." + key)
		}
		b.WriteByte(';')
	}
	return b.String()
}

func paramNames(params []Param) []string {
	names := make([]string, 0, len(params))
	for _, p := range params {
		if p.Task == "" {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

// ParamsOf declares params of which only the values are at hand, sorted by name.
func ParamsOf(values Params) []Param {
	params := make([]Param, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		t := TypeString
		switch values[name].(type) {
		case int64:
			t = TypeInt
		case float64:
			t = TypeDouble
		case bool:
			t = TypeBool
		case time.Duration:
			t = TypeDuration
		case []string:
			t = TypeArray
		case map[string]string:
			t = TypeObject
		}
		params = append(params, Param{Name: name, Type: t})
	}
	return params
}
