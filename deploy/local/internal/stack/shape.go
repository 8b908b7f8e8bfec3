// Package stack describes a local stack: which clusters it has, which nodes,
// where its files lie and which ports it owns. It starts no process and talks
// to no server.
package stack

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxClusters is how many clusters fit into one block of ports.
	MaxClusters = 48
	// MaxNodes is how many nodes of one cluster get a pod range of their own.
	MaxNodes = 2000

	maxNameLength = 40
)

var namePattern = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)

// Pool is a number of nodes that carry the label pool=Name.
type Pool struct {
	Name  string `json:"name"`
	Nodes int    `json:"nodes"`
}

// Shape is what a person asks for: cluster names, nodes in each, and the pools
// that the first nodes of each cluster belong to. Nodes outside every pool
// belong to the pool "general".
type Shape struct {
	Clusters []string `json:"clusters"`
	Nodes    int      `json:"nodes"`
	Pools    []Pool   `json:"pools"`
}

// DefaultNames returns c1..cN.
func DefaultNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "c" + strconv.Itoa(i+1)
	}
	return names
}

// DefaultPools is one pool "canary" with a tenth of the nodes, at least one.
func DefaultPools(nodes int) []Pool {
	if nodes == 0 {
		return nil
	}
	return []Pool{{Name: "canary", Nodes: max(1, nodes/10)}}
}

// ParsePools reads "canary=4,edge=2". An empty text means no pools.
func ParsePools(text string) ([]Pool, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var pools []Pool
	for _, item := range strings.Split(text, ",") {
		name, count, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok {
			return nil, fmt.Errorf("cannot read pool %q: want NAME=NODES", item)
		}
		n, err := strconv.Atoi(count)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("cannot read pool %q: %q is not a number of nodes", item, count)
		}
		pools = append(pools, Pool{Name: name, Nodes: n})
	}
	return pools, nil
}

// Validate reports everything that is wrong with the shape.
func (s Shape) Validate() error {
	var errs []error
	if len(s.Clusters) > MaxClusters {
		errs = append(errs, fmt.Errorf("cannot run %d clusters: at most %d fit into one stack", len(s.Clusters), MaxClusters))
	}
	if s.Nodes < 0 || s.Nodes > MaxNodes {
		errs = append(errs, fmt.Errorf("cannot run %d nodes in a cluster: want 0 to %d", s.Nodes, MaxNodes))
	}
	seen := map[string]bool{}
	for _, name := range s.Clusters {
		if len(name) > maxNameLength || !namePattern.MatchString(name) {
			errs = append(errs, fmt.Errorf("cannot use cluster name %q: want lower-case letters, digits and dashes, at most %d characters",
				name, maxNameLength))
		}
		if seen[name] {
			errs = append(errs, fmt.Errorf("cannot use cluster name %q: it is given twice", name))
		}
		seen[name] = true
	}
	pooled, pools := 0, map[string]bool{}
	for _, p := range s.Pools {
		if !namePattern.MatchString(p.Name) || pools[p.Name] || p.Name == GeneralPool {
			errs = append(errs, fmt.Errorf("cannot use pool %q: want distinct lower-case names other than %q", p.Name, GeneralPool))
		}
		pools[p.Name] = true
		pooled += p.Nodes
	}
	if pooled > s.Nodes {
		errs = append(errs, fmt.Errorf("cannot put %d nodes into pools: each cluster has %d", pooled, s.Nodes))
	}
	return errors.Join(errs...)
}

// Equal tells whether two shapes ask for the same stack.
func (s Shape) Equal(o Shape) bool {
	return s.Nodes == o.Nodes && slices.Equal(s.Clusters, o.Clusters) && slices.Equal(s.Pools, o.Pools)
}

// String says the shape in a few words: "5 clusters of 40 nodes".
func (s Shape) String() string {
	switch len(s.Clusters) {
	case 0:
		return "no clusters"
	case 1:
		return fmt.Sprintf("1 cluster of %d nodes", s.Nodes)
	}
	return fmt.Sprintf("%d clusters of %d nodes", len(s.Clusters), s.Nodes)
}
