package wire

import (
	"net/http"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/report"
)

// RunBody starts a plan.
type RunBody struct {
	Why
	Plan   string `json:"plan" minLength:"6" maxLength:"80" doc:"Its hash, or the beginning of it."`
	Anyway bool   `json:"anyway,omitempty" doc:"Also where it changes nothing."`
}

// Started is a run that has started, or why there was nothing to do.
type Started struct {
	Run  *ledger.Run         `json:"run,omitempty"`
	Idle *engine.NothingToDo `json:"idle,omitempty"`
}

// RunsQuery narrows a list of runs.
type RunsQuery struct {
	Paged
	OfComponent
	Phases []string  `query:"phase" maxItems:"50"`
	After  time.Time `query:"after" doc:"Started then or later."`
	Before time.Time `query:"before" doc:"Started before that."`
}

// ByRun names a run.
type ByRun struct {
	Run string `path:"run" minLength:"1" maxLength:"300"`
}

// About asks why a part of a run waits.
type About struct {
	ByRun
	About string `query:"about" maxLength:"1000" doc:"A stage, cluster, unit or task; all of the run where it is empty."`
}

// CommandBody is what an operator asks of a run.
type CommandBody struct {
	Why
	Scope   api.Scope `json:"scope,omitzero"`
	Plan    string    `json:"plan,omitempty" maxLength:"80" doc:"approve: the hash that was read"`
	Abandon bool      `json:"abandon,omitempty" doc:"abort: also a rollback that is under way"`
	Failed  bool      `json:"failed,omitempty" doc:"retry: only what failed or was out of reach"`
	DryRun  bool      `json:"dryRun,omitempty" doc:"rollback: say what would go where, and change nothing"`
}

// Commanded is a command to a run.
type Commanded struct {
	Key
	ByRun
	Name string `path:"command" enum:"pause,resume,approve,reject,abort,rollback,retreat,skip,end-soak,retry"`
	Body CommandBody
}

// Settling ends a run that was taken back without Temporal.
type Settling struct {
	Key
	ByRun
	Body Why
}

// ReconcileBody says which of Lease and ledger to trust.
type ReconcileBody struct {
	Why
	Component string    `json:"component" minLength:"1" maxLength:"253"`
	Cluster   string    `json:"cluster" minLength:"1" maxLength:"253"`
	Trust     api.Trust `json:"trust" enum:"cluster,ledger"`
}

// Watching follows a run.
type Watching struct {
	ByRun
	Last string `header:"Last-Event-ID" maxLength:"100" doc:"What was seen last: it is not sent again."`
}

// Page is where people look at a run.
type Page struct {
	Address string `json:"address"` // in the Temporal UI; "" where it is not known
}

// Of runs.
var (
	StartRun = Operation[struct {
		Key
		Body RunBody
	}, Started]{
		"start-run", http.MethodPost, "/runs", "Start a stored plan.", "runs", true}
	ListRuns = Operation[RunsQuery, []engine.Listed]{
		"list-runs", http.MethodGet, "/runs", "List runs, the newest first.", "runs", false}
	GetRun = Operation[ByRun, engine.View]{
		"get-run", http.MethodGet, "/runs/{run}", "Get where a run is, and what it waits for.", "runs", false}
	GetBlame = Operation[ByRun, []engine.Blame]{
		"get-blame", http.MethodGet, "/runs/{run}/blame", "List what may have broken the units of a run, most likely first.", "runs", false}
	GetWhy = Operation[About, engine.Explanation]{
		"get-why", http.MethodGet, "/runs/{run}/why", "Say why a run, or a part of it, is where it is, and what would help.", "runs", false}
	GetReport = Operation[ByRun, report.Facts]{
		"get-report", http.MethodGet, "/runs/{run}/report", "Get the facts of a report about a run.", "runs", false}
	GetScales = Operation[ByRun, map[string]engine.Scale]{
		"get-scales", http.MethodGet, "/runs/{run}/scales", "Get how many batches and pods each cluster of a run has.", "runs", false}
	GetSoaks = Operation[ByRun, map[string]engine.Soaks]{
		"get-soaks", http.MethodGet, "/runs/{run}/soaks", "Get how long the groups and stages of a run soak.", "runs", false}
	GetPage = Operation[ByRun, Page]{
		"get-page", http.MethodGet, "/runs/{run}/page", "Get where the Temporal UI shows a run.", "runs", false}
	TellRun = Operation[Commanded, api.Answer]{
		"tell-run", http.MethodPost, "/runs/{run}/commands/{command}", "Tell a run what to do.", "runs", true}
	Settle = Operation[Settling, engine.Settled]{
		"settle-run", http.MethodPost, "/runs/{run}/settle", "End a run that was taken back without Temporal.", "runs", true}
	Reconcile = Operation[struct {
		Key
		Body ReconcileBody
	}, api.Reconciled]{
		"reconcile", http.MethodPost, "/reconciliations", "Say which to trust where a Lease and the ledger disagree.", "runs", false}
)

// Watch is answered as events of a server, each a view of the run: see the description.
var Watch = Operation[Watching, engine.View]{
	"watch-run", http.MethodGet, "/runs/{run}/watch", "Follow a run: a view each time that it changes, until it ends.", "runs", false}

// commands are the names of commands to runs as they are in paths.
var commands = map[string]string{api.UpdateRetreat: "retreat"}

// CommandName is how a command to a run is called in a path.
func CommandName(update string) string {
	if name, ok := commands[update]; ok {
		return name
	}
	return update
}

// CommandOf is the command to a run that a name in a path means.
func CommandOf(name string) string {
	for update, called := range commands {
		if called == name {
			return update
		}
	}
	return name
}
