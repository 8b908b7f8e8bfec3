package step

import (
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Evaluate runs gates: the verdicts are recorded, and no rule is evaluated in workflow code. It never fails.
var Evaluate = local[EvaluateRequest, []api.Check]("gate.Evaluate")

// EvaluateRequest asks for the verdicts of checks over facts.
type EvaluateRequest struct {
	Point  pipelines.Point           `json:"point"`
	Checks []pipelines.ResolvedCheck `json:"checks"`
	Facts  rule.Facts                `json:"facts"`
}
