package centre_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/uplink"
)

func (w *world) say(m member, all ...probing.Said) error {
	_, err := uplink.Probes.Call(w.Context(), m, all)
	return err
}

func (w *world) outcomes() (all []ledger.ProbeOutcome) {
	w.Helper()
	marked, err := w.ledger.PageProbeOutcomes(w.Context(), ledger.ProbesOf{}, ledger.Page{})
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range marked {
		all = append(all, m.Row)
	}
	return all
}

func (w *world) stands() (all []probing.Stand) {
	w.Helper()
	marked, err := w.ledger.PageStands(w.Context(), ledger.ProbesOf{}, ledger.Page{})
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range marked {
		all = append(all, m.Row)
	}
	return all
}

// An agent says what was found in the clusters of its site, and of no other one.
func TestProbesAreOfTheAgentsSite(t *testing.T) {
	w := newWorld(t)
	eu, us := w.member("eu", "eu"), w.member("us", "us")
	now := w.clock.Now().UTC()
	ran := probing.Outcome{
		ID: "etcd-1", Cluster: "eu-2", Case: "etcd", Started: now, Ended: now, Result: probing.Result{Verdict: api.Failed, Message: "no leader"},
	}
	said := probing.Said{Cluster: "eu-1", At: now, Outcomes: []probing.Outcome{ran},
		Stands: []probing.Stand{{Cluster: "us-1", Case: "etcd", State: probing.Failing, Since: now, Until: now.Add(time.Hour), Last: &ran}}}
	w.want(w.say(us, said), fault.Unauthorized, "another site's cluster")
	other := said
	other.Cluster = "us-1"
	w.want(w.say(eu, said, other), fault.Unauthorized, "another site's cluster beside an own one")
	if got := w.outcomes(); len(got) != 0 {
		t.Errorf("of what is refused nothing is kept: %v", got)
	}
	for range 2 {
		if err := w.say(eu, said); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.outcomes(); len(got) != 1 || got[0].Cluster != "eu-1" || got[0].Message != "no leader" {
		t.Errorf("said twice it is kept once, and of the cluster that is spoken of: %+v", got)
	}
	if got := w.stands(); len(got) != 1 || got[0].Cluster != "eu-1" || got[0].Last.Cluster != "eu-1" {
		t.Errorf("so is a state: %+v", got)
	}
}

// An agent whose clock is fast, and that ends, leaves no state that counts for longer than another one's.
func TestAFastClockKeepsNoStateFresh(t *testing.T) {
	w := newWorld(t)
	m := w.member("eu", "eu")
	now := w.clock.Now().UTC()
	fast := now.Add(6 * time.Hour)
	last := probing.Outcome{ID: "r", Case: "etcd", Started: fast, Ended: fast, Result: probing.Result{Verdict: api.Passed}}
	stand := probing.Stand{Case: "etcd", State: probing.Passing, Since: fast, Until: fast.Add(15 * time.Minute), Last: &last}
	if err := w.say(m, probing.Said{Cluster: "eu-1", At: fast, Stands: []probing.Stand{stand}}); err != nil {
		t.Fatal(err)
	}
	got := w.stands()
	if len(got) != 1 || got[0].Until.After(now.Add(16*time.Minute)) || got[0].Until.Before(now.Add(14*time.Minute)) {
		t.Errorf("it is said at %s: %+v", now, got)
	}
}

func TestWhatProbesSayIsBounded(t *testing.T) {
	w := newWorld(t)
	m := w.member("eu", "eu")
	now := w.clock.Now().UTC()
	for reason, said := range map[string]probing.Said{
		"a verdict that there is not":     {Outcomes: []probing.Outcome{{ID: "r", Case: "etcd", Result: probing.Result{Verdict: "Fine"}}}},
		"a run without a name":            {Outcomes: []probing.Outcome{{Case: "etcd", Result: probing.Result{Verdict: api.Passed}}}},
		"a state that there is not":       {Stands: []probing.Stand{{Case: "etcd", State: "Fine"}}},
		"a case by no name":               {Stands: []probing.Stand{{Case: "../etcd", State: probing.Passing}}},
		"a target without end":            {Stands: []probing.Stand{{Case: "etcd", Target: strings.Repeat("x", 300), State: probing.Passing}}},
		"a target that no database keeps": {Stands: []probing.Stand{{Case: "etcd", Target: "etcd\x000", State: probing.Passing}}},
		"a target that moves the cursor":  {Stands: []probing.Stand{{Case: "etcd", Target: "\x1b[2J", State: probing.Passing}}},
		"a run of such a target": {Outcomes: []probing.Outcome{
			{ID: "r", Case: "etcd", Target: "\x00", Result: probing.Result{Verdict: api.Passed}}}},
		"a run whose name no database keeps": {Outcomes: []probing.Outcome{
			{ID: "r\x00", Case: "etcd", Result: probing.Result{Verdict: api.Passed}}}},
		"something that has gone and is no case": {Gone: []string{"etcd\x00"}},
		"a state between that is none":           {Turns: []probing.Turn{{Case: "etcd", State: "Fine"}}},
		"too many states between":                {Turns: make([]probing.Turn, uplink.MaxStands+1)},
		"a case that a cluster has, and is none": {Whole: true, Cases: []string{"../etcd"}},
		"more cases than a cluster has":          {Whole: true, Cases: slices.Repeat([]string{"etcd"}, 1001)},
		"a state that is a book": {Stands: []probing.Stand{{Case: "etcd", State: probing.Passing,
			Events: []probing.EventSpec{{On: probing.Posted, Names: []string{strings.Repeat("x", 80<<10)}}}}}},
		"too many states": {Stands: make([]probing.Stand, uplink.MaxStands+1)},
	} {
		said.Cluster = "eu-1"
		w.want(w.say(m, said), fault.Invalid, reason)
	}
	w.want(w.say(m, make([]probing.Said, uplink.MaxSaid+1)...), fault.Invalid, "too many clusters")
	ahead := now.Add(24 * time.Hour)
	long := probing.Outcome{ID: "r", Case: "etcd", Ended: ahead, Result: probing.Result{
		Verdict: api.Failed, Message: strings.Repeat("m", 80<<10), Errors: []string{"e"},
	}}
	if err := w.say(m, probing.Said{Cluster: "eu-1", At: ahead, Outcomes: []probing.Outcome{long}, Stands: []probing.Stand{
		{Case: "etcd", State: probing.Passing, Until: now.Add(100 * 24 * time.Hour)}, {Case: "dns", State: probing.Passing},
	}}); err != nil {
		t.Fatal(err)
	}
	anew := probing.Stand{Case: "anew", State: probing.Passing,
		Last: &probing.Outcome{Case: "anew", Ended: now, Result: probing.Result{Verdict: api.Passed}}}
	if err := w.say(m, probing.Said{Cluster: "eu-1", At: now, Stands: []probing.Stand{anew}}); err != nil {
		t.Errorf("an agent that was started anew does not know the run of a state: %v", err)
	}
	for _, s := range w.stands() {
		if latest := w.clock.Now().Add(9 * 24 * time.Hour); s.Until.IsZero() || s.Until.After(latest) {
			t.Errorf("%s would count until %s", s.Case, s.Until)
		}
	}
	if got := w.outcomes(); len(got) != 1 || got[0].Ended.After(w.clock.Now()) || len(got[0].Message) > 5<<10 ||
		!strings.HasSuffix(got[0].Message, "it was too long)") {
		t.Errorf("what is too long is cut, and what has not been yet is now: %d %s", len(got), got[0].Ended)
	}
}
