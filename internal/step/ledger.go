package step

import (
	"strconv"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// The activities of the ledger.
var (
	// LoadRun returns the part of a plan, named by its hash, that a run needs.
	LoadRun = vital[string, RunPlan]("ledger.LoadRun")
	// LoadUnit returns the part of a plan that one cluster needs.
	LoadUnit = ofLedger[Ref, UnitPlan]("ledger.LoadUnit")
	// SaveLive stores what was seen for a plan, and returns its blob digest.
	SaveLive = ofLedger[SaveLiveRequest, string]("ledger.SaveLive")
	// SaveUnit stores how a unit ended, and returns its blob digest.
	SaveUnit = vital[SaveUnitRequest, string]("ledger.SaveUnit")
	// NoteFailure notes that a unit stands where it failed.
	NoteFailure = vital[FailureRequest, Note]("ledger.NoteFailure")
	// SaveRun writes down how a run ended, and returns its blob digest.
	SaveRun = vital[api.RunStatus, string]("ledger.SaveRun")
	// FreezeVersion keeps what goes back from being started again, and returns what came of it.
	FreezeVersion = vital[FreezeVersionRequest, string]("ledger.FreezeVersion")
	// AddAudit writes a command down.
	AddAudit = ofLedger[AuditRequest, Note]("ledger.AddAudit")
	// Unobserved marks a cluster as out of reach.
	Unobserved = ofLedger[Ref, Note]("ledger.Unobserved")
)

// RunPlan is the part of a plan that the run itself needs.
type RunPlan struct {
	Subject     api.Subject               `json:"component"`
	Version     string                    `json:"version"`
	Pipeline    string                    `json:"pipeline"`
	MaxFailures *int                      `json:"maxFailures,omitempty"` // of the whole run
	OnFailure   pipelines.OnFailure       `json:"onFailure"`
	Rollback    pipelines.RollbackMode    `json:"rollback"`
	Origin      api.Origin                `json:"origin"`
	Checks      []pipelines.ResolvedCheck `json:"checks,omitempty"` // once a run
	Stages      []RunStage                `json:"stages"`

	Tasks  *plan.Tasks            `json:"tasks,omitempty"`  // what the run does beside its stages
	Params []pipelines.ParamValue `json:"params,omitempty"` // of the pipeline, where it has tasks
}

// RunStage is a stage without what only its units need.
type RunStage struct {
	Name           string                    `json:"name"`
	Skipped        string                    `json:"skipped,omitempty"`
	Approvals      int                       `json:"approvals,omitempty"`
	Approvers      plan.Approvers            `json:"approvers,omitzero"`
	MaxFailures    int                       `json:"maxFailures"`
	MaxUnreachable int                       `json:"maxUnreachable"`
	SoakGroup      time.Duration             `json:"soakGroup,omitempty"`
	SoakStage      time.Duration             `json:"soakStage,omitempty"`
	Looks          bool                      `json:"looks,omitempty"`     // some check looks at units while they soak
	Watches        bool                      `json:"watches,omitempty"`   // some check is measured in the background meanwhile
	MakesPods      bool                      `json:"makesPods,omitempty"` // some of these run in pods
	Checks         []pipelines.ResolvedCheck `json:"checks,omitempty"`    // of groups and the stage only
	Groups         []plan.Group              `json:"groups"`              // units without labels, reasons and digests
}

// Units returns how many units the stage has.
func (s RunStage) Units() int { return s.Stage().Units() }

// AllUnits returns the units of all its groups, in order.
func (s RunStage) AllUnits() []plan.Unit {
	var all []plan.Unit
	for _, g := range s.Groups {
		all = append(all, g.Units...)
	}
	return all
}

// Stage returns the stage as the planner's arithmetic wants it.
func (s RunStage) Stage() *plan.StagePlan {
	return &plan.StagePlan{Name: s.Name, MaxFailures: s.MaxFailures, MaxUnreachable: s.MaxUnreachable, Groups: s.Groups}
}

// UnitPlan is the part of a plan that one cluster needs.
type UnitPlan struct {
	Unit     rule.Unit              `json:"unit"`
	Change   rule.Change            `json:"change"`
	Rules    plan.StageRules        `json:"rules"`
	WayBack  plan.WayBack           `json:"wayBack"`
	Target   string                 `json:"target"`
	Rollback pipelines.RollbackMode `json:"rollback"`
	Prune    bool                   `json:"prune,omitempty"` // take away what earlier versions left behind
}

// Goal is what a workload is to be at when a batch of its division has moved.
func (p UnitPlan) Goal(w plan.Division, set int, b plan.Batch) goal.Goal {
	return goal.Goal{Sets: p.Rules.SetsOf(w), Set: set, Number: b.Number, Amount: b.Amount, MaxUnavailable: p.Rules.MaxUnavailable}
}

// Batch asks for a batch of a workload.
func (p UnitPlan) Batch(about WorkloadRequest, w plan.Division, set int, b plan.Batch) AdvanceRequest {
	req := AdvanceRequest{
		WorkloadRequest: about, Goal: p.Goal(w, set, b), Unit: p.Unit, Change: p.Change, Version: p.Change.Version,
		Size: b.Size, Target: b.Target, Total: w.NodeSets[set].Pods,
	}
	req.Unit.Path += "/" + w.NodeSets[set].Name + "/" + strconv.Itoa(b.Number)
	return req
}

// SaveLiveRequest stores what was seen for a plan, in plan order.
type SaveLiveRequest struct {
	Plan     string `json:"plan"`
	Clusters []Seen `json:"clusters"`
}

// Seen is what was seen of one cluster: the blob digest of its plan.ClusterDiff, or why nothing could be seen.
type Seen struct {
	Cluster     string `json:"cluster"`
	Digest      string `json:"digest,omitempty"`
	Unreachable string `json:"unreachable,omitempty"`
}

// UnitRecord is what is kept of a unit that has ended: its whole status, and what the soaks of its group and stage look at.
type UnitRecord struct {
	api.UnitStatus
	Soaking []AdvanceRequest          `json:"soaking,omitempty"`
	Watched []pipelines.ResolvedCheck `json:"watched,omitempty"` // checks in the background
}

// SaveUnitRequest stores the record of a unit, with which it leaves its cluster.
type SaveUnitRequest struct {
	Ref
	Record UnitRecord `json:"record"`
	At     time.Time  `json:"at,omitzero"` // it asked, by the clock of workflows
}

// FailureRequest is a unit that failed, and since when it stands there.
type FailureRequest struct {
	Ref
	At time.Time `json:"at"`
}

// FreezeVersionRequest is a run that goes back, by whom and why.
type FreezeVersionRequest struct {
	Run    string `json:"run"`
	Plan   string `json:"plan"` // hash
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// AuditRequest is a command and what came of it.
type AuditRequest struct {
	Who     string `json:"who"`
	Command string `json:"command"`
	Run     string `json:"run"`
	Scope   string `json:"scope,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Outcome string `json:"outcome"`
}
