package demo

import "strings"

// What the demo moves. Namespaces are named like the components in them.
const (
	nodeAgent  = "node-agent"
	controller = "controller"
	replicas   = 4 // of the controller

	version1     = "1.0.0"
	version2     = "2.0.0"
	crashing     = "3.0.0"
	crashingTag  = "3.0.0-crash-after-ready"
	panicking    = "3.1.0"
	panickingTag = "3.1.0-panic-logs"
	mended       = "3.2.0"

	installPipeline  = "install"
	rollPipeline     = "watched"
	approvedPipeline = "approved"
	mostUnavailable  = 25 // percent of a workload's pods, as the pipeline says

	rulesCheck = "pods-stay-healthy" // of the pipeline: stops what crashes
	logsCheck  = "no-panics"         // of the pipeline: stops what panics
)

// shape is how large the demo is. The clusters are those of the fleet in the examples.
type shape struct {
	clusters []string
	nodes    int
	canary   int  // of the nodes, in the canary pool
	all      bool // the whole fleet of the examples
}

func shapeOf(short bool) shape {
	if short {
		return shape{clusters: []string{"e2e-1", "canary-1", "prod-eu-1"}, nodes: 10, canary: 2}
	}
	return shape{clusters: []string{"e2e-1", "canary-1", "prod-eu-1", "prod-eu-2", "prod-us-1"}, nodes: 40, canary: 4, all: true}
}

// pods is how many pods a component has in each cluster.
func (s shape) pods(component string) int {
	if component == nodeAgent {
		return s.nodes
	}
	return replicas
}

// narrowing is the flags that keep a run to the clusters there are.
func (s shape) narrowing() []string {
	if s.all {
		return nil
	}
	return []string{"--only", strings.Join(s.clusters, ",")}
}
