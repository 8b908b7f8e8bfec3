package pulse

import (
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines/rule"
)

// looks is a pace with looks every few seconds, as a driver takes them.
type looks struct {
	pace  *Pace
	clock time.Time
}

func newLooks(deadline, settle time.Duration) *looks {
	l := &looks{clock: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	l.pace = &Pace{deadline: deadline, settle: settle, subject: "DaemonSet/infra/agent", seen: l.clock, now: step.Progress{Since: l.clock, Target: 5}}
	return l
}

func facts(updated, ready, available int64) api.Facts {
	return api.Facts{Facts: rule.Facts{
		Batch:    rule.Batch{Target: 5, Updated: updated, UpdatedReady: ready},
		Workload: rule.Workload{Generation: 2, Observed: 2, Desired: 5, UpdatedAvailable: available},
	}}
}

// see looks for a time, and returns what was said last and after how long it was stalled; 0 where it was not.
func (l *looks) see(most time.Duration, seen func(at time.Duration) api.Facts) (said step.Progress, stalled time.Duration) {
	for at := time.Duration(0); at < most; at += 5 * time.Second {
		l.clock = l.clock.Add(5 * time.Second)
		over := false
		if said, over = l.pace.Look(l.clock, seen(at)); over {
			return said, at
		}
	}
	return said, 0
}

func TestABatchIsStalledWhenNothingGetsOn(t *testing.T) {
	const deadline = 15 * time.Minute
	for _, c := range []struct {
		reason   string
		deadline time.Duration
		settle   time.Duration
		seen     func(at time.Duration) api.Facts
		from, to time.Duration // of the end; 0 for none within two hours
	}{
		{"nothing moves", deadline, 0, func(time.Duration) api.Facts { return facts(0, 0, 0) }, deadline, deadline + time.Minute},
		{"it stops half way", deadline, 0, func(at time.Duration) api.Facts {
			return facts(min(3, int64(at/(10*time.Minute))), 0, 0)
		}, 45 * time.Minute, 46 * time.Minute},
		{"a pod comes and goes: what goes up and down does not get on", deadline, 0, func(at time.Duration) api.Facts {
			return facts(3, 2+int64(at/time.Minute)%2, 2)
		}, deadline, deadline + 3*time.Minute},
		{"one pod in ten minutes is slow and not stuck", deadline, 0, func(at time.Duration) api.Facts {
			return facts(int64(at/(10*time.Minute)), 0, 0)
		}, 0, 0},
		{"all are ready, and have minReadySeconds of half an hour to go", deadline, 30 * time.Minute, func(at time.Duration) api.Facts {
			return facts(5, 5, int64(at/(40*time.Minute)))
		}, 0, 0},
		{"all are ready, and are not counted as available for ever", deadline, 0, func(time.Duration) api.Facts { return facts(5, 5, 0) }, deadline, deadline + time.Minute},
		{"there is no deadline", 0, 0, func(time.Duration) api.Facts { return facts(0, 0, 0) }, 0, 0},
	} {
		t.Run(c.reason, func(t *testing.T) {
			said, at := newLooks(c.deadline, c.settle).see(2*time.Hour, c.seen)
			if at < c.from || at > c.to || said.Stalled != (c.to > 0) {
				t.Errorf("it was stalled after %s, want %s to %s; it said %+v", at, c.from, c.to, said)
			}
		})
	}
}

func TestTimeOutOfReachDoesNotCount(t *testing.T) {
	l := newLooks(15*time.Minute, 0)
	nothing := func(time.Duration) api.Facts { return facts(1, 1, 1) }
	if _, at := l.see(10*time.Minute, nothing); at != 0 {
		t.Fatalf("it was stalled after %s", at)
	}
	l.clock = l.clock.Add(3 * time.Hour) // nobody was in touch
	if said, at := l.see(4*time.Minute, nothing); at != 0 || said.Idle > 15*time.Minute {
		t.Errorf("it was stalled %s after it was back, with %s on the clock", at, said.Idle)
	}
	if _, at := l.see(2*time.Minute, nothing); at == 0 {
		t.Error("it is not stalled after 16 minutes within reach")
	}
}

func TestWhoeverNeverLooksIsStalledToo(t *testing.T) {
	l := newLooks(2*time.Minute, 0)
	for range 60 {
		l.clock = l.clock.Add(VigilEvery)
		said, over := l.pace.Wait(l.clock)
		if !over {
			continue
		}
		if !strings.Contains(said.Note, "are the controllers of the cluster running?") || said.Idle > 3*time.Minute {
			t.Errorf("it says %q after %s", said.Note, said.Idle)
		}
		return
	}
	t.Error("it is not stalled after five minutes in which nobody looked")
}

func TestControllersThatAreAwayAreNamed(t *testing.T) {
	behind := facts(2, 2, 2)
	behind.Facts.Workload.Observed = 1
	missing := facts(2, 2, 2)
	missing.Stuck = &api.Stuck{Missing: 3}
	for _, c := range []struct {
		reason string
		seen   api.Facts
		after  time.Duration
		want   string
	}{
		{"every step is not seen for a moment", behind, 30 * time.Second, ""},
		{"its controller does not see the spec", behind, 2 * time.Minute, "the controller of DaemonSet/infra/agent has seen generation 1 of 2; are the controllers of the cluster running?"},
		{"every pod is away for a moment", missing, 30 * time.Second, ""},
		{"pods are not made anew", missing, 2 * time.Minute, "nobody makes 3 of the pods of DaemonSet/infra/agent; are the controllers of the cluster running?"},
		{"all is well", facts(2, 2, 2), 2 * time.Minute, ""},
	} {
		t.Run(c.reason, func(t *testing.T) {
			l := newLooks(time.Hour, 0)
			said, _ := l.see(c.after, func(time.Duration) api.Facts { return c.seen })
			if said.Note != c.want {
				t.Errorf("it says %q, want %q", said.Note, c.want)
			}
			if said, _ = l.see(10*time.Second, func(time.Duration) api.Facts { return facts(3, 3, 3) }); said.Note != "" {
				t.Errorf("they are back, and it says %q", said.Note)
			}
		})
	}
}

func TestAStalledBatchSaysWhatKeepsIt(t *testing.T) {
	p := step.Progress{Updated: 1, Target: 5, Stuck: &api.Stuck{Pods: []api.Pod{{Name: "agent-x", Reason: "ImagePullBackOff", Message: "no such image"}}}}
	c := Stalled(p, 15*time.Minute)
	want := "nothing got on for 15m0s: 1 of 5 pods are updated, 0 of these are ready; pod agent-x: ImagePullBackOff: no such image"
	if c.Message != want || c.Verdict != api.Inconclusive || c.Name != api.Progress {
		t.Errorf("it says %+v, want %q", c, want)
	}
}
