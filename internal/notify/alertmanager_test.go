package notify_test

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/notify/notifytest"
	"sluice.dev/sluice/pipelines"
)

func TestAnAlertLastsUntilTheRunGoesOn(t *testing.T) {
	address := notifytest.Alertmanager(t)
	s := newSiteAt(t, time.Now().Add(-10*time.Minute)) // Alertmanager goes by the real clock
	s.Receivers["pager"] = &pipelines.Receiver{Spec: pipelines.ReceiverSpec{
		Alertmanager: &pipelines.AlertmanagerReceiver{URL: address + "/", Labels: map[string]string{"team": "infra"}},
	}}
	step := func() {
		t.Helper()
		s.look()
		s.tell()
	}
	run := s.start()
	s.shows(run, api.PhaseHeld, "decision cn/c1")
	step()
	const held = "SluiceRunHeld agent-1"
	got := notifytest.Alerts(t, address)
	if len(got) != 1 || got[held]["team"] != "infra" || got[held]["environment"] != "production" || got[held]["component"] != "agent" {
		t.Fatalf("alerts %v; notices %+v", got, s.listed())
	}
	if want := "agent-1 (agent 2): held"; got[held]["summary"] != want {
		t.Errorf("it says %q, not %q", got[held]["summary"], want)
	}
	if list := s.listed(); len(list) != 1 || !list[0].Settled.IsZero() || list[0].Told.IsZero() {
		t.Errorf("it stands as %+v", list)
	}
	s.clock.Step(6 * time.Minute) // it is told again
	step()
	if list := s.listed(); list[0].Attempts != 2 || !list[0].Settled.IsZero() {
		t.Errorf("it stands as %+v", list)
	}
	s.clock.SetTime(time.Now())
	s.shows(run, api.PhaseMoving, "pods 1")
	step()
	for end := time.Now().Add(20 * time.Second); len(notifytest.Alerts(t, address)) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it goes on, and alerts are %v; notices %+v", notifytest.Alerts(t, address), s.listed())
		}
	}
	for _, n := range s.listed() {
		if n.Settled.IsZero() {
			t.Errorf("it waits still: %+v", n)
		}
	}
	s.end(run, api.PhaseFailed)
	step()
	if got := notifytest.Alerts(t, address); len(got) != 1 || got["SluiceRunFailed agent-1"] == nil {
		t.Errorf("alerts %v", got)
	}
	s.clock.Step(10 * time.Minute)
	step()
	if n := s.listed()[0]; n.Attempts != 1 {
		t.Errorf("what is over was told again: %+v", n)
	}
}
