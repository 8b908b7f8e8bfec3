package pipelines

// Param is a typed variable of a Pipeline or Task; a gate reads it as params.NAME.
type Param struct {
	Name        string    `json:"name" is:"identifier"`
	Type        ParamType `json:"type,omitempty"` // default string
	Description string    `json:"description,omitempty"`
	Default     any       `json:"default,omitempty" is:"scalar"` // string, int64, float64, bool or time.Duration, as Type says
}

// ParamType is the type of a param.
type ParamType string

// The param types, each a CEL type.
const (
	TypeString   ParamType = "string"
	TypeInt      ParamType = "int"
	TypeDouble   ParamType = "double"
	TypeBool     ParamType = "bool"
	TypeDuration ParamType = "duration"
)

func (ParamType) values() []string {
	return []string{string(TypeString), string(TypeInt), string(TypeDouble), string(TypeBool), string(TypeDuration)}
}

// ParamValue gives a param its value: a string, int64, float64, bool or time.Duration. In a check the value may also
// be the text $(params.NAME), which passes a param of the pipeline on.
type ParamValue struct {
	Name  string `json:"name" is:"identifier"`
	Value any    `json:"value" is:"scalar"`
}
