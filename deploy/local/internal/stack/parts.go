package stack

// The parts of a cluster, and Temporal, which a stack has one of.
const (
	Etcd              = "etcd"
	APIServer         = "apiserver"
	ControllerManager = "controller-manager"
	Scheduler         = "scheduler"
	Kwok              = "kwok"
	ProcessNode       = "node"
	Temporal          = "temporal"
)

// ClusterParts lists the parts of a cluster in the order in which they start.
var ClusterParts = [...]string{Etcd, APIServer, ControllerManager, Scheduler, Kwok, ProcessNode}

// TemporalNamespace is the namespace that Sluice works in.
const TemporalNamespace = "default"

// KubernetesVersion is the version of the modules that this program is built
// from.
const KubernetesVersion = "v1.36.3"

// NodeLeaseSeconds is how long a node counts as alive without a sign of life.
// It is long because a busy laptop must not lose its nodes.
const NodeLeaseSeconds = 120

// NodeGraceSeconds is how long the controller manager waits for a sign of life before it takes a node, and its pods, for
// not ready. It is long because an API server that is down for a while must not cost every node: simulated kubelets do
// not say that their pods are ready a second time.
const NodeGraceSeconds = 900
