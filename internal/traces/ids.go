package traces

import (
	"context"
	"crypto/rand"
	"crypto/sha256"

	"go.opentelemetry.io/otel/trace"
)

// ids gives spans their IDs. That of a workflow follows from its execution, so that whoever takes it up after another one died says the
// same: activities that have begun already know it.
type ids struct{}

type (
	fixedKey struct{}
	fixed    struct {
		trace trace.TraceID
		span  trace.SpanID
	}
)

// ofWorkflow are the IDs of a workflow whose first execution has this run ID: that of its trace, where nobody began one, and that of its
// span.
func ofWorkflow(id, firstRunID string) fixed {
	sum := sha256.Sum256([]byte("sluice.dev/traces " + firstRunID + " " + id))
	var f fixed
	copy(f.trace[:], sum[:])
	copy(f.span[:], sum[len(f.trace):])
	return f
}

// with has the next span that is begun under ctx have these IDs.
func (f fixed) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, fixedKey{}, f)
}

// NewIDs are those of a span that begins a trace.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	f, ok := ctx.Value(fixedKey{}).(fixed)
	if !ok {
		_, _ = rand.Read(f.trace[:]) // it never fails
		_, _ = rand.Read(f.span[:])
	}
	return f.trace, f.span
}

// NewSpanID is that of a span in a trace that has begun.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	f, ok := ctx.Value(fixedKey{}).(fixed)
	if !ok {
		_, _ = rand.Read(f.span[:])
	}
	return f.span
}
