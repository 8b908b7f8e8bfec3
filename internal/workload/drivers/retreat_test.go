package drivers_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

func TestABatchGoesBackAloneAndForwardAgain(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		before := s.live(from)
		spec := s.spec(from, to)
		one, two, most := batch(1, pipelines.Count(2), pipelines.Count(2)), batch(2, pipelines.Count(5), pipelines.Count(2)), pipelines.Count(2)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, one, nil))
		kept := s.names("2")
		time.Sleep(time.Second) // the API server knows whole seconds
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, two, nil))
		_, err := d.Retreat(s.ctx, s.c, spec, state, one, nil)
		code(s.T, err, fault.Refused, "armed")
		state = must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
		for _, n := range []int64{6, 7} { // the worker dies
			_, err = d.Retreat(s.ctx, s.c, spec, state, one, whenUpdated(n))
			if !errors.Is(err, errEnough) {
				s.Fatalf("it ended with %v", err)
			}
		}
		facts := must[rule.Facts](s)(d.Retreat(s.ctx, s.c, spec, state, one, nil))
		if b := facts.Batch; b.Target != nodes-2 || b.UpdatedReady != nodes-2 {
			s.Errorf("facts are %+v", b)
		}
		s.quiet("2", 2)
		must[rule.Facts](s)(d.Retreat(s.ctx, s.c, spec, state, one, nil))
		if got := s.names("2"); d.Kind().Kind == "DaemonSet" && !slices.Equal(got, kept) {
			s.Errorf("%v have the new version still, want those of the first batch: %v", got, kept)
		}
		_, err = d.Advance(s.ctx, s.c, spec, state, two, nil)
		code(s.T, err, fault.Refused, "disarmed")
		s.deleteOne("1")
		s.until("the deleted pod is back", func() bool { return s.snapshot().Ready() == nodes })
		s.quiet("2", 2)
		s.limits("2", nodes, 5, 3)

		armed := must[workload.State](s)(d.Arm(s.ctx, s.c, spec, state))
		if armed.Template != state.Template || armed.Revision != state.Revision {
			s.Errorf("once it is armed its state is %+v, it was %+v", armed, state)
		}
		s.quiet("2", 2)
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, armed, two, nil))
		s.quiet("2", 5)
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, armed, batch(3, pipelines.Percent(100), most), nil))
		must[workload.State](s)(d.Finish(s.ctx, s.c, spec, armed, false))
		s.finished(before, to)
	})
}

func TestTheFirstBatchGoesBackAlone(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		shape = breaking(shape, nodes/2)
		from, bad := shape("1"), shape("2-never-ready")
		s.running(from, nodes)
		before := s.live(from)
		spec := s.spec(from, bad)
		none := batch(1, pipelines.Count(0), pipelines.Count(1))
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		if d.Kind().Kind == "Deployment" { // no pod of it was ever made
			must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
			must[rule.Facts](s)(d.Retreat(s.ctx, s.c, spec, state, none, nil))
			state = must[workload.State](s)(d.Arm(s.ctx, s.c, spec, state))
		}
		ctx, cancel := context.WithTimeout(s.ctx, 6*time.Second)
		_, err := d.Advance(ctx, s.c, spec, state, batch(1, pipelines.Count(3), pipelines.Count(3)), nil)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			s.Fatal(err)
		}
		state = must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
		must[rule.Facts](s)(d.Retreat(s.ctx, s.c, spec, state, none, nil)) // no budget has room, and broken pods need none
		s.quiet("1", nodes)
		s.limits("2-never-ready", nodes, 3, 3)
		facts := must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, state, pipelines.Count(1), nil))
		if facts.Workload.UpdatedAvailable != nodes {
			s.Errorf("all of it went back after its batch did: %+v", facts.Workload)
		}
		must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, true))
		s.quiet("1", nodes)
		s.wentBack(before)
	})
}

// TestARetreatIsCutShort has something else come in the middle.
func TestARetreatIsCutShort(t *testing.T) {
	t.Parallel()
	begun := func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) (workload.Spec, workload.State) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		spec := s.spec(from, to)
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(6), pipelines.Count(3)), nil))
		state = must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
		if _, err := d.Retreat(s.ctx, s.c, spec, state, batch(1, pipelines.Count(1), pipelines.Count(2)), whenUpdated(6)); !errors.Is(err, errEnough) {
			s.Fatal(err)
		}
		return spec, state
	}
	t.Run("by a rollback of all", func(t *testing.T) {
		eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
			spec, state := begun(s, d, shape)
			must[rule.Facts](s)(d.Revert(s.ctx, s.c, spec, state, pipelines.Count(2), nil))
			must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, true))
			s.quiet("1", nodes)
			s.limits("2", nodes, 6, 3)
		})
	})
	t.Run("by an abort", func(t *testing.T) {
		eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
			spec, state := begun(s, d, shape)
			state = must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
			s.calm()
			left := len(s.names("2"))
			if left == 0 || left > 6 {
				s.Errorf("%d pods have the new version", left)
			}
			s.until("all are ready", func() bool { return s.snapshot().Ready() >= nodes })
			s.quiet("2", left)
			state = must[workload.State](s)(d.Arm(s.ctx, s.c, spec, state))
			must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Percent(100), pipelines.Count(3)), nil))
			must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
			s.quiet("2", nodes)
			s.limits("2", nodes, nodes, 3)
		})
	})
}

func TestABatchOfANodeSetGoesBackAlone(t *testing.T) {
	s := newStage(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	names := s.on("1")
	sets := []pipelines.NodeSet{{Name: "first", Selector: pipelines.Selector{Names: names[:3]}}, {Name: "rest", Selector: pipelines.Selector{All: true}}}
	goal := func(set, number int, amount pipelines.Amount) workload.Goal {
		return workload.Goal{Sets: sets, Set: set, Number: number, Amount: amount, MaxUnavailable: pipelines.Count(3)}
	}
	d := driverOf(t, to)
	spec := s.spec(from, to)
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	for _, g := range []workload.Goal{goal(0, 1, pipelines.Percent(100)), goal(1, 1, pipelines.Count(4))} {
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, g, nil))
	}
	state = must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
	facts := must[rule.Facts](s)(d.Retreat(s.ctx, s.c, spec, state, goal(1, 1, pipelines.Count(0)), nil))
	if got := s.on("2"); !slices.Equal(got, names[:3]) {
		t.Errorf("%v have the new version still, want the first set: %v", got, names[:3])
	}
	if b := facts.Batch; b.NodeSet != "rest" || b.Target != nodes-3 || b.UpdatedReady != nodes-3 {
		t.Errorf("facts are %+v", b)
	}
	must[rule.Facts](s)(d.Retreat(s.ctx, s.c, spec, state, goal(0, 1, pipelines.Count(1)), nil))
	if got := s.on("2"); len(got) != 1 || !slices.Contains(names[:3], got[0]) {
		t.Errorf("%v have the new version still, want one of the first set", got)
	}
}

func TestWhatHasNoVersionBeforeHasNoBatchToTakeBack(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		s.record()
		spec := s.spec(nil, shape("1"))
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		state = must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
		_, err := d.Retreat(s.ctx, s.c, spec, state, batch(1, pipelines.Count(0), pipelines.Count(1)), nil)
		code(s.T, err, fault.Refused, "no version before")
	})
}

func TestABatchGoesBackToWhatNobodyRecorded(t *testing.T) {
	eachKind(t, func(s *stage, d workload.Driver, shape func(string) *unstructured.Unstructured) {
		from, to := shape("1"), shape("2")
		s.running(from, nodes)
		spec := s.spec(from, to)
		spec.WayBack = nil
		state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(3), pipelines.Count(3)), nil))
		state = must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
		must[rule.Facts](s)(d.Retreat(s.ctx, s.c, spec, state, batch(1, pipelines.Count(0), pipelines.Count(3)), nil))
		s.quiet("1", nodes)
		state = must[workload.State](s)(d.Arm(s.ctx, s.c, spec, state))
		must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Percent(100), pipelines.Count(3)), nil))
		must[workload.State](s)(d.Finish(s.ctx, s.c, spec, state, false))
		s.quiet("2", nodes)
	})
}

func TestARetreatWaitsForNoDeadNode(t *testing.T) {
	s := newStageAlone(t)
	from, to := s.daemonSet("1"), s.daemonSet("2")
	s.running(from, nodes)
	names := s.on("1")
	d := driverOf(t, to)
	spec := s.spec(from, to)
	state := must[workload.State](s)(d.Prepare(s.ctx, s.c, spec))
	must[rule.Facts](s)(d.Advance(s.ctx, s.c, spec, state, batch(1, pipelines.Count(4), pipelines.Count(2)), nil))
	state = must[workload.State](s)(d.Disarm(s.ctx, s.c, spec, state))
	s.kill(names[2]) // has the new version
	s.kill(names[9]) // has the old one
	s.until("the dead nodes are seen", func() bool { return s.sizes(d, spec, all())[0] == nodes-2 })
	must[rule.Facts](s)(d.Retreat(s.ctx, s.c, spec, state, batch(1, pipelines.Count(0), pipelines.Count(1)), nil))
	if got := s.on("2"); !slices.Equal(got, names[2:3]) {
		t.Errorf("%v still have the new version, want the dead node alone", got)
	}
}

// names are those of the pods that have a tag.
func (s *stage) names(tag string) []string {
	s.Helper()
	var names []string
	for _, p := range s.snapshot().Pods {
		if p.Tag() == tag && !p.Deleting {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}
