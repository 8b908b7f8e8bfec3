package demo

import "strings"

// What the demo moves. Namespaces are named like the components in them.
const (
	nodeAgent  = "node-agent"
	controller = "controller"
	web        = "web"       // its pods are programs that answer
	blackBox   = "black-box" // probes
	replicas   = 4           // of the controller, and of the web

	version1     = "1.0.0"
	version2     = "2.0.0"
	crashing     = "3.0.0"
	crashingTag  = "3.0.0-crash-after-ready"
	panicking    = "3.1.0"
	panickingTag = "3.1.0-panic-logs"
	mended       = "3.2.0"
	failing      = "1.1.0" // of the web, and the tag of its image

	installPipeline  = "install"
	rollPipeline     = "watched"
	approvedPipeline = "approved"
	askedPipeline    = "asked"
	probesPipeline   = "probes"
	mostUnavailable  = 25 // percent of a workload's pods, as the pipeline says

	rulesCheck = "pods-stay-healthy"  // of the pipeline: stops what crashes
	logsCheck  = "no-panics"          // of the pipeline: stops what panics
	usersCheck = "users-are-answered" // of the web's pipeline: stops what answers with errors

	webCase = "web-answers" // a case of a probe: asks the web as its users do
	apiCase = "api-reads"   // a resident one
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

// watched are the components whose pods and objects the witness looks at.
var watched = []string{nodeAgent, controller, web}

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
