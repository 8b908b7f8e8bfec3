package probing

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// Sample chooses n of some nodes, n between 1 and MaxSample; MaxSample where n is neither. The same key chooses the same nodes however they
// are listed, and a node that comes or goes changes one of the chosen at most. Another key is another choice: whoever wants all nodes to
// have their turn puts the time of the round into it.
func Sample(nodes []string, n int, key string) []string {
	if n < 1 || n > MaxSample {
		n = MaxSample
	}
	type drawn struct {
		node string
		lot  uint64
	}
	all := make([]drawn, 0, len(nodes))
	for _, node := range nodes {
		sum := sha256.Sum256([]byte(key + "\x00" + node))
		all = append(all, drawn{node, binary.BigEndian.Uint64(sum[:8])})
	}
	slices.SortFunc(all, func(a, b drawn) int {
		return cmp.Or(cmp.Compare(a.lot, b.lot), strings.Compare(a.node, b.node))
	})
	all = slices.Compact(all)
	chosen := make([]string, 0, min(n, len(all)))
	for _, d := range all[:min(n, len(all))] {
		chosen = append(chosen, d.node)
	}
	return chosen
}
