package pipelines

// Param is a typed variable of a Pipeline or Task; a gate reads it as params.NAME.
type Param struct {
	Name        string    `json:"name" is:"identifier"`
	Type        ParamType `json:"type,omitempty"` // default array or object where default or properties are, else string
	Description string    `json:"description,omitempty"`
	// of an object: its keys, all of which have a value
	Properties map[string]Property `json:"properties,omitempty" keys:"identifier" items:"1..50"`
	// string, int64, float64, bool, time.Duration, []string or map[string]string, as Type says
	Default any `json:"default,omitempty" is:"value"`
}

// ParamType is the type of a param.
type ParamType string

// The param types, each a CEL type: an array is a list of texts, an object a map of them.
const (
	TypeString   ParamType = "string"
	TypeInt      ParamType = "int"
	TypeDouble   ParamType = "double"
	TypeBool     ParamType = "bool"
	TypeDuration ParamType = "duration"
	TypeArray    ParamType = "array"
	TypeObject   ParamType = "object"
)

func (ParamType) values() []string {
	return []string{
		string(TypeString), string(TypeInt), string(TypeDouble), string(TypeBool), string(TypeDuration), string(TypeArray), string(TypeObject),
	}
}

// ParamValue gives a param its value: a string, int64, float64, bool, time.Duration, []string or map[string]string. In a check the
// value may also be the text $(params.NAME), which passes a param of the pipeline on, or $(params.NAME[0]) and $(params.NAME.KEY), a
// part of one.
type ParamValue struct {
	Name  string `json:"name" is:"identifier"`
	Value any    `json:"value" is:"value"`
}
