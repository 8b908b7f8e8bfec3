package pipelines

import "slices"

// cycles finds every knot in "after" among the nodes: in each, the first node in the given order starts the cycle
// and ends it again. Names in after that are no nodes are passed over. The result depends on the order of nodes and
// after alone.
func cycles(nodes []string, after func(string) []string) [][]string {
	const (
		open = 1
		done = 2
	)
	state := make(map[string]int, len(nodes))
	known := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		known[n] = true
	}
	var path []string
	var found [][]string
	var visit func(string)
	visit = func(n string) {
		state[n] = open
		path = append(path, n)
		for _, next := range after(n) {
			switch {
			case !known[next] || state[next] == done:
			case state[next] == open:
				cycle := slices.Clone(path[slices.Index(path, next):])
				found = append(found, append(cycle, next))
			default:
				visit(next)
			}
		}
		path = path[:len(path)-1]
		state[n] = done
	}
	for _, n := range nodes {
		if state[n] == 0 {
			visit(n)
		}
	}
	return found
}

// ordered sorts nodes so that each comes after those that it names, otherwise in the given order. Nodes of a cycle,
// and what comes after them, are left out.
func ordered(nodes []string, after func(string) []string) []string {
	placed := make(map[string]bool, len(nodes))
	result := make([]string, 0, len(nodes))
	for {
		i := slices.IndexFunc(nodes, func(n string) bool {
			return !placed[n] && !slices.ContainsFunc(after(n), func(a string) bool { return !placed[a] && slices.Contains(nodes, a) })
		})
		if i < 0 {
			return result
		}
		placed[nodes[i]] = true
		result = append(result, nodes[i])
	}
}
