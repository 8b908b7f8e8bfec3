package wire

import (
	"net/http"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
)

// AtTarget narrows what is asked of a case to one of its targets.
type AtTarget struct {
	Target string `query:"target" maxLength:"253" doc:"A node, a member, a tenant."`
	Whole  bool   `query:"whole" doc:"The cluster itself, which is no target by name."`
}

// TargetOf is a target as it is asked for; nil for all of them.
func TargetOf(target *string) AtTarget {
	if target == nil {
		return AtTarget{}
	}
	return AtTarget{Target: *target, Whole: *target == ""}
}

// Named is the target that is asked for; nil for all of them.
func (a AtTarget) Named() *string {
	if a.Target == "" && !a.Whole {
		return nil
	}
	return &a.Target
}

// ProbesQuery narrows a list of what probes found.
type ProbesQuery struct {
	Paged
	AtTarget
	Cluster string `query:"cluster" maxLength:"253"`
	Case    string `query:"case" maxLength:"253"`
	Failing bool   `query:"failing" doc:"Those alone that are neither passing nor skipped; of outcomes, those that did not pass."`
}

// ProbeAsked names a case in a cluster.
type ProbeAsked struct {
	AtTarget
	Case    string `path:"case" minLength:"1" maxLength:"253"`
	Cluster string `query:"cluster" minLength:"1" maxLength:"253"`
}

// CompareQuery asks which targets of a case are unlike the others.
type CompareQuery struct {
	Case string `path:"case" minLength:"1" maxLength:"253"`
	Rule string `query:"rule" maxLength:"4096" doc:"CEL over what was observed; without it, each text and bool is to be as most have it."`
}

// NoiseQuery asks how noisy cases were.
type NoiseQuery struct {
	Case  string `query:"case" maxLength:"253"`
	Weeks int    `query:"weeks" minimum:"1" maximum:"12" default:"1" doc:"How many of the last weeks."`
}

// LabelBody is what somebody found who looked at a failure.
type LabelBody struct {
	Cluster       string `json:"cluster,omitempty" maxLength:"253" doc:"Where several clusters have a run of that name."`
	FalsePositive bool   `json:"falsePositive,omitempty" doc:"Nothing was wrong but the probe."`
	Because       string `json:"because" minLength:"1" maxLength:"4000"`
}

// Labelling labels the failure of a run.
type Labelling struct {
	Key
	Run  string `path:"run" minLength:"1" maxLength:"253"`
	Body LabelBody
}

// Of probes.
var (
	ListProbes = Operation[ProbesQuery, []engine.KnownProbe]{
		"list-probes", http.MethodGet, "/probes", "List what is known of cases at their targets, by cluster.", "probes", false}
	ListProbeOutcomes = Operation[ProbesQuery, []ledger.ProbeOutcome]{
		"list-probe-outcomes", http.MethodGet, "/probe-outcomes", "List what runs of probes came to, the newest first.", "probes", false}
	ExplainProbe = Operation[ProbeAsked, engine.ProbeExplanation]{
		"explain-probe", http.MethodGet, "/probes/{case}/explanation", "Say why a case is as it is in a cluster.", "probes", false}
	CompareProbes = Operation[CompareQuery, engine.Compared]{
		"compare-probes", http.MethodGet, "/probes/{case}/comparison", "Hold what a case observed against each other.", "probes", false}
	ListProbeNoise = Operation[NoiseQuery, []ledger.ProbeNoise]{
		"list-probe-noise", http.MethodGet, "/probe-noise", "List how noisy cases were, week by week.", "probes", false}
	LabelProbe = Operation[Labelling, ledger.ProbeOutcome]{
		"label-probe", http.MethodPost, "/probe-outcomes/{run}/label", "Say of a failure whether something was wrong.", "probes", true}
)
