package notify_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
)

// TestApprovalsAndRejectionsNamePeople: of an approval that is wanted, who may; of a rejection, who said no and why.
func TestApprovalsAndRejectionsNamePeople(t *testing.T) {
	s := newSite(t)
	run := s.start()
	s.shows(run, api.PhaseWaiting, "approval production: 0 of 2 approvals of plan 0123456789ab, by ben, cat (group sre)")
	s.tells("it starts, and waits for an approval", "agent-1/start/0", "agent-1/approval/1")
	end := api.RunStatus{Name: run.Name, Phase: api.PhaseFailed, Ending: &api.Ending{By: "dan (unverified)", Reason: "rejected stage production: not tonight"}}
	body, err := json.Marshal(end)
	if err != nil {
		t.Fatal(err)
	}
	if run.Report, err = s.ledger.PutBlob(t.Context(), body); err != nil {
		t.Fatal(err)
	}
	s.end(run, api.PhaseFailed)
	s.tells("it was rejected", "agent-1/failed/0")
	said := map[string]string{}
	for _, n := range s.listed() {
		said[n.Event] = n.Body
	}
	for event, want := range map[string]string{
		"approval": `by ben, cat (group sre)"`, "failed": `"ending":"dan (unverified): rejected stage production: not tonight"`,
	} {
		if !strings.Contains(said[event], want) {
			t.Errorf("of %s it was told %s, without %s", event, said[event], want)
		}
	}
}
