package wire

import (
	"net/http"
	"time"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/permit"
)

// FreezeBody has things stand still.
type FreezeBody struct {
	Why
	Scope    api.FreezeScope `json:"scope,omitzero"`
	InFlight api.InFlight    `json:"inFlight,omitempty" enum:"PauseNow,PauseAtBoundary,Finish"`
	Until    time.Time       `json:"until,omitzero" doc:"Until when; it holds until it is lifted where there is none."`
}

// Lifting ends a freeze.
type Lifting struct {
	Key
	Name string `path:"freeze" minLength:"1" maxLength:"100"`
	Body Why
}

// FreezesQuery narrows a list of freezes.
type FreezesQuery struct {
	Paged
	Lifted bool `query:"lifted" doc:"Those too that hold no longer."`
}

// BypassBody lets a plan pass what holds it.
type BypassBody struct {
	Why
	Of  string `json:"of" minLength:"1" maxLength:"300" doc:"freeze-N or policy/NAME"`
	For string `json:"for" minLength:"1" maxLength:"300" doc:"A run, or a plan by its hash."`
}

// LetInBody lets a cluster change that waits for a limit.
type LetInBody struct {
	Why
	Run     string `json:"run" minLength:"1" maxLength:"300"`
	Cluster string `json:"cluster" minLength:"1" maxLength:"253"`
}

// Of what no pipeline may pass by.
var (
	MakeFreeze = Operation[struct {
		Key
		Body FreezeBody
	}, engine.Frozen]{
		"freeze", http.MethodPost, "/freezes", "Have everything stand still, or a part of the fleet.", "red lines", false}
	LiftFreeze = Operation[Lifting, engine.Frozen]{
		"unfreeze", http.MethodPost, "/freezes/{freeze}/lift", "Lift a freeze.", "red lines", false}
	ListFreezes = Operation[FreezesQuery, []engine.KnownFreeze]{
		"list-freezes", http.MethodGet, "/freezes", "List freezes, the newest first.", "red lines", false}
	Bypass = Operation[struct {
		Key
		Body BypassBody
	}, engine.LetPass]{
		"bypass", http.MethodPost, "/bypasses", "Let one plan pass one freeze or policy. It takes a second person.", "red lines", true}
	ListPermits = Operation[None, []permit.Permit]{
		"list-permits", http.MethodGet, "/permits", "List who may change clusters, and who waits for that.", "red lines", false}
	LetIn = Operation[struct {
		Key
		Body LetInBody
	}, permit.Permit]{
		"let-in", http.MethodPost, "/permits/let-in", "Let a cluster change that waits for a limit.", "red lines", false}
)

// ApplyBody keeps documents for the whole installation.
type ApplyBody struct {
	Sent
	Why
}

// ByKind names documents that are kept.
type ByKind struct {
	Kind string `query:"kind" maxLength:"63" doc:"All of them where it is empty."`
}

// Deleting removes a document.
type Deleting struct {
	Key
	Kind string `path:"kind" minLength:"1" maxLength:"63"`
	Name string `path:"name" minLength:"1" maxLength:"253"`
	Why  string `query:"reason" maxLength:"4000"`
}

// DrillBody starts a drill.
type DrillBody struct {
	Sent
	Why
}

// DrilledQuery narrows a list of what came of drills.
type DrilledQuery struct {
	Paged
	Drill string `query:"drill" maxLength:"253" doc:"All of them where it is empty."`
}

// Drilling is about one drill.
type Drilling[Body any] struct {
	Key
	Drill string `path:"drill" minLength:"1" maxLength:"253"`
	Body  Body
}

// DrillNow runs a drill now.
type DrillNow struct {
	Why
}

// Stopped is whether there was something to stop.
type Stopped struct {
	Was bool `json:"was"`
}

// Syncing has a Source be looked at.
type Syncing struct {
	Key
	Source string `path:"source" minLength:"1" maxLength:"253"`
	Body   SyncBody
}

// SyncBody is what is taken for the head of its branch.
type SyncBody struct {
	Accept string `json:"accept,omitempty" maxLength:"40" doc:"A commit that does not go on from the one before, and is taken all the same."`
	Why
}

// Of documents of the whole installation, of sources and of drills.
var (
	Apply = Operation[struct {
		Key
		Body ApplyBody
	}, []engine.Applied]{
		"apply", http.MethodPost, "/documents", "Keep documents for the whole installation.", "documents", true}
	ListKept = Operation[ByKind, []ledger.Kept]{
		"list-documents", http.MethodGet, "/documents", "List the documents that are kept.", "documents", false}
	Delete = Operation[Deleting, ledger.Kept]{
		"delete-document", http.MethodDelete, "/documents/{kind}/{name}", "Have a document no longer be kept.", "documents", false}
	ListSources = Operation[None, []engine.KeptSource]{
		"list-sources", http.MethodGet, "/sources", "List the sources that are kept, with how far each was followed.", "sources", false}
	SyncSource = Operation[Syncing, engine.Synced]{
		"sync-source", http.MethodPost, "/sources/{source}/sync", "Have a source be looked at now.", "sources", true}
	StartDrill = Operation[Drilling[DrillBody], engine.KeptDrill]{
		"start-drill", http.MethodPut, "/drills/{drill}", "Keep a drill, and have it run by its schedule.", "drills", true}
	StopDrill = Operation[Drilling[Why], Stopped]{
		"stop-drill", http.MethodPost, "/drills/{drill}/stop", "Have a drill run no more.", "drills", false}
	RunDrill = Operation[Drilling[DrillNow], api.Drilled]{
		"run-drill", http.MethodPost, "/drills/{drill}/run", "Run a drill now.", "drills", false}
	ListDrills = Operation[None, []engine.KeptDrill]{
		"list-drills", http.MethodGet, "/drills", "List the drills that are kept.", "drills", false}
	ListDrilled = Operation[DrilledQuery, []api.Drilled]{
		"list-drilled", http.MethodGet, "/drill-times", "List what came of drills, the newest first.", "drills", false}
)

// AuditQuery narrows the audit.
type AuditQuery struct {
	Paged
	Object string `query:"object" maxLength:"300" doc:"A run or a plan; all where it is empty."`
}

// ChangesQuery asks what has changed.
type ChangesQuery struct {
	Name  string    `path:"name" minLength:"1" maxLength:"300" doc:"A cluster, or a node."`
	Since time.Time `query:"since" required:"true"`
}

// Whether asks whether the caller may do something.
type Whether struct {
	Right       string `path:"right" enum:"view,plan,operate,approve,register,bind,enforce"`
	Component   string `query:"component" maxLength:"253" doc:"All of them where it is empty."`
	Environment string `query:"environment" maxLength:"63" doc:"All of them where it is empty."`
	Run         string `query:"run" maxLength:"300" doc:"Over what this run touches, and nothing else."`
}

// NoticesQuery narrows a list of notices.
type NoticesQuery struct {
	Paged
	Receiver string `query:"receiver" maxLength:"253"`
}

// Of what there is.
var (
	Greet = Operation[None, Greeting]{
		"greet", http.MethodGet, "", "Say what this server is.", "installation", false}
	GetLogins = Operation[None, []LoginAt]{
		"get-logins", http.MethodGet, "/logins", "List where people may log in. Nobody is asked who he is for this.", "installation", false}
	Whoami = Operation[None, Caller]{
		"whoami", http.MethodGet, "/whoami", "Say who the server takes you for.", "installation", false}
	CanI = Operation[Whether, access.Explanation]{
		"can-i", http.MethodGet, "/can-i/{right}",
		"Say whether you may do something, by which bindings, or what is missing.", "installation", false}
	ListAudit = Operation[AuditQuery, []ledger.Entry]{
		"list-audit", http.MethodGet, "/audit", "List who did what, the newest first.", "installation", false}
	ListChanges = Operation[ChangesQuery, engine.Changes]{
		"list-changes", http.MethodGet, "/changes/{name}", "List what has changed in a cluster or on a node.", "installation", false}
	ListClusters = Operation[OfComponent, []engine.Cluster]{
		"list-clusters", http.MethodGet, "/clusters", "List what runs where.", "installation", false}
	ListWorkers = Operation[None, []engine.Worker]{
		"list-workers", http.MethodGet, "/workers", "List the workers.", "installation", false}
	ListNotices = Operation[NoticesQuery, []ledger.Notice]{
		"list-notices", http.MethodGet, "/notices", "List what receivers were told, the newest first.", "installation", false}
)
