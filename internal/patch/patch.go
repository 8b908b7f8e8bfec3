// Package patch works out, object by object, what has to be sent to make a live object what was rendered: the three-way
// merge of recorded, live and target, the drift that it meets, the owner it would take from, and the changes that are
// forbidden. It reads no cluster and sends nothing; it never proposes a deletion.
package patch

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// Triple is an object's three specs. Recorded is what the last successful deployment wrote, nil where there was none;
// Live is what is in the cluster, nil where it is not there; Target is what was rendered now. A nil Target is an object
// that the render no longer has: it is left alone. None of the three is changed.
//
// The way back is the same computation: Recorded is what this run wrote, Target is what was there before.
type Triple struct {
	Recorded *unstructured.Unstructured
	Live     *unstructured.Unstructured
	Target   *unstructured.Unstructured
}

// Options is what a component and a pipeline say about a change.
type Options struct {
	Component string // whose objects these are; another owner is refused
	Ignore    []pipelines.IgnoreRule
	// Drift is what becomes of fields that somebody else changed; "" is Refuse. Keep leaves them as they are, as far as
	// the target still has what they are part of.
	Drift      pipelines.DriftPolicy
	Exceptions []pipelines.Exception
	// Leave names fields, as JSON pointers, that somebody else in this program holds (a workload driver its update
	// strategy). They stay as they are live, are no drift, and are written as rendered where the object is created.
	Leave []string
	// Intents are objects as our own writes since Recorded meant to leave them. A field that is as one of them says is our
	// own half-done work, not drift.
	Intents []*unstructured.Unstructured
	// ReachesAtOnce says why a change of this object is not held back by batches; "" where it is.
	ReachesAtOnce string
	// Costs are the rules that a workload breaks where its pods move, whatever its fields become: their owner's strategy
	// cannot be kept then.
	Costs []Cost
	// Previous is the object that this one replaces under a new name (a ConfigMap under its digest). Only Text reads it.
	Previous *unstructured.Unstructured
}

// Cost is a rule that a workload breaks, and how.
type Cost struct {
	Rule api.Rule
	Why  string
}

// Action is what has to be done to an object.
type Action string

// The actions.
const (
	Create    Action = "Create"
	Patch     Action = "Patch"
	Unchanged Action = "Unchanged"
)

// Change is what has to be done to one object, and what speaks against it. It may be sent only where Refusals is empty.
type Change struct {
	Object      string          `json:"object"` // Kind/namespace/name, Kind/name
	Action      Action          `json:"action"`
	Patch       []byte          `json:"-"` // only with action Patch; holds no resourceVersion: see WithVersion
	PatchType   types.PatchType `json:"patchType,omitempty"`
	LiveVersion string          `json:"-"` // resourceVersion that Patch was computed on
	// Result is the object as it should be afterwards: the live one with the patch, or the one to create.
	Result   *unstructured.Unstructured `json:"-"`
	Fields   []FieldChange              `json:"fields,omitempty"`   // what changes, sorted by path
	Drift    []FieldChange              `json:"drift,omitempty"`    // sorted by path
	Refusals []api.Refusal              `json:"refusals,omitempty"` // sorted by rule and message
	Excepted []Excepted                 `json:"excepted,omitempty"` // refusals that an exception lets through
	Diff     string                     `json:"diff,omitempty"`     // see Text
	Adopts   bool                       `json:"adopts,omitempty"`   // live is there, and nothing of ours recorded it
	Absent   bool                       `json:"absent,omitempty"`   // the render no longer has it: left alone
}

// FieldChange is one field. Path is a JSON pointer in which an element of a keyed list is named by its key
// (/spec/template/spec/containers/agent/image), as ignore rules take it. Values are short JSON, "" where the field is
// not there, and "***" where they are secret.
type FieldChange struct {
	Path     string `json:"path"`
	Recorded string `json:"recorded,omitempty"`
	Live     string `json:"live,omitempty"`
	Target   string `json:"target,omitempty"`
	Manager  string `json:"manager,omitempty"` // field manager that wrote the live value last, where it can be told
}

// Excepted is a refusal that an exception of the pipeline lets through, for the audit.
type Excepted struct {
	api.Refusal
	Reason string `json:"reason"`
}
