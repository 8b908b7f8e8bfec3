package check

import (
	"context"
	"encoding/json"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// Question is what a source is asked: one measurement of one step of a check, at one point, about what was seen.
type Question struct {
	Step   pipelines.ResolvedStep // with the values of names in its texts
	Params rule.Params
	Point  pipelines.Point
	Facts  rule.Facts
	// Key is the same whenever the same measurement is asked for again, after a crash for one. What a source makes is named
	// after it.
	Key   string
	Began time.Time       // when the step was measured first
	Kept  json.RawMessage // what the source kept at the measurement before this one; nil at the first
	// TaskRun is what people of Tekton call that of which the step is one, "" where there is none; Retry how often it was tried before.
	TaskRun string
	Retry   int
	Place   *Place // nil where the question is about no cluster: at a group, a stage, the run

	targets *targets // whom a probe asks that has a target
}

// Finding is what a source makes of it. Without data it is Inconclusive, where it could not look Error; neither is a pass.
type Finding struct {
	Verdict api.Verdict
	Message string
	Seen    map[string]any  // what the verdict rests on, by name
	Results Results         // what steps after it read
	Keep    json.RawMessage // at most 16 KiB, for the next measurement; nil leaves what was kept
	// Again is set where nothing is to be judged yet: the source is asked once more at that time, and this measurement counts
	// nowhere. Message says what is waited for.
	Again time.Time
}

// Source is a kind of check. It is asked for one measurement, beside others of its kind, and ends with the context.
type Source interface {
	Ask(ctx context.Context, q Question) Finding
}

// SourceFunc is a Source that is a function.
type SourceFunc func(ctx context.Context, q Question) Finding

// Ask calls the function.
func (f SourceFunc) Ask(ctx context.Context, q Question) Finding { return f(ctx, q) }

// Sources are the kinds of checks that can be asked, by the name of the step's field.
type Sources map[string]Source
