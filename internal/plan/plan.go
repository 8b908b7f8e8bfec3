// Package plan resolves a pipeline, a component version and a fleet into ordered units, and decides what follows from where they
// are: which go next, what a failure leads to, how fast a rollback goes and what stops it, how many nodes may be dead, which
// commands are taken. Workflows act on it and decide none of this themselves. It is pure arithmetic: it asks no cluster, no clock
// and no store, and the same inputs give the same bytes.
package plan

import (
	"cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
)

// Bounds of a plan. What exceeds them is refused, since it would leave a workflow stuck rather than failed.
const (
	MaxStageUnits = 2000       // clusters in one stage of a run
	MaxRunUnits   = 2500       // clusters in all stages of a run: what it says of each of them is one payload
	MaxTasksBytes = 256 << 10  // of what a run does beside its stages
	MaxTasksBegun = 96 << 10   // of the same as its status has it, with each combination for itself
	MaxYielding   = 48         // tasks of a run with results, each of which may take 4 KiB of its status
	MaxPlanBytes  = 1536 << 10 // of the part of a plan that one activity result carries: every stage, its units slim
)

// Plan is a pipeline for one component version on a fleet, resolved. Its hash covers everything in here; what is only
// known by looking at a cluster (nodes, sizes, live diffs) is kept beside it in Live.
type Plan struct {
	Format      int                       `json:"format"` // 1
	Subject     api.Subject               `json:"component"`
	Version     string                    `json:"version"`
	Digest      string                    `json:"digest"` // of the component version
	Pipeline    string                    `json:"pipeline"`
	Params      []pipelines.ParamValue    `json:"params,omitempty"`
	Source      Source                    `json:"source"`
	Risk        pipelines.Risk            `json:"risk"`
	MaxFailures *int                      `json:"maxFailures,omitempty"` // units that may fail; nil where only the stages bound them
	OnFailure   pipelines.OnFailure       `json:"onFailure"`
	Rollback    pipelines.RollbackMode    `json:"rollback"`
	Drift       pipelines.DriftPolicy     `json:"drift"`
	Ignore      []pipelines.IgnoreRule    `json:"ignore,omitempty"`
	Exceptions  []pipelines.Exception     `json:"exceptions,omitempty"`
	Prune       bool                      `json:"prune,omitempty"`    // take away what earlier versions left behind
	Partial     bool                      `json:"partial,omitempty"`  // it leaves out clusters that have not passed, or come after it
	Bypasses    []Bypass                  `json:"bypasses,omitempty"` // of stages that this component version has not passed
	Checks      []pipelines.ResolvedCheck `json:"checks,omitempty"`   // once a run
	Stages      []StagePlan               `json:"stages"`
	Notes       []string                  `json:"notes,omitempty"` // what people should know before they say yes

	Tasks *Tasks `json:"tasks,omitempty"` // what the run does beside its stages
}

// Source is what the objects are rendered from.
type Source struct {
	Kind          string   `json:"kind"`     // chart, manifests or probes
	Template      string   `json:"template"` // blob digest of the packed template
	Namespace     string   `json:"namespace"`
	SkipHooks     bool     `json:"skipHooks,omitempty"`
	WorkloadOrder []string `json:"workloadOrder,omitempty"`
}

// StagePlan is a stage with its units in the order in which they start.
type StagePlan struct {
	Name           string     `json:"name"`
	Skipped        string     `json:"skipped,omitempty"` // why it has no units
	Rules          StageRules `json:"rules"`
	Approvals      int        `json:"approvals,omitempty"` // people who approve before it starts
	Approvers      Approvers  `json:"approvers,omitzero"`  // who may
	MaxFailures    int        `json:"maxFailures"`         // units that may fail before the run acts
	MaxUnreachable int        `json:"maxUnreachable"`      // units that may be out of reach before the stage holds
	Groups         []Group    `json:"groups"`
	LeftOut        []LeftOut  `json:"leftOut,omitempty"` // clusters of the stage that a narrowed run leaves out
	Whole          int        `json:"whole,omitempty"`   // units of a stage that a run is narrowed in, those left out among them
	Notes          []string   `json:"notes,omitempty"`   // what people should know about this stage
}

// WholeUnits returns how many units the stage would have in a run that is not narrowed.
func (s *StagePlan) WholeUnits() int { return max(s.Whole, s.Units()) }

// Units returns how many units the stage has.
func (s *StagePlan) Units() int {
	n := 0
	for i := range s.Groups {
		n += len(s.Groups[i].Units)
	}
	return n
}

// Units returns how many units the plan has.
func (p *Plan) Units() int {
	n := 0
	for i := range p.Stages {
		n += p.Stages[i].Units()
	}
	return n
}

// NoValue is the name of the group of units that have no value of the stage's groupBy. It cannot be a label value.
const NoValue = "-"

// Group is a part of a stage that ends before the next begins. A stage without groupBy has one.
type Group struct {
	Name           string `json:"name"`                 // value of groupBy; "" where the stage has none
	FirstAlone     bool   `json:"firstAlone,omitempty"` // one unit at a time until one has succeeded
	MaxConcurrency int    `json:"maxConcurrency"`
	MaxFailures    *int   `json:"maxFailures,omitempty"` // units that may fail; nil where only the stage bounds them
	Units          []Unit `json:"units"`
}

// Unit is one cluster of a stage.
type Unit struct {
	Path          string            `json:"path"` // group/cluster
	Cluster       string            `json:"cluster"`
	Context       string            `json:"context"` // in the worker's kubeconfig
	Site          string            `json:"site,omitempty"`
	Group         string            `json:"group"`
	Environment   string            `json:"environment"`
	BusinessSide  string            `json:"businessSide,omitempty"`
	NetworkDomain string            `json:"networkDomain,omitempty"`
	Region        string            `json:"region,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Domains       []string          `json:"domains,omitempty"` // failure domains besides the cluster itself, key=value
	After         []string          `json:"after,omitempty"`   // clusters of this plan that end before it starts
	// Cluster groups whose units in this plan's stages so far end before it starts.
	AfterGroups []string `json:"afterGroups,omitempty"`
	Score       float64  `json:"score"` // risk, 0..100, rounded to two places
	Reasons     []Reason `json:"reasons"`
	Values      string   `json:"values"` // blob digest of the merged values
	Target      string   `json:"target"` // digest of template + values: what will run there
	WayBack     WayBack  `json:"wayBack"`
}

// Reason is a part of a risk score: weight x part, and what it was made of.
type Reason struct {
	Name   string  `json:"name"`
	Value  string  `json:"value"`
	Points float64 `json:"points"`
}

// The ways back of a cluster in which nothing was recorded before.
const (
	AsFound = "as found" // objects that were there get back what was changed of them, and what was made goes
	Removed = "remove"   // nothing of it was there: all of it goes
)

// WayBack is where a cluster goes back to: what ran there before this plan, or, where nothing was recorded, what was found.
type WayBack struct {
	Version string `json:"version,omitempty"`
	Target  string `json:"target,omitempty"`
	Objects string `json:"objects,omitempty"` // blob digest of the objects as written
	Run     string `json:"run,omitempty"`
	// Kind is AsFound or Removed where a look has told which, "" otherwise. It is no part of a plan, which asks no cluster.
	Kind string `json:"kind,omitempty"`
}

// Exists reports whether the way back is a version. Where it is not, it is what was found.
func (w WayBack) Exists() bool { return w.Objects != "" }

// String names the way back: a version, "as found" or "remove".
func (w WayBack) String() string {
	if w.Exists() {
		return cmp.Or(w.Version, w.Objects)
	}
	return cmp.Or(w.Kind, AsFound)
}

// StageRules are a stage's rules with nothing left open.
type StageRules struct {
	NodeSets         []pipelines.NodeSet       `json:"nodeSets"`
	Batches          []pipelines.Amount        `json:"batches"`
	MaxUnavailable   pipelines.Amount          `json:"maxUnavailable"`
	MaxBehind        *pipelines.Amount         `json:"maxBehind,omitempty"` // nil in plans from before there was one
	ProgressDeadline pipelines.Duration        `json:"progressDeadline"`
	Soak             Soak                      `json:"soak"`
	Checks           []pipelines.ResolvedCheck `json:"checks,omitempty"`
	GroupBy          string                    `json:"groupBy,omitempty"`
	Order            pipelines.Order           `json:"order"`
	MaxConcurrency   pipelines.Amount          `json:"maxConcurrency"` // as written; what it comes to stands in each Group
	MaxFailures      pipelines.Amount          `json:"maxFailures"`    // as written; what it comes to stands in the Stage
	MaxGroupFailures *pipelines.Amount         `json:"maxGroupFailures,omitempty"`
	MaxBatchFailures int                       `json:"maxBatchFailures,omitempty"`
	MaxUnreachable   pipelines.Amount          `json:"maxUnreachable"`
}

// Soak is how long it stays quiet after a batch, cluster, group and stage; 0 is not at all.
type Soak struct {
	// after the first batch of a cluster; nil where it is as after every batch
	FirstBatch *pipelines.Duration `json:"firstBatch,omitempty"`
	Batch      pipelines.Duration  `json:"batch"`
	Cluster    pipelines.Duration  `json:"cluster"`
	Group      pipelines.Duration  `json:"group"`
	Stage      pipelines.Duration  `json:"stage"`
	MinSamples int                 `json:"minSamples,omitempty"` // of each background check, before the soak of a batch is over
}

// AfterBatch is how long it stays quiet after a batch of a cluster.
func (s Soak) AfterBatch(first bool) pipelines.Duration {
	if first && s.FirstBatch != nil {
		return *s.FirstBatch
	}
	return s.Batch
}

// Live is what was seen in the clusters when a plan was made. It is not part of the hash.
type Live struct {
	Plan     string        `json:"plan"` // hash
	Clusters []ClusterDiff `json:"clusters"`
}

// ClusterDiff is what a plan would change in one cluster now.
type ClusterDiff struct {
	Cluster     string        `json:"cluster"`
	Unreachable string        `json:"unreachable,omitempty"` // why nothing could be seen; diffed at its turn
	Version     string        `json:"version,omitempty"`     // of Kubernetes
	Rendered    string        `json:"rendered,omitempty"`    // blob digest of the objects to be written
	WayBack     string        `json:"wayBack,omitempty"`     // AsFound or Removed where nothing was recorded before
	Objects     []Object      `json:"objects,omitempty"`
	Beside      []string      `json:"beside,omitempty"` // namespaces of what is not rendered and may come back, or be pruned; "" is none
	Workloads   []Division    `json:"workloads,omitempty"`
	Refusals    []api.Refusal `json:"refusals,omitempty"`
	Notes       []string      `json:"notes,omitempty"` // what people should know: no way back, reaches at once, hooks skipped
	Diff        string        `json:"diff,omitempty"`  // digest of all changes: clusters with the same one change equally
	Text        string        `json:"text,omitempty"`  // blob digest of the diff as text
}

// Object is what would happen to one object.
type Object struct {
	Object string   `json:"object"`          // Kind/namespace/name
	Action string   `json:"action"`          // create, patch, unchanged
	Drift  []string `json:"drift,omitempty"` // fields that somebody changed
}

// Division is how a workload is divided: its pods in each node set, and the batches that come of them.
type Division struct {
	Object   string         `json:"object"`          // Kind/namespace/name
	Whole    string         `json:"whole,omitempty"` // why it has one batch of all its pods, whatever the rules say
	NodeSets []NodeSetBatch `json:"nodeSets"`
	Behind   []goal.Behind  `json:"behind,omitempty"` // dead nodes, which are set aside: in no node set's pods
}

// Why a workload has one batch.
const (
	CreatedWhole = "created whole"                  // it is not there yet: all pods come at once, and no old one could suffer
	TakenDown    = "all at once: strategy Recreate" // its owner allows no two versions at once
	PodsStay     = "no pod is made anew"            // its pod template stays, and all its pods have it
)

// NodeSetBatch is a node set with the pods it has and the cumulative batches that come of them.
type NodeSetBatch struct {
	Name    string  `json:"name"`
	Pods    int     `json:"pods"`
	Batches []Batch `json:"batches"`
}

// Batch is a step of a node set. Skipped says why a step moves nothing here.
type Batch struct {
	Number  int              `json:"number"` // from 1
	Amount  pipelines.Amount `json:"amount"`
	Target  int              `json:"target"` // cumulative
	Size    int              `json:"size"`
	Skipped string           `json:"skipped,omitempty"`
}
