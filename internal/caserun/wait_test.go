package caserun_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/caserun"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/probing"
)

// TestHowAWaitEnds: each run by its result, or by why none will come. Nothing is waited for without an end.
func TestHowAWaitEnds(t *testing.T) {
	for _, c := range []struct {
		reason string
		then   func(b *bench, a caserun.Ask)
		step   time.Duration // by which the clock goes on
		want   string
		says   string
		before *probing.Run // is there already
	}{
		{"it passes", func(b *bench, a caserun.Ask) { b.becomes(a, done(api.Passed)) }, 0, "Passed", "", nil},
		{"it fails", func(b *bench, a caserun.Ask) { b.becomes(a, done(api.Failed)) }, 0, "Failed", "", nil},
		{"it is over, and nobody says what came of it", func(b *bench, a caserun.Ask) {
			b.becomes(a, probing.RunStatus{Phase: probing.RunDone})
		}, 0, string(fault.Internal), "has ended without a result", nil},
		{"nobody serves probes", func(*bench, caserun.Ask) {}, 10 * time.Second, string(fault.Unreachable),
			"nobody has taken up ProbeRun sluice-probes/life-", nil},
		{"who serves them has others to run, for as long as it likes", func(*bench, caserun.Ask) {}, 10 * time.Second,
			string(fault.Unreachable), "has waited 10m0s behind others", another(nil)},
		{"who served others is gone too: its run is past its deadline", func(*bench, caserun.Ask) {}, 10 * time.Second,
			string(fault.Unreachable), "nobody has taken up", another(new(metav1.NewTime(time.Now().Add(-time.Hour))))},
		{"who ran it is gone", func(*bench, caserun.Ask) {}, 10 * time.Second,
			string(fault.Unreachable), "has run for 4m0s, and nobody says what came of it", running(asks("k", "")[0])},
		{"it is deleted", func(b *bench, a caserun.Ask) { b.Delete(b.All(probing.KindRun)...) }, 0, string(fault.NotFound),
			"was deleted before it had ended", nil},
		{"another one has its name", func(b *bench, a caserun.Ask) {
			o := b.All(probing.KindRun)[0]
			b.Delete(o)
			o.SetUID("another")
			b.Put(o)
		}, 0, string(fault.NotFound), "was deleted", nil},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newBench(t)
			a := asks("k", "")
			if c.before != nil {
				b.Put(kubetest.Object(t, c.before))
			}
			began := b.clock.Now()
			w := b.begin(t.Context(), a)
			c.then(b, a[0])
			ends := w.over(c.step)
			if took := b.clock.Since(began); strings.Contains(c.says, "nobody has taken up") && took > 2*caserun.Served {
				t.Errorf("it has waited for %s", took)
			}
			if w.err != nil || told(ends[0]) != c.want || c.says != "" && !strings.Contains(ends[0].Why.Error(), c.says) {
				t.Errorf("%v, %s, %v; want %s: %s", w.err, told(ends[0]), ends[0].Why, c.want, c.says)
			}
		})
	}
}

// TestARunHasAllTheTimeThatItsProberGivesIt: its image may be long in coming, and whether its node has died is not known at once.
func TestARunHasAllTheTimeThatItsProberGivesIt(t *testing.T) {
	b := newBench(t)
	a := asks("k", "")
	b.Put(kubetest.Object(t, running(a[0])))
	w := b.begin(t.Context(), a)
	const begins, told = 2 * time.Minute, 47 * time.Second // docs/prober.md
	for left := begins + a[0].Config.Spec.Timeout.Duration + told; left > 0; left -= 10 * time.Second {
		b.until("nobody waits", b.clock.HasWaiters)
		b.clock.Step(min(left, 10*time.Second))
	}
	select {
	case ends := <-w.ends:
		t.Fatalf("it is not waited for: %v", ends[0].Why)
	case <-time.After(50 * time.Millisecond):
	}
	b.becomes(a[0], done(api.Passed))
	if ends := w.over(0); ends[0].Result == nil {
		t.Errorf("it ends with %v", ends[0].Why)
	}
}

// TestWhatIsThereAlreadyIsNotMadeAgain: half of the runs are there from an attempt that was killed, one of them is over, and a name is taken.
func TestWhatIsThereAlreadyIsNotMadeAgain(t *testing.T) {
	b := newBench(t)
	all := asks("k", "n1", "n2", "n3")
	within, kill := context.WithCancel(t.Context())
	w := b.begin(within, all[:2])
	b.becomes(all[0], done(api.Passed))
	kill()
	w.over(0)
	if !errors.Is(w.err, context.Canceled) || len(b.runs()) != 2 {
		t.Fatalf("who is killed leaves %d runs, and says %v", len(b.runs()), w.err)
	}
	was := b.runs()
	b.Put(kubetest.Object(t, &probing.Run{ // by somebody who has given it the name
		TypeMeta:   metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindRun},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: all[2].Name()},
		Spec:       probing.RunSpec{Case: "life", Target: "n9", Cause: all[2].Cause},
	}))
	b.Writes()
	w = b.begin(t.Context(), all)
	b.becomes(all[1], done(api.Failed))
	ends := w.over(0)
	if got := toldAll(ends); !slices.Equal(got, []string{"Passed", "Failed", string(fault.Conflict)}) || w.err != nil {
		t.Errorf("%v, %v", got, w.err)
	}
	for _, e := range ends[:2] {
		if !slices.ContainsFunc(was, func(r *probing.Run) bool { return string(r.UID) == e.ID && r.Name == e.Name() }) {
			t.Errorf("the run for %s is another one", e.Target)
		}
	}
	if done := b.Writes(); len(done) != 0 {
		t.Errorf("it has written %v", done)
	}
}

// TestTwoWhoAskForTheSameMakeOneRun each.
func TestTwoWhoAskForTheSameMakeOneRun(t *testing.T) {
	b := newBench(t)
	all := asks("k", "n1", "n2", "n3", "n4")
	var both [2][]caserun.End
	var wg sync.WaitGroup
	for i := range both {
		c := b.Cluster() // a process of its own
		wg.Go(func() {
			var err error
			if both[i], err = b.runner.Run(t.Context(), c, all, none, nil); err != nil {
				t.Error(err)
			}
		})
	}
	b.until("not all are made", func() bool { return len(b.runs()) == len(all) })
	for _, a := range all {
		b.becomes(a, done(api.Passed))
	}
	wg.Wait()
	if n := len(b.runs()); n != len(all) {
		t.Errorf("there are %d runs", n)
	}
	for i := range all {
		if both[0][i].ID == "" || both[0][i].ID != both[1][i].ID || told(both[0][i]) != "Passed" || told(both[1][i]) != "Passed" {
			t.Errorf("they hear of %+v and %+v", both[0][i], both[1][i])
		}
	}
}

// TestWhoHasHeardEnoughWaitsNoLonger, and takes away what is open, and nothing else.
func TestWhoHasHeardEnoughWaitsNoLonger(t *testing.T) {
	b := newBench(t)
	all := asks("k", "n1", "n2", "n3")
	bad := func(ends []caserun.End) bool {
		return slices.ContainsFunc(ends, func(e caserun.End) bool { return told(e) == "Failed" })
	}
	ends := make(chan []caserun.End, 1)
	go func() {
		got, err := b.runner.Run(t.Context(), b.cluster, all, bad, nil)
		if err != nil {
			t.Error(err)
		}
		ends <- got
	}()
	b.until("not all are made", func() bool { return len(b.runs()) == len(all) })
	b.becomes(all[1], done(api.Failed))
	got := <-ends
	if !slices.Equal(toldAll(got), []string{"", "Failed", ""}) {
		t.Fatalf("%v", toldAll(got))
	}
	b.Delete(b.All(probing.KindRun)[0]) // somebody was quicker
	if err := caserun.Remove(t.Context(), b.cluster, got); err != nil {
		t.Error(err)
	}
	for _, r := range b.runs() {
		if r.Status.Phase != probing.RunDone {
			t.Errorf("%s is left", r.Name)
		}
	}
}

// TestWhatCannotBeMadeIsAnError, beside what was made.
func TestWhatCannotBeMadeIsAnError(t *testing.T) {
	b := newBench(t)
	all := asks("k", "n1", "n2", "n3", "n4")
	b.Before = func(w kubetest.Write) int {
		if w.Object == probing.KindRun+"/"+all[1].Name() {
			return http.StatusForbidden
		}
		return 0
	}
	ends, err := b.runner.Run(t.Context(), b.cluster, all, none, nil)
	if err == nil || ends[0].ID == "" || ends[1].ID != "" || len(b.runs()) != 1 {
		t.Errorf("%v, %+v, %d runs", err, ends, len(b.runs()))
	}
	b.Before, _ = nil, b.Writes()
	if err := caserun.Remove(t.Context(), b.cluster, ends); err != nil || len(b.runs()) != 0 {
		t.Errorf("%v, %d runs", err, len(b.runs()))
	}
	if asked := b.Writes(); len(asked) > 2 {
		t.Errorf("of what nobody has made it takes away %v", asked[2:])
	}
}

// TestWhereNothingIsAskedNothingIsWatched: a cluster without probes answers no watch on them.
func TestWhereNothingIsAskedNothingIsWatched(t *testing.T) {
	b := newBench(t)
	b.Forbid("proberuns")
	before := b.cluster.Requests()
	if ends, err := b.runner.Run(t.Context(), b.cluster, nil, none, nil); err != nil || len(ends) != 0 || b.cluster.Requests() != before {
		t.Errorf("%v, %v, %d requests", ends, err, b.cluster.Requests()-before)
	}
}

func (b *bench) until(what string, met func() bool) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); !met(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatal(what)
		}
	}
}

// running is the run of an ask that somebody has begun.
func running(a caserun.Ask) *probing.Run {
	r := another(nil)
	r.Name, r.Spec = a.Name(), probing.RunSpec{Case: a.Config.Name, Target: a.Target, Cause: a.Cause}
	return r
}

// another is a run that goes on beside those that are asked for.
func another(deadline *metav1.Time) *probing.Run {
	return &probing.Run{
		TypeMeta:   metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindRun},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "another"},
		Status:     probing.RunStatus{Phase: probing.RunRunning, Deadline: deadline},
	}
}
