package step

import (
	"encoding/json"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// The activities of checks that are more than rules. They have workers of their own, so that they never keep what moves from
// moving.
var (
	// Ask measures checks to their end.
	Ask = checking[ChecksRequest, []api.Check]("checks.Ask")
	// Watch measures checks in the background until one does not pass.
	Watch = checking[ChecksRequest, []api.Check]("checks.Watch")
)

// ChecksRequest asks for the verdicts of checks. They are about the workloads of a unit in its cluster; without a cluster, about the
// facts.
type ChecksRequest struct {
	Ref
	Point     pipelines.Point           `json:"point"`
	Checks    []pipelines.ResolvedCheck `json:"checks"`
	Facts     rule.Facts                `json:"facts"`
	Workloads []AdvanceRequest          `json:"workloads,omitempty"`
	Changes   string                    `json:"changes,omitempty"` // of the unit, where it has no workloads; blob digest
	// instead of Checks and Workloads: blob digest of the UnitRecord of a unit that has ended
	Record string `json:"record,omitempty"`
	// Before is what an activity before this one had counted, as its heartbeats said.
	Before json.RawMessage `json:"before,omitempty"`
}

// RunCases has cases of probes run in a cluster, and answers what came of each.
var RunCases = checking[api.ProbeInput, []api.ProbedRun]("checks.RunCases")
