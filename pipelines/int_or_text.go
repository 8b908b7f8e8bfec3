package pipelines

import (
	"reflect"
	"strconv"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v4"
)

// IntOrText is a text that may be written as a whole number: a port, an HTTP status.
type IntOrText string

func (d *decoder) intOrText(n *yaml.Node, v reflect.Value, s subject) bool {
	if !isScalar(n, "!!int") {
		return d.text(n, v, s)
	}
	number, ok := whole(n.Value)
	if !ok {
		return d.fail(n, "%s: %s is too large", s, shortened(n.Value))
	}
	v.SetString(strconv.FormatInt(number, 10))
	return true
}

func intOrTextSchema() *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "integer"}, {Type: "string", MaxLength: new(uint64(maxText))}}}
}
