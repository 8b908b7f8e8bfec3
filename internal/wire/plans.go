package wire

import (
	"net/http"

	"sluice.dev/sluice/internal/engine"
)

// PlanBody asks for a plan.
type PlanBody struct {
	Sent
	Why
	Component string            `json:"component" minLength:"1" maxLength:"253"`
	Version   string            `json:"version,omitempty" maxLength:"253" doc:"Needed where the documents have several."`
	Pipeline  string            `json:"pipeline,omitempty" maxLength:"253" doc:"The component's own where there is none."`
	Params    map[string]string `json:"params,omitempty" doc:"Of the pipeline, as on a command line."`
	Only      []string          `json:"only,omitempty" maxItems:"10000" doc:"Clusters and cluster groups to narrow it to."`
	Exclude   []string          `json:"exclude,omitempty" maxItems:"10000" doc:"Clusters and cluster groups to leave out."`
}

// LintBody asks what is wrong with documents.
type LintBody struct{ Sent }

// Linted is what is wrong with documents.
type Linted struct {
	Files  int       `json:"files"` // that were read, where nothing is wrong
	Errors []Mistake `json:"errors,omitempty"`
}

// Mistake is one thing that is wrong, and where.
type Mistake struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// ByHash names a plan by its hash or the beginning of one.
type ByHash struct {
	Hash string `path:"hash" minLength:"6" maxLength:"80"`
}

// TextByDigest names a text.
type TextByDigest struct {
	Digest string `path:"digest" minLength:"71" maxLength:"71" pattern:"^sha256:[0-9a-f]{64}$"`
}

// Text is a text that is kept.
type Text struct {
	Text string `json:"text"`
}

// OfComponent narrows a list to one component.
type OfComponent struct {
	Component string `query:"component" maxLength:"253"`
}

// PlansQuery narrows a list of plans.
type PlansQuery struct {
	Paged
	OfComponent
}

// Of plans.
var (
	Lint = Operation[struct{ Body LintBody }, Linted]{
		lint, http.MethodPost, "/lint", "Say everything that is wrong with documents.", "plans", false}
	MakePlan = Operation[struct {
		Key
		Body PlanBody
	}, engine.Planned]{
		"make-plan", http.MethodPost, "/plans",
		"Resolve a component, a pipeline and the fleet into a plan, and look at every cluster of it. Nothing is changed there.", "plans", true}
	CatchUp = Operation[struct {
		Key
		Body PlanBody
	}, engine.CatchUp]{
		"catch-up", http.MethodPost, "/catch-ups",
		"Make a plan that brings clusters which were missed to the last version that went all the way.", "plans", true}
	ListPlans = Operation[PlansQuery, []engine.ListedPlan]{
		"list-plans", http.MethodGet, "/plans", "List stored plans, the newest first.", "plans", false}
	GetPlan = Operation[ByHash, engine.Planned]{
		"get-plan", http.MethodGet, "/plans/{hash}", "Get a stored plan, with what was seen in the clusters.", "plans", false}
	GetText = Operation[TextByDigest, Text]{
		"get-text", http.MethodGet, "/texts/{digest}", "Get a text of a plan, such as a diff.", "plans", false}
)
