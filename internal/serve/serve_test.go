package serve_test

import (
	"context"
	"errors"
	"testing"

	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/serve"
)

func TestAnErrorsCodeIsItsType(t *testing.T) {
	fail := serve.Coded(func(_ context.Context, err error) (int, error) { return 1, err })
	for _, c := range []struct {
		reason string
		err    error
		want   string
	}{
		{"a fault keeps its code", fault.New(fault.Conflict, "cannot write x"), "conflict"},
		{"an error without one is a fault of our own", errors.New("boom"), "internal"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			_, err := fail(t.Context(), c.err)
			var app *temporal.ApplicationError
			if !errors.As(err, &app) || app.Type() != c.want || app.Message() != c.err.Error() {
				t.Errorf("%#v", err)
			}
		})
	}
	if out, err := fail(t.Context(), nil); out != 1 || err != nil {
		t.Errorf("%d, %v", out, err)
	}
}

func TestACancelledActivitySaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := serve.Coded(func(ctx context.Context, _ int) (int, error) { return 0, ctx.Err() })(ctx, 0)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
