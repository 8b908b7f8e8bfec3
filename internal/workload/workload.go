// Package workload says what it is to move workloads in exact batches: what a driver promises, what it is told, and what it
// leaves in the cluster. A driver knows Kubernetes and nothing of pipelines, plans or Temporal. All truth is in the cluster: every
// method can be called again after a crash at any point and goes on from what it finds.
//
// It is a contract and moves nothing: what every driver does is in kit, what differs in a package a driver, the list of them in
// drivers. It must import none of these.
package workload

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// HeldAnnotation is on a workload from Prepare to Finish. Its value is a JSON Hold: which run holds it, and what the
// owner's own strategy was. Nothing else is kept outside the API server.
const HeldAnnotation = "sluice.dev/held"

// Spec names a workload and the two shapes that it moves between. Both are complete rendered objects under the same
// name. WayBack is nil where there is none (a first installation).
type Spec struct {
	Run string // the run that holds the workload while it moves
	// Fence is the fencing number of the Lease under which the run acts. A hold with a lower one is left over from a run
	// that has closed, or from an earlier unit of this one: it is taken over, and the owner's strategy in it kept. Any other
	// hold is a fault.Conflict.
	Fence   int64
	Target  *unstructured.Unstructured
	WayBack *unstructured.Unstructured
	// Made is the UID of the workload where Sluice made it and nothing was there before, by this run or by one that was given
	// up: without a WayBack, Revert deletes it.
	Made types.UID
	// Patch brings the live object to Target (three-way, strategic or merge as PatchType says), without any field of
	// the update strategy that the driver itself holds. Empty where only the driver's own fields change.
	Patch     []byte
	PatchType types.PatchType
	// LiveVersion is the resourceVersion on which Patch was computed; a different one is a fault.Conflict. Where
	// LiveGeneration is set as well, only a different generation is: a status that changed meanwhile does not matter.
	LiveVersion    string
	LiveGeneration int64
	// Behind are the names of the nodes that were dead when the unit began. While they are dead they are set aside: no pod of
	// theirs is chosen, and none counts. One that comes back counts again, like a node that joins.
	Behind []string
	// Living: the unit goes back. No dead node counts, whenever it died.
	Living bool
}

// ErrUnseen is why a call ended that waited for a controller which has not seen the spec of its workload.
var ErrUnseen = errors.New("are the controllers of the cluster running?")

// State and Goal are the shapes that travel between calls.
type (
	State = goal.State
	Goal  = goal.Goal
	Size  = goal.Size
)

// Look is called with fresh facts whenever something that they tell has changed, and at least every 5 seconds. A batch's
// Size is the plan's: it is left 0. An error that Look returns ends the call, and is returned as it is.
type Look func(ctx context.Context, workload rule.Workload, batch rule.Batch) error

// Cluster is what a driver reads a cluster by, and all that it can write there. It is as wide as Kubernetes' own verbs are many.
// Whoever calls the driver puts the guard of his Lease before every write.
type Cluster interface {
	kube.Reader
	kube.Writer
}

// Driver moves one kind of workload. It is wide because each call is one step of a unit that is tried again by itself; the kit
// gives them all to a driver that says what differs. All calls end early with the context's error when it is cancelled, and leave
// nothing in motion beyond pods that were already replaced. Errors are fault errors: Unreachable where the API server
// did not answer, Conflict where somebody else changed the object, Refused where the driver cannot do it safely.
type Driver interface {
	Kind() schema.GroupKind
	// Holds names the fields, as JSON pointers, that the driver itself writes while it holds a workload and that Finish
	// gives back. Spec.Patch must not touch them.
	Holds() []string
	// Rights are what the driver asks of an API server: no more, and nothing less will do.
	Rights() []Right
	// Check says why this workload cannot be moved (paused by its owner, OnDelete, replicas 0, a PodDisruptionBudget
	// that can never allow a disruption); nil where it can. It changes nothing. live is nil for a first installation.
	Check(ctx context.Context, c Cluster, spec Spec, live *unstructured.Unstructured) error
	// Costs returns what moving a live workload to the spec's target costs. The owner's strategy is the one that the workload
	// has once the run is over.
	Costs(spec Spec, live *unstructured.Unstructured) ([]Cost, error)
	// Prepare takes hold of the workload and writes Target's template so that no pod moves, in one write. A workload that
	// is not there is created whole (Created): there is no old version whose pods could suffer, but batches hold for it
	// too where the kind can do it. Prepare on a workload that this run holds already changes nothing that is right.
	Prepare(ctx context.Context, c Cluster, spec Spec) (State, error)
	// Sizes returns how many pods each node set has, first match wins, in the order of sets, and apart from them which of its
	// nodes are dead now. A workload that is not bound to nodes has all its pods in the first set, and knows no dead nodes.
	Sizes(ctx context.Context, c Cluster, spec Spec, sets []pipelines.NodeSet) ([]Size, error)
	// Advance moves pods until the goal is reached and those that moved are available against the owner's own
	// minReadySeconds; it never has more than MaxUnavailable pods down that were up, and never more at the revision than
	// the goal allows. Pods that are not ready cost no budget. It returns the facts at its end.
	//
	// A node that dies meanwhile is not waited for: what it has of the batch stays its own, counts against MaxUnavailable,
	// and is Lost in the facts. The call ends once everything else of the batch is there.
	Advance(ctx context.Context, c Cluster, spec Spec, state State, goal Goal, look Look) (rule.Facts, error)
	// Observe calls look until it returns an error or ctx ends; nothing moves.
	Observe(ctx context.Context, c Cluster, spec Spec, state State, goal Goal, look Look) error
	// Facts returns what is there now, without waiting for a change. It and Observe need no hold: a workload that was given
	// back is looked at as well, for as long as it has the template that the run left (else fault.Conflict).
	Facts(ctx context.Context, c Cluster, spec Spec, state State, goal Goal) (rule.Facts, error)
	// StuckPods tells which pods keep a workload from getting on: those at the revision of these facts that are not ready or
	// have restarted, those that do not go away, and how many nobody has made. Nil where there are none. It sees what the
	// driver's own look has seen, and so makes no request beside one. Errors are those of Facts.
	StuckPods(ctx context.Context, c Cluster, spec Spec, facts rule.Workload) (*api.Stuck, error)
	// Disarm and Arm return the state to go on with.
	//
	// Disarm gives the workload the template of before where its controller would hand Target's to recreated pods: that of
	// WayBack, or without one that which it had. Updated pods stay as they are. It goes by the hold alone: state may be empty,
	// and where the run does not hold the workload under its fence, or it is gone, there is nothing to do. Arm undoes it; a
	// workload that is gone is fault.NotFound.
	Disarm(ctx context.Context, c Cluster, spec Spec, state State) (State, error)
	Arm(ctx context.Context, c Cluster, spec Spec, state State) (State, error)
	// Retreat takes pods of a disarmed workload back to the template of before, the newest first, until no more are at Target's
	// than the goal allows. It leaves the workload disarmed. Pods of sets before the goal's stay; dead nodes are not waited for.
	// Without a version before it is fault.Refused.
	Retreat(ctx context.Context, c Cluster, spec Spec, state State, stay Goal, look Look) (rule.Facts, error)
	// Revert writes WayBack's template and moves every pod that is not at it back, at most pace pods down at once; pods
	// that are not ready are deleted at once and cost nothing. Pods on dead nodes are left to the owner's strategy: they are
	// neither waited for nor counted. It works from every state, half-prepared ones too. Only
	// what differs between Target and WayBack is taken back. Without a WayBack it deletes a workload that was made; one
	// that the run found goes back to the pod template that it had, as long as its controller keeps that, and else stays as it
	// is. A workload that is gone is back.
	Revert(ctx context.Context, c Cluster, spec Spec, state State, pace pipelines.Amount, look Look) (rule.Facts, error)
	// Finish gives the owner's strategy back and removes the hold. It refuses while pods are not where they should be
	// (back: WayBack's revision; else Target's), since giving the strategy back would move them. Those on dead nodes, and on
	// the nodes of Spec.Behind, do not keep it from that: they are left to the strategy. A workload that is gone is finished.
	Finish(ctx context.Context, c Cluster, spec Spec, state State, back bool) (State, error)
}
