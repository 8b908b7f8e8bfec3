package probing

import (
	"slices"
	"strings"
)

// KeyOf is the key of an event for what is run about one of its nodes. It is the same however many nodes are told of at once, so that
// whoever begins anew and puts them together otherwise does not run a case of nodes twice.
func (e Event) KeyOf(node string) string {
	if i := slices.Index(e.Nodes, node); i >= 0 && i < len(e.NodeKeys) {
		return e.NodeKeys[i]
	}
	return e.Key
}

// Together is one key for several, in whatever order they come: that of the one where there is but one.
func Together(keys []string) string {
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	if len(keys) == 1 {
		return keys[0]
	}
	return digest(keys...)
}

// KeyFor is the key of what has come to be what it is: the kind of the event, and what is the same after a restart.
func KeyFor(kind EventKind, of ...string) string {
	return string(kind) + "/" + strings.Join(of, "/")
}
