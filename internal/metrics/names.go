package metrics

import "sync"

// names gives the first values of a label their own name, and all later ones the same. A value keeps the name that it got, so
// that counters only grow.
type names struct {
	most int

	mu    sync.Mutex
	known map[string]bool
	full  bool // somebody got the shared name
}

// of is the name of a value, and whether it is given for the first time.
func (n *names) of(value string) (name string, first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known[value] {
		return value, false
	}
	if len(n.known) >= n.most {
		first, n.full = !n.full, true
		return other, first
	}
	if n.known == nil {
		n.known = map[string]bool{}
	}
	n.known[value] = true
	return value, true
}
