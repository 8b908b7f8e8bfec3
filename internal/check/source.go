package check

import (
	"context"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Question is what a source is asked: one check, at one point of a unit, about what was seen of it.
type Question struct {
	Check pipelines.ResolvedCheck
	Point pipelines.Point
	Facts rule.Facts
}

// Finding is what a source makes of it. Without data it is Inconclusive, where it could not look Error; neither is a pass.
type Finding struct {
	Verdict api.Verdict
	Message string
	Seen    map[string]any // what the verdict rests on, by name
}

// Source is a kind of check. Ask returns false for a check that is of another kind. It ends with the context.
type Source interface {
	Ask(ctx context.Context, q Question) (Finding, bool)
}

// SourceFunc is a Source that is a function.
type SourceFunc func(ctx context.Context, q Question) (Finding, bool)

// Ask calls the function.
func (f SourceFunc) Ask(ctx context.Context, q Question) (Finding, bool) { return f(ctx, q) }
