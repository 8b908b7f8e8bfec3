// Package kit moves workloads of any kind: it takes hold of them, looks at their pods, waits, moves, disarms, reverts and lets go,
// once for all kinds. A pod is as it has seen it itself, by its own clock. What differs is a Kind, a package of its own. It must
// not ask which kind it has before it.
package kit

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Kind is what differs between two kinds of workloads. All else that a driver does is done here, for every kind alike. It is wide
// because it is all that there is to say about a kind: a driver says it in one place.
type Kind interface {
	Grip
	Family() Family
	// Check says why a workload that is there cannot be moved; nil where it can. Held: somebody has taken it into his hands, so
	// that its fields are not its owner's. It changes nothing.
	Check(ctx context.Context, c workload.Cluster, spec workload.Spec, live *unstructured.Unstructured, held bool) error
	// Costs tells what moving a workload takes whose owner says this in the fields that the driver holds.
	Costs(owner map[string]any) []workload.Cost
	// Sizes counts the pods of each node set, and lists its dead nodes.
	Sizes(ctx context.Context, s *Session, sets []pipelines.NodeSet) ([]workload.Size, error)
	// Mover is made for one call, and asked by that alone.
	Mover(s *Session, to Aim) Mover
}

// Grip is how a kind is taken into the driver's hands, kept still there, and let go. It sees the workload and its revisions; pods
// only where the family is OnDelete or has Nodes, and then not while it is taken or armed.
type Grip interface {
	// Grab changes the fields that the driver holds so that the desired template can be written and no pod moves.
	Grab(s *Session, desired *unstructured.Unstructured, hold *workload.Hold) error
	// Elsewhere reports whether any pod is not at the desired template.
	Elsewhere(s *Session, desired *unstructured.Unstructured) bool
	// Steady reports whether no pod is on its way. A workload that is not there, or moves nothing, is steady.
	Steady(ctx context.Context, s *Session) (bool, error)
	// Pause has the controller move no pod, whatever template stands there, and reports whether it could have moved any. It is
	// not asked of a kind that is OnDelete.
	Pause(s *Session, desired *unstructured.Unstructured, hold *workload.Hold) (bool, error)
	// Left refuses to let go of a workload some of whose pods the owner's strategy would move at once: those that are not at
	// the revision.
	Left(ctx context.Context, s *Session, live *unstructured.Unstructured, rev Revision) error
}

// Mover moves the pods of one workload.
type Mover interface {
	// Look reads what is there now, and keeps it for the other methods.
	Look(ctx context.Context) (Seen, error)
	// Intact says what somebody else has changed that pods could move by. The template, and whose the hold is, are not its
	// business.
	Intact(hold *workload.Hold) error
	// Waiting says in words what the rollout waits for, beside its pods.
	Waiting() []string
	// Step does what is to be done next about what was seen, and says for how long nothing more is. Done: the goal is reached.
	Step(ctx context.Context) (done bool, next time.Duration, err error)
}

// Seen is what was seen of a workload at one moment.
type Seen struct {
	Live  *unstructured.Unstructured // nil where it is not there
	Facts rule.Facts
	Next  time.Duration // until something may change without an event
}

// Family says what a kind is called, where its revisions are, and how its controller goes about pods.
type Family struct {
	Kind    schema.GroupVersionKind
	Plural  string
	History string // resource of the revisions, in the same group
	Decode  kube.Decode[Revision]
	Schema  any      // for strategic merges
	Holds   []string // fields of the spec that the driver holds
	// Nodes: its pods belong to nodes, and so are counted by them.
	Nodes bool
	// OnDelete: the controller gives pods that are gone to whatever template stands there, and takes none away by itself. To
	// disarm is then to write the template of before; else it is to pause.
	OnDelete bool
	// Late: the controller may keep the revision of a template with the first pod that it makes of it only.
	Late bool
	// Rights are what the kind asks of an API server itself, beside what is asked for about every kind.
	Rights []workload.Right
	// Tidy makes the owner's fields what the API server takes, once they are merged; it may be nil.
	Tidy func(fields map[string]any)
}

func (f Family) resource(plural string) schema.GroupVersionResource {
	return f.Kind.GroupVersion().WithResource(plural)
}

// Aim is where pods go.
type Aim struct {
	Revision string // that pods carry; "" where the controller has not made it known
	Template string // digest of the template that the workload must have
	Goal     workload.Goal
	back     bool
	Retreats bool // Revision is the one of before, and the goal what stays at the target's
	Created  bool // the workload was not there before: its pods come up everywhere at once
	Living   bool // no dead node counts, whenever it died; else only those of Spec.Behind do not
}

// Share is how many of total pods of a node set are to be at the revision.
func (to Aim) Share(total int) int {
	n := to.Goal.Amount.Of(total)
	if to.Retreats {
		return total - n
	}
	return n
}

// Everything is the goal of a way back: every pod, at a pace.
func Everything(pace pipelines.Amount) workload.Goal {
	return workload.Goal{
		Sets:   []pipelines.NodeSet{{Name: "all", Selector: pipelines.Selector{All: true}}},
		Number: 1, Amount: pipelines.Percent(100), MaxUnavailable: pace,
	}
}
