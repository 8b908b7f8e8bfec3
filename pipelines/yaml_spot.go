package pipelines

import (
	"slices"

	"go.yaml.in/yaml/v4"
)

// spot is a node of a document, found again by the path of fields that leads to it.
type spot struct {
	doc  *document
	node *yaml.Node
}

func (d *document) spot() spot {
	return spot{d, d.root}
}

// at goes down by field names and list indices. Where the way ends early, the place is where it ended: what is
// missing is reported at what should hold it.
func (p spot) at(path ...any) spot {
	for _, step := range path {
		next := p.child(step)
		if next == nil {
			return p
		}
		p.node = next
	}
	return p
}

// key is the place of a field's name, for errors about the name and not its value.
func (p spot) key(name string) spot {
	if n := target(p.node); n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return spot{p.doc, n.Content[i]}
			}
		}
	}
	return p
}

// has reports whether the mapping at the place holds a field, or one that was surely meant to be it.
func (p spot) has(field string) bool {
	return p.child(field) != nil || p.doc.excused[target(p.node)][field]
}

func (p spot) child(step any) *yaml.Node {
	n := target(p.node)
	switch step := step.(type) {
	case string:
		if n.Kind != yaml.MappingNode {
			return nil
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1]
			}
		}
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return n.Content[step]
		}
	}
	return nil
}

func (p spot) position() Position {
	return Position{p.doc.source.Name, p.node.Line + p.doc.line, p.node.Column}
}

// item is the place of the first item of a list of texts that equals value.
func (p spot) item(value string) spot {
	n := target(p.node)
	i := slices.IndexFunc(n.Content, func(c *yaml.Node) bool { return target(c).Value == value })
	if n.Kind != yaml.SequenceNode || i < 0 {
		return p
	}
	return spot{p.doc, n.Content[i]}
}

// target is the node itself, or the one that an alias stands for.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// bad reports whether what stands at the place is wrong by itself.
func (p spot) bad() bool {
	return p.doc.bad[p.node] || p.doc.bad[target(p.node)]
}

// flawed reports whether the place or something right below it is wrong by itself, so that what seems to be missing
// there may not be.
func (p spot) flawed() bool {
	return p.bad() || slices.ContainsFunc(target(p.node).Content, func(n *yaml.Node) bool { return spot{p.doc, n}.bad() })
}

// addAt reports an error about a place, unless what stands there is known to be wrong already.
func (r *report) addAt(p spot, format string, args ...any) {
	if p.bad() {
		return
	}
	r.add(p.position(), format, args...)
}
