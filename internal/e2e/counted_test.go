package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/prometheus/prometheustest"
	"sluice.dev/sluice/internal/step"
)

// TestAKilledWorkerOfChecksGoesOnCounting kills a worker in the middle of five background checks, one of which has counted one of the two
// failures that stop the unit, once its batch has waited for ten measurements of each. The worker after it needs one more, no verdict is made in between, and the history of the unit has not one
// event for all that was measured.
func TestAKilledWorkerOfChecksGoesOnCounting(t *testing.T) {
	turns.Take(t)
	var asked, failing atomic.Int64
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if failing.Add(-1) >= 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer answers.Close()
	now := time.Now()
	prometheus := prometheustest.Filled(t, fmt.Sprintf("# TYPE agent_success gauge\nagent_success 1 %d\nagent_success 1 %d\n# EOF\n", now.Add(-time.Minute).Unix(), now.Unix()))
	s := newSite(t, "counted")
	kill := s.work()
	source := "apiVersion: sluice.dev/v1alpha1\nkind: DataSource\nmetadata: {name: all}\nspec: {address: \"" + prometheus.URL + "\", clusterGroups: {all: true}}\n"
	if err := os.WriteFile(filepath.Join(s.files, "source.yaml"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	s.declare("counting", `
  defaults:
    batches: [100%]
    maxUnavailable: 100%
    soak: {batch: {rest: 1s, minSamples: 10}, cluster: 10m}
    checks:
    - {name: answers, at: [during], taskSpec: {steps: [{name: ask, interval: 1s, failureLimit: 1, http: {url: "`+answers.URL+`"}}]}}
    - {name: success-rate, at: [during], taskSpec: {steps: [{name: rate, interval: 1s, metrics: {promql: agent_success, successCondition: value >= 0.99}}]}}
    - {name: no-panics, at: [during], taskSpec: {steps: [{name: look, interval: 1s, logs: {}}]}}
    - {name: healthy, at: [during], taskSpec: {steps: [{name: look, interval: 1s, workload: {}}]}}
    - {name: restarts, at: [during], gate: {cel: "workload.restarts == 0"}}
  stages:
  - {name: first, clusterGroups: {matchLabels: {environment: canary}}}
  onFailure: Rollback
`)
	s.install()
	run := s.start("2.0.0", "counting")
	s.until(run, "waiting for the samples of its batch, whose soak is over", time.Minute, func(r api.RunStatus) bool {
		u := unitOf(r, "a")
		return u.Phase == api.PhaseSoaking && u.Waiting != nil && u.Waiting.Name == "samples"
	})
	waits := asked.Load()
	s.until(run, "in the soak of its cluster", time.Minute, func(r api.RunStatus) bool {
		u := unitOf(r, "a")
		return u.Phase == api.PhaseSoaking && len(u.Batches) == 1 && u.Batches[0].Phase.Final()
	})
	if more := asked.Load() - waits; more < 3 {
		t.Errorf("the batch ended %d measurements after it began to wait for ten", more)
	}
	failing.Store(1)
	var was counted
	before, events := s.counted(t, "one failure and five more measurements, none of which makes an event", func(c counted) bool {
		if c.tally.Failed != 1 || c.events != was.events {
			was = c // what a unit tells its run of a change comes some seconds later
			return false
		}
		return c.tally.Measured >= was.tally.Measured+5
	})
	kill()
	s.work()
	after, later := s.counted(t, "what the next worker has counted", func(c counted) bool { return c.attempt > 1 && c.tally.Measured > before.tally.Measured+3 })
	if after.tally.Failed != 1 || !after.tally.Began.Equal(before.tally.Began) {
		t.Errorf("the killed worker had counted %+v, the next one %+v", before.tally, after.tally)
	}
	if u := unitOf(s.report(run), "a"); u.Phase != api.PhaseSoaking || u.Failure != nil || len(u.Checks) > 0 {
		t.Errorf("the unit is %s with %+v, %+v: its worker was killed, and judged nothing", u.Phase, u.Failure, u.Checks)
	}
	if more := later - events; more > 20 { // the task that a worker died with is given to another
		t.Errorf("the unit's history has %d events more since its worker was killed: they came of measurements", more)
	}
	failing.Store(1)
	end := s.ended(run, time.Minute)
	u := unitOf(end, "a")
	if end.Phase != api.PhaseRolledBack || u.Failure == nil || u.Failure.Name != "answers" || u.Failure.Verdict != api.Failed {
		t.Fatalf("the run ended %s, stopped by %+v", end.Phase, u.Failure)
	}
	var failed, of, borne int
	if _, err := fmt.Sscanf(u.Failure.Message, "%d of %d measurements failed, %d are borne", &failed, &of, &borne); err != nil || failed != 2 || of < after.tally.Measured {
		t.Errorf("it was stopped because %q, after %d measurements were counted", u.Failure.Message, after.tally.Measured)
	}
	if all := int(asked.Load()); of > all {
		t.Errorf("%d measurements were counted of %d that were made", of, all)
	}
	t.Logf("%d measurements of each of five checks, and a killed worker, made %d events; the whole history of the unit has %d", of, later-events, s.counts(t).events)
}

// counted is where the background checks of cluster a are.
type counted struct {
	attempt int32
	tally   check.Tally // of the step answers/ask, as the last heartbeat had it
	events  int         // of the unit's history
}

// counted waits until the background checks are as wanted. It returns where they are, and how many events the unit has.
func (s *site) counted(t *testing.T, what string, met func(counted) bool) (counted, int) {
	t.Helper()
	var last counted
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if last = s.counts(t); met(last) {
			return last, last.events
		}
	}
	said, _ := json.Marshal(last.tally)
	t.Fatalf("no heartbeat had %s within 2 minutes; attempt %d, %s", what, last.attempt, said)
	return last, 0
}

func (s *site) counts(t *testing.T) (now counted) {
	t.Helper()
	c, err := engine.Dial(t.Context(), s.dial)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	is, err := c.Client.DescribeWorkflowExecution(t.Context(), api.UnitWorkflowID("canary/a", api.Component(s.component)), "")
	if err != nil {
		t.Fatal(err)
	}
	now.events = int(is.GetWorkflowExecutionInfo().GetHistoryLength())
	for _, a := range is.PendingActivities {
		if a.ActivityType.GetName() != step.Watch.Name() || a.HeartbeatDetails == nil {
			continue
		}
		var said check.Tallies
		if err := converter.GetDefaultDataConverter().FromPayloads(a.HeartbeatDetails, &said); err != nil {
			t.Fatal(err)
		}
		for name, tally := range said {
			if strings.HasPrefix(name, "answers/") {
				now.attempt, now.tally = a.Attempt, tally
			}
		}
	}
	return now
}
