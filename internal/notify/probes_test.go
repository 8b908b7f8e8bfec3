package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/notify"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/pipelines"
)

// ward is a site whose receiver hears of probes, and what its clusters say of them.
type ward struct {
	*site
	results int
}

func newWard(t *testing.T) *ward {
	w := &ward{site: newSite(t)}
	w.Receivers["pager"].Spec.Probes = &pipelines.ProbesHeard{}
	return w
}

// says has a cluster say what a case is, since now.
func (w *ward) says(cluster, probeCase string, state probing.State, change ...func(*probing.Stand)) {
	w.t.Helper()
	w.results++
	now := w.clock.Now()
	st := probing.Stand{
		Cluster: cluster, Case: probeCase, State: state, Since: now, Severity: "P1", Owner: "team-node",
		Enforcement: probing.Enforcement{Mode: probing.Enforcing}, Until: now.Add(6 * time.Hour),
		Schedule: probing.Schedule{Every: metav1.Duration{Duration: 5 * time.Minute}},
		Last:     &probing.Outcome{ID: fmt.Sprint("r", w.results), Ended: now, Result: probing.Result{Message: "no pod within 30s"}},
	}
	for _, c := range change {
		c(&st)
	}
	if err := w.ledger.SaveSaid(w.t.Context(), []probing.Said{{Cluster: cluster, At: now, Stands: []probing.Stand{st}}}, now); err != nil {
		w.t.Fatal(err)
	}
}

// passes lets time pass, with looks as often as a worker looks.
func (w *ward) passes(d time.Duration) {
	w.t.Helper()
	for end := w.clock.Now().Add(d); ; {
		if err := w.LookAtProbes(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		if !w.clock.Now().Before(end) {
			return
		}
		w.clock.Step(5 * time.Second)
	}
}

// hears lets time pass, and holds what is told against what should be: event and what it is about.
func (w *ward) hears(reason string, d time.Duration, want ...string) {
	w.t.Helper()
	w.passes(d)
	w.clock.Step(time.Second)
	var heard []string
	w.inbox.answer = func(http.ResponseWriter, *http.Request) {
		e := w.heard()
		heard = append(heard, string(e.Event)+" "+e.Probes.About)
	}
	for told := true; told; {
		var err error
		if told, err = w.Tell(w.t.Context(), "pager"); err != nil {
			w.t.Fatal(err)
		}
	}
	w.inbox.answer = nil
	if !slices.Equal(heard, want) {
		w.t.Errorf("%s: it hears %q, and not %q", reason, heard, want)
	}
}

// heard is what was told last.
func (w *ward) heard() (e notify.Event) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.inbox.last), &e); err != nil {
		w.t.Fatal(err)
	}
	return e
}

func TestATurnIsToldOnce(t *testing.T) {
	w := newWard(t)
	w.says("c1", "node-life", probing.Passing)
	w.hears("it passes, as it always did", time.Hour)
	w.says("c1", "node-life", probing.Failing, func(s *probing.Stand) { s.Target = "n1" })
	w.says("c1", "node-life", probing.Failing, func(s *probing.Stand) { s.Target = "n2" })
	w.hears("so soon others may follow", 5*time.Second)
	w.hears("it fails", 10*time.Second, "probeFailing node-life in c1")
	first := w.heard()
	got := first.Probes.Turns
	want := []notify.Turn{{
		Case: "node-life", Cluster: "c1", State: probing.Failing, Since: noon.Add(time.Hour + time.Second), Target: "n1", Targets: 2, Severity: "P1",
		Owner: "team-node", Enforcing: true, Run: "r2", Says: "no pod within 30s",
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(notify.Turn{})); diff != "" || first.Clusters != 1 || first.Run != "" {
		t.Errorf("it hears %s: %s", w.inbox.last, diff)
	}
	w.says("c1", "node-life", probing.Failing, func(s *probing.Stand) { s.Target = "n3" })
	w.hears("it fails at one more", time.Hour)
	for _, node := range []string{"n1", "n2", "n3"} {
		w.says("c1", "node-life", probing.Passing, func(s *probing.Stand) { s.Target = node })
	}
	w.hears("it passes again", 15*time.Second, "probeResolved node-life in c1")
	if over := w.heard().Probes.Turns[0]; over.State != probing.Passing || over.Was != probing.Failing || over.Owner != "team-node" {
		t.Errorf("it hears %+v", over)
	}
	w.hears("and that is all", 2*time.Hour)
	if list := w.listed(); len(list) != 2 || list[0].Run != "probes" || list[0].About != "node-life in c1" {
		t.Errorf("it is listed as %+v", list)
	}
	if turns, _, err := w.ledger.ListProbeTurns(t.Context()); err != nil || len(turns) != 0 {
		t.Errorf("what is over is remembered: %+v, %v", turns, err)
	}
}

func TestWhoDiesTellsNoTurnTwice(t *testing.T) {
	w := newWard(t)
	w.says("c1", "etcd", probing.Failing)
	w.passes(10 * time.Second)
	other := w.worker(w.Receivers["pager"])
	other.Receivers["pager"].Spec.Probes = &pipelines.ProbesHeard{}
	w.Notifier = other
	w.hears("the one that noticed it has died, and another one tells it", time.Minute, "probeFailing etcd in c1")
	w.Notifier = w.worker(w.Receivers["pager"])
	w.hears("a third one finds it noticed", 10*time.Minute)
}

// A worker looks at probes by itself, as it does at runs.
func TestAWorkerLooksAtProbes(t *testing.T) {
	w := newWard(t)
	w.says("c1", "etcd", probing.Failing)
	ctx, end := context.WithCancel(t.Context())
	var done sync.WaitGroup
	defer done.Wait()
	defer end()
	done.Go(func() { w.Keep(ctx, slog.New(slog.DiscardHandler)) })
	for deadline := time.Now().Add(20 * time.Second); len(w.inbox.take()) == 0; time.Sleep(5 * time.Millisecond) {
		w.clock.Step(time.Second)
		if time.Now().After(deadline) {
			t.Fatal("the receiver was not told")
		}
	}
}

func TestTwoWhoLookQueueATurnOnce(t *testing.T) {
	w := newWard(t)
	other := w.worker(w.Receivers["pager"])
	w.says("c1", "etcd", probing.Failing)
	for range 5 {
		w.clock.Step(5 * time.Second)
		for _, n := range []*notify.Notifier{other, w.Notifier} {
			if err := n.LookAtProbes(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.hears("each has noticed it", 0, "probeFailing etcd in c1")
}

func TestManyThatTurnAtOnceAreFewMessages(t *testing.T) {
	w := newWard(t)
	for i := range 37 {
		w.says(fmt.Sprintf("c%02d", i), "etcd", probing.Failing, func(s *probing.Stand) {
			if i == 20 {
				s.Severity, s.Owner = "P0", "team-etcd"
			}
		})
	}
	w.hears("of one case", 15*time.Second, "probeFailing etcd in 37 clusters")
	e := w.heard()
	if p := e.Probes; len(p.Turns) != 10 || p.Turns[9].Cluster != "c09" || p.Count != 37 || p.More != 27 || e.Clusters != 37 || p.Severity != "P0" ||
		!slices.Equal(p.Owners, []string{"team-etcd", "team-node"}) {
		t.Errorf("it hears %s", w.inbox.last)
	}
	w.says("c50", "etcd", probing.Failing)
	w.hears("the next of the kind waits", 40*time.Second)
	w.hears("for a minute", 20*time.Second, "probeFailing etcd in c50")
	w.clock.Step(time.Hour)
	for i := range 12 {
		w.says("c60", fmt.Sprintf("case-%02d", i), probing.Failing)
	}
	w.hears("all of a cluster", 15*time.Second, "probeFailing 12 cases in c60")
	w.clock.Step(time.Hour)
	for i := range 12 {
		for j := range 4 {
			w.says(fmt.Sprintf("d%d", j), fmt.Sprintf("case-%02d", i), probing.Failing)
		}
	}
	w.hears("all of many", 15*time.Second, "probeFailing 12 cases in 4 clusters")
}

func TestWhatFlapsIsToldSometimes(t *testing.T) {
	w := newWard(t)
	for minute := range 30 {
		state := probing.Failing
		if minute%2 == 1 {
			state = probing.Passing
		}
		w.says("c1", "etcd", state)
		w.passes(time.Minute)
	}
	if n := len(w.listed()); n < 2 || n > 6 {
		t.Errorf("in half an hour it is told of %d times", n)
	}
	w.says("c1", "etcd", probing.Passing)
	w.passes(10 * time.Minute)
	if last := w.listed()[0]; last.Event != "probeResolved" {
		t.Errorf("at the end it hears %+v", last)
	}
}

func TestNothingKnownIsToldToo(t *testing.T) {
	w := newWard(t)
	w.says("c1", "etcd", probing.Passing, func(s *probing.Stand) { s.Until = w.clock.Now().Add(5 * time.Minute) })
	w.hears("it is known still", 5*time.Minute)
	w.hears("it may be said in a moment", 50*time.Second)
	w.hears("nobody has said anything", 15*time.Second, "probeUnknown etcd in c1")
	if said := w.heard().Probes.Turns[0]; said.Says != "nothing was heard of it for too long; it was Passing" || !said.Since.Equal(noon.Add(5*time.Minute)) {
		t.Errorf("it hears %+v", said)
	}
	w.says("c1", "etcd", probing.Failing)
	w.hears("then it fails", 6*time.Minute, "probeFailing etcd in c1")
	if said := w.heard().Probes.Turns[0]; said.Was != probing.Unknown {
		t.Errorf("it hears %+v", said)
	}
	gone := []probing.Said{{Cluster: "c1", At: w.clock.Now(), Gone: []string{"etcd"}}}
	if err := w.ledger.SaveSaid(t.Context(), gone, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.hears("then it goes", 6*time.Minute, "probeResolved etcd in c1")
	if said := w.heard().Probes.Turns[0]; said.State != "" {
		t.Errorf("what is gone is said to be %+v", said)
	}
}

func TestWhatNobodyHasLookedAtYetIsNoNews(t *testing.T) {
	for reason, c := range map[string]struct {
		schedule probing.Schedule
		after    time.Duration
	}{
		"it is new":        {probing.Schedule{Every: metav1.Duration{Duration: time.Minute}}, time.Hour},
		"it is seldom run": {probing.Schedule{Every: metav1.Duration{Duration: 3 * time.Hour}}, 6 * time.Hour},
		"it runs at night": {probing.Schedule{Cron: "0 3 * * *"}, 25 * time.Hour},
	} {
		w := newWard(t)
		w.says("c1", "etcd", probing.Unknown, func(s *probing.Stand) { s.Last, s.Until, s.Schedule = nil, time.Time{}, c.schedule })
		for w.clock.Now().Before(noon.Add(c.after - time.Minute)) {
			w.clock.Step(15 * time.Minute)
			w.passes(0)
			if w.clock.Now().Before(noon.Add(c.after)) && len(w.listed()) > 0 {
				t.Fatalf("%s: it is told after %v", reason, w.clock.Now().Sub(noon))
			}
		}
		w.hears(reason, time.Hour+15*time.Minute, "probeUnknown etcd in c1")
	}
}

// TestWhoHearsOfProbes: each is told of what he asked for, and of its end where he heard of its begin.
func TestWhoHearsOfProbes(t *testing.T) {
	where := func(context.Context) (func(string) (plan.Place, bool), error) {
		return func(cluster string) (plan.Place, bool) {
			return plan.Place{Environment: "production", Labels: map[string]string{"tier": "gold"}}, cluster == "c1"
		}, nil
	}
	advisory := func(s *probing.Stand) { s.Enforcement = probing.Enforcement{} }
	unrated := func(s *probing.Stand) { s.Severity = "" }
	type spec = pipelines.ReceiverSpec
	for reason, c := range map[string]struct {
		receiver func(*spec)
		stand    func(*probing.Stand)
		cluster  string
		hears    bool
	}{
		"none of probes":         {receiver: func(s *spec) { s.Probes = nil }},
		"all that hold":          {receiver: func(*spec) {}, hears: true},
		"what holds nothing":     {receiver: func(*spec) {}, stand: advisory},
		"asks for advisory":      {receiver: func(s *spec) { s.Probes.Advisory = true }, stand: advisory, hears: true},
		"worse ones":             {receiver: func(s *spec) { s.Probes.Severity = "P0" }},
		"as bad ones":            {receiver: func(s *spec) { s.Probes.Severity = "P1" }, hears: true},
		"one without a severity": {receiver: func(s *spec) { s.Probes.Severity = "P2" }, stand: unrated},
		"that is P3":             {receiver: func(s *spec) { s.Probes.Severity = "P3" }, stand: unrated, hears: true},
		"another case":           {receiver: func(s *spec) { s.Probes.Cases = []string{"dns"} }},
		"this case":              {receiver: func(s *spec) { s.Probes.Cases = []string{"dns", "etcd"} }, hears: true},
		"another owner":          {receiver: func(s *spec) { s.Probes.Owners = []string{"team"} }},
		"this owner":             {receiver: func(s *spec) { s.Probes.Owners = []string{"team-node"} }, hears: true},
		"another environment":    {receiver: func(s *spec) { s.Environments = []string{"e2e"} }},
		"this environment":       {receiver: func(s *spec) { s.Environments = []string{"production"} }, hears: true},
		"another label":          {receiver: func(s *spec) { s.ClusterLabels = map[string]string{"tier": "silver"} }},
		"nobody knows where":     {receiver: func(s *spec) { s.Environments = []string{"e2e"} }, cluster: "c2", hears: true},
		"components of runs":     {receiver: func(s *spec) { s.Components = []string{"agent"} }, hears: true},
		"other events":           {receiver: func(s *spec) { s.Events = []pipelines.NotifyEvent{"probeUnknown", "probeResolved"} }},
	} {
		w := newWard(t)
		w.Places = where
		c.receiver(&w.Receivers["pager"].Spec)
		if c.cluster == "" {
			c.cluster = "c1"
		}
		if c.stand == nil {
			c.stand = func(*probing.Stand) {}
		}
		w.says(c.cluster, "etcd", probing.Failing, c.stand)
		w.passes(time.Minute)
		w.says(c.cluster, "etcd", probing.Passing, c.stand)
		w.passes(6 * time.Minute)
		want := 0
		if c.hears {
			want = 2
		}
		if got := w.listed(); len(got) != want {
			t.Errorf("%s: it is told %d times: %+v", reason, len(got), got)
		}
	}
}

// TestWhoHeardOfAFailureHearsOfItsEnd, also where it was not known in between.
func TestWhoHeardOfAFailureHearsOfItsEnd(t *testing.T) {
	w := newWard(t)
	w.Receivers["pager"].Spec.Events = []pipelines.NotifyEvent{pipelines.EventProbeFailing, pipelines.EventProbeResolved}
	w.says("c1", "etcd", probing.Failing)
	w.hears("it fails", time.Minute, "probeFailing etcd in c1")
	w.says("c1", "etcd", probing.Unknown)
	w.hears("that it is not known it does not ask for", 10*time.Minute)
	w.says("c1", "etcd", probing.Passing)
	w.hears("it is over", time.Minute, "probeResolved etcd in c1")
	w.says("c1", "etcd", probing.Unknown)
	w.passes(10 * time.Minute)
	w.says("c1", "etcd", probing.Passing)
	w.hears("of this begin it did not hear", 10*time.Minute)
}

// TestWhoHeardOfAFailureInBetweenHearsOfItsEnd: not known, then failing, then not known again.
func TestWhoHeardOfAFailureInBetweenHearsOfItsEnd(t *testing.T) {
	w := newWard(t)
	w.Receivers["pager"].Spec.Events = []pipelines.NotifyEvent{pipelines.EventProbeFailing, pipelines.EventProbeResolved}
	w.says("c1", "etcd", probing.Unknown)
	w.hears("that it is not known it does not ask for", 10*time.Minute)
	w.says("c1", "etcd", probing.Failing)
	w.hears("it fails", time.Minute, "probeFailing etcd in c1")
	w.says("c1", "etcd", probing.Unknown)
	w.hears("it is not known again", 10*time.Minute)
	w.says("c1", "etcd", probing.Passing)
	w.hears("it is over", time.Minute, "probeResolved etcd in c1")
}

// TestAClockThatWasAheadSilencesNobody: what was noticed by it is of a time that is to come.
func TestAClockThatWasAheadSilencesNobody(t *testing.T) {
	w := newWard(t)
	w.clock.Step(5 * time.Hour)
	w.says("c1", "etcd", probing.Failing)
	w.passes(time.Minute)
	w.clock.Step(-5*time.Hour - time.Minute)
	w.Notifier = w.worker(w.Receivers["pager"])
	w.says("c2", "etcd", probing.Failing)
	w.passes(2 * time.Minute)
	if list := w.listed(); len(list) != 2 {
		t.Errorf("it is told of %+v", list)
	}
}

// TestOneThatNobodyLookedAtHidesNoOther: a case cannot look at one target any more, while it was never at another.
func TestOneThatNobodyLookedAtHidesNoOther(t *testing.T) {
	w := newWard(t)
	nightly := func(s *probing.Stand) { s.Schedule = probing.Schedule{Cron: "0 3 * * *"} }
	w.says("c1", "node-life", probing.Unknown, nightly, func(s *probing.Stand) { s.Target, s.Last, s.Until = "n1", nil, time.Time{} })
	w.says("c1", "node-life", probing.Unknown, nightly, func(s *probing.Stand) { s.Target = "n2" })
	w.hears("it could not look at n2", 5*time.Minute, "probeUnknown node-life in c1")
	if said := w.heard().Probes.Turns[0]; said.Target != "n2" || said.Says != "no pod within 30s" {
		t.Errorf("it hears %+v", said)
	}
}

// TestNobodyMissesAResultThatOnlyAnEventBrings: between two events it is too old, and that is no news; that it could not look is.
func TestNobodyMissesAResultThatOnlyAnEventBrings(t *testing.T) {
	w := newWard(t)
	at := func(target string) func(*probing.Stand) {
		return func(s *probing.Stand) {
			s.Target, s.Until, s.Schedule = target, w.clock.Now().Add(10*time.Minute), probing.Schedule{}
		}
	}
	resident := func(s *probing.Stand) { s.Mode = probing.Resident }
	scheduled := func(s *probing.Stand) { s.Schedule.Cron = "* * * * *" }
	w.says("c1", "by-event", probing.Passing, at("n1"))
	w.hears("its result is too old after a while", 2*time.Hour)
	w.says("c1", "by-event", probing.Unknown, at("n2"))
	w.hears("it could not look", 5*time.Minute, "probeUnknown by-event in c1")
	if said := w.heard().Probes.Turns[0]; said.Target != "n2" {
		t.Errorf("it hears %+v", said)
	}
	for name, change := range map[string]func(*probing.Stand){"by-time": scheduled, "resident": resident} {
		w.says("c1", name, probing.Passing, at(""), change)
		w.hears("it is to come by itself", time.Hour, "probeUnknown "+name+" in c1")
	}
}

// TestWhoHeardOfAWorseOneHearsOfItsEnd, also where the case holds nothing any more, and is less bad, by the time that it is not known.
func TestWhoHeardOfAWorseOneHearsOfItsEnd(t *testing.T) {
	w := newWard(t)
	w.Receivers["pager"].Spec.Probes.Severity = "P1"
	w.says("c1", "etcd", probing.Failing)
	w.hears("it fails", time.Minute, "probeFailing etcd in c1")
	lesser := func(s *probing.Stand) { s.Severity, s.Enforcement = "P4", probing.Enforcement{} }
	w.says("c1", "etcd", probing.Unknown, lesser)
	w.hears("it is not known, and of less weight", 10*time.Minute)
	w.says("c1", "etcd", probing.Passing, lesser)
	w.hears("it is over", time.Minute, "probeResolved etcd in c1")
	w.says("c1", "etcd", probing.Failing, lesser)
	w.hears("the next time it is of less weight", 10*time.Minute)
}
