package metrics

import "sync"

// names gives the first values of a label their own name, and all later ones the same. A value keeps the name that it got, so
// that counters only grow.
type names struct {
	most int

	mu    sync.Mutex
	known map[string]bool
}

func (n *names) of(value string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known[value] {
		return value
	}
	if len(n.known) >= n.most {
		return other
	}
	if n.known == nil {
		n.known = map[string]bool{}
	}
	n.known[value] = true
	return value
}
