package convert

import (
	"iter"
	"strings"

	"go.yaml.in/yaml/v4"
)

// field is a field of a mapping, and where it stands.
type field struct {
	of         string // what the mapping is, in words
	name       string
	key, value *yaml.Node
}

// fields are those of a mapping, in order. An alias of a text stands for it. What is no mapping, or is written with another alias or a
// merge, is left out and said.
func (c *converter) fields(n *yaml.Node, of string) iter.Seq[field] {
	return func(yield func(field) bool) {
		if n.Kind != yaml.MappingNode {
			c.leave(n, "%s: is no mapping", of)
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			f := field{of: of, name: n.Content[i].Value, key: n.Content[i], value: n.Content[i+1]}
			if f.value.Kind == yaml.AliasNode && f.value.Alias.Kind == yaml.ScalarNode && f.name != "<<" {
				f.value = f.value.Alias
			}
			if f.value.Kind == yaml.AliasNode || f.name == "<<" {
				c.leave(f.key, "%s: aliases of YAML are not followed: write %s out", of, f.name)
				continue
			}
			if !yield(f) {
				return
			}
		}
	}
}

// items are those of a list.
func (c *converter) items(f field) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) {
		if f.value.Kind != yaml.SequenceNode {
			c.leave(f.value, "%s: %s is no list", f.of, f.name)
			return
		}
		for _, n := range f.value.Content {
			if !yield(n) {
				return
			}
		}
	}
}

func (c *converter) unknown(f field) {
	c.leave(f.key, "%s: %s has no counterpart", f.of, f.name)
}

// text is a scalar without the white space around it. It says what is none.
func (c *converter) text(f field) (string, bool) {
	if f.value.Kind != yaml.ScalarNode {
		c.leave(f.value, "%s: %s is no text", f.of, f.name)
		return "", false
	}
	return strings.TrimSpace(f.value.Value), true
}
