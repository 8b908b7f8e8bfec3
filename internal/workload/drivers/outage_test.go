package drivers_test

import (
	"context"
	"testing"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// TestUnreachableIsNoticed takes the API server away in mid-batch.
func TestUnreachableIsNoticed(t *testing.T) {
	s := newStageAlone(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	d := driverOf(t, to)
	spec := s.spec(from, to)
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	goal := batch(1, pipelines.Count(6), pipelines.Count(1))
	var stopped time.Time
	_, err := d.Advance(s.ctx, s.c, spec, state, goal, func(_ context.Context, w rule.Workload, _ rule.Batch) error {
		if w.Updated == 2 && stopped.IsZero() {
			stack(t).Run(t, "stop", "apiserver", "--cluster", s.cluster)
			stopped = time.Now()
		}
		return nil
	})
	code(t, err, fault.Unreachable)
	if took := time.Since(stopped); took > 40*time.Second {
		t.Errorf("it took %s until the API server was missed", took)
	}
	_, err = d.Facts(s.ctx, s.c, spec, state, goal)
	code(t, err, fault.Unreachable)
	stack(t).Run(t, "start", "apiserver", "--cluster", s.cluster)
	s.until("the API server is back", func() bool { return s.c.Reachable(s.ctx) == nil })
	s.until("Advance goes on", func() bool {
		_, err := d.Advance(s.ctx, s.c, spec, state, goal, nil)
		if err != nil && fault.CodeOf(err) != fault.Unreachable {
			t.Fatal(err)
		}
		return err == nil
	})
	s.quiet("2", 6)
	s.limits("2", nodes, 6, 1)
	s.once("2", 6)
}
