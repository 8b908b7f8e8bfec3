package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/notify"
	"sluice.dev/sluice/internal/notify/notifytest"
	"sluice.dev/sluice/pipelines"
)

// hook is a webhook receiver, and what it was told.
type hook struct {
	mu    sync.Mutex
	heard []notify.Event
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var e notify.Event
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = append(h.heard, e)
}

func (h *hook) hears(kind pipelines.NotifyEvent) (notify.Event, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.heard, func(e notify.Event) bool { return e.Event == kind })
	if i < 0 {
		return notify.Event{}, false
	}
	return h.heard[i], true
}

// TestReceiversHearOfARunThatStands has a webhook and a real Alertmanager told of a run that waits for an approval, and then is held.
func TestReceiversHearOfARunThatStands(t *testing.T) {
	turns.Take(t)
	alertmanager := notifytest.Alertmanager(t)
	told := &hook{}
	server := httptest.NewServer(told)
	t.Cleanup(server.Close)
	s := newSite(t, "told")
	s.receivers = notify.Receivers{
		"hook":   {Spec: pipelines.ReceiverSpec{Webhook: &pipelines.WebhookReceiver{URL: server.URL}}},
		"alerts": {Spec: pipelines.ReceiverSpec{Alertmanager: &pipelines.AlertmanagerReceiver{URL: alertmanager}}},
	}
	s.declare("asked", `
  defaults:
    batches: [1, 100%]
    checks: [{name: never, gate: {cel: "false"}}]
  stages: [{name: first, approvals: 1, clusterGroups: {matchLabels: {environment: canary}}}]
  onFailure: Pause
`)
	s.work()
	s.install()
	run := s.start("2.0.0", "asked")
	wait := func(what string, so func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute * patience); !so(); time.Sleep(200 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("nobody hears that %s is %s: alerts are %v", run, what, notifytest.Alerts(t, alertmanager))
			}
		}
	}
	both := func(kind pipelines.NotifyEvent, alert string) notify.Event {
		t.Helper()
		var e notify.Event
		wait(string(kind), func() (heard bool) {
			e, heard = told.hears(kind)
			return heard && notifytest.Alerts(t, alertmanager)[alert+" "+run] != nil
		})
		return e
	}
	if e := both(pipelines.EventApproval, "SluiceRunApproval"); e.Run != run || e.Component != "told" || e.Phase != string(api.PhaseWaiting) || e.Clusters != 1 {
		t.Errorf("it hears %+v", e)
	}
	approval := api.Command{Who: "another", Plan: s.report(run).Plan}
	if _, err := s.engine.Command(t.Context(), run, api.UpdateApprove, approval); err != nil {
		t.Fatal(err)
	}
	if e := both(pipelines.EventHeld, "SluiceRunHeld"); e.Run != run || e.Phase != string(api.PhaseHeld) {
		t.Errorf("it hears %+v", e)
	}
	s.tell(run, api.UpdateAbort, api.Scope{})
	wait("over", func() bool {
		_, heard := told.hears(pipelines.EventAborted)
		return heard && len(notifytest.Alerts(t, alertmanager)) == 0
	})
}
