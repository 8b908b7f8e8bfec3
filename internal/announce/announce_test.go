package announce_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/announce"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/plan"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// runs hear what they are told, unless fails says otherwise.
type runs struct {
	mu    sync.Mutex
	heard []string
	fails map[string]error
}

func (r *runs) SignalWorkflow(_ context.Context, id, _, signal string, arg any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.fails[id]; err != nil {
		return err
	}
	holds := arg.(api.Holds)
	if signal != api.SignalHolds {
		return errors.New("signal " + signal)
	}
	names := []string{}
	for _, h := range holds.List {
		names = append(names, h.Freeze)
	}
	r.heard = append(r.heard, id+" "+strings.Join(names, "+"))
	return nil
}

func (r *runs) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	heard := r.heard
	r.heard = nil
	return heard
}

// stage is a ledger with open runs, and what tells them.
type stage struct {
	*announce.Announcer
	t      *testing.T
	ledger ledger.Ledger
	runs   *runs
	clock  *testclock.FakeClock
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, ledger: sqlitetest.New(t), runs: &runs{fails: map[string]error{}}, clock: testclock.NewFakeClock(noon)}
	s.Announcer = &announce.Announcer{Ledger: s.ledger, Temporal: s.runs, Clock: s.clock}
	return s
}

func (s *stage) open(component, back string) ledger.Run {
	s.t.Helper()
	ctx := s.t.Context()
	p := &plan.Plan{Format: plan.Format, Subject: api.Component(component), Version: "1", Digest: "sha256:d"}
	p.Stages = []plan.StagePlan{{Name: "all", Groups: []plan.Group{{Units: []plan.Unit{{Cluster: "c1"}}}}}}
	body, err := plan.Encode(p)
	if err != nil {
		s.t.Fatal(err)
	}
	digest, err := s.ledger.PutBlob(ctx, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.ledger.SavePlan(ctx, ledger.Plan{Hash: plan.Hash(p), Subject: p.Subject, Version: "1", Body: digest, Created: noon, By: "ann"}); err != nil {
		s.t.Fatal(err)
	}
	run, err := s.ledger.NewRun(ctx, ledger.Run{Plan: plan.Hash(p), Subject: p.Subject, Back: back, Phase: "Moving", Started: s.clock.Now(), By: "ann"})
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

func (s *stage) freeze(component string, until time.Time) api.Freeze {
	s.t.Helper()
	f, err := s.ledger.AddFreeze(s.t.Context(), api.Freeze{
		Origin: api.FreezePerson, Scope: api.FreezeScope{Component: api.ParseSubject(component)}, InFlight: api.PauseNow, By: "bob", Reason: "loss",
		Since: s.clock.Now(), Until: until,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

func (s *stage) tells(want ...string) {
	s.t.Helper()
	if err := s.Tell(s.t.Context()); err != nil {
		s.t.Error(err)
	}
	if got := s.runs.take(); !slices.Equal(got, want) {
		s.t.Errorf("runs heard %q, not %q", got, want)
	}
}

func TestEachChangeIsToldOnceToWhomItIsAbout(t *testing.T) {
	s := newStage(t)
	s.open("agent", "")
	s.open("other", "")
	s.open("agent", "agent-9") // takes back
	s.tells()
	s.freeze("agent", noon.Add(time.Hour))
	s.tells("agent-1 freeze-1")
	s.tells()
	s.freeze("", time.Time{})
	s.tells("agent-1 freeze-1+freeze-2", "other-1 freeze-2")
	s.clock.Step(time.Hour)
	s.tells("agent-1 freeze-2", "other-1 freeze-2")
	if _, err := s.ledger.LiftFreeze(t.Context(), "freeze-2", ledger.Lift{By: "ann", Reason: "quiet", At: s.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	s.tells("agent-1 ", "other-1 ")
	s.tells()
}

func TestARunIsNotHeldByWhatItsOwnRollbackFroze(t *testing.T) {
	s := newStage(t)
	s.open("agent", "")
	s.open("agent", "")
	_, err := s.ledger.AddFreeze(t.Context(), api.Freeze{
		Origin: api.FreezeRollback, Run: "agent-1", Scope: api.FreezeScope{Component: api.Component("agent"), Digest: "sha256:d"},
		InFlight: api.PauseNow, By: "ann", Reason: "it leaks", Since: noon,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.tells("agent-2 freeze-1")
}

func TestARunThatCannotBeToldKeepsNoOtherFromHearing(t *testing.T) {
	s := newStage(t)
	s.open("agent", "")
	s.open("other", "")
	s.freeze("", time.Time{})
	s.runs.fails["agent-1"] = errors.New("it does not answer")
	if err := s.Tell(t.Context()); err == nil || !strings.Contains(err.Error(), "run agent-1: it does not answer") {
		t.Errorf("got %v", err)
	}
	if got := s.runs.take(); !slices.Equal(got, []string{"other-1 freeze-1"}) {
		t.Errorf("runs heard %q", got)
	}
	delete(s.runs.fails, "agent-1")
	s.tells("agent-1 freeze-1")
}

// A run that is named in the ledger, and that Temporal does not know yet, may have looked at the freezes before this one.
func TestARunThatIsAboutToStartHearsToo(t *testing.T) {
	s := newStage(t)
	s.open("agent", "")
	s.freeze("", time.Time{})
	s.runs.fails["agent-1"] = serviceerror.NewNotFound("no such workflow")
	s.tells()
	delete(s.runs.fails, "agent-1")
	s.tells("agent-1 freeze-1")

	s.open("lost", "")
	s.runs.fails["lost-1"] = serviceerror.NewNotFound("no such workflow")
	s.clock.Step(2 * time.Minute)
	s.tells()
	delete(s.runs.fails, "lost-1")
	s.tells() // nobody asks for ever
}

func TestItIsTriedAgainAndAgain(t *testing.T) {
	s := newStage(t)
	s.open("agent", "")
	s.freeze("", time.Time{})
	s.runs.fails["agent-1"] = errors.New("it does not answer")
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Keep(ctx, slog.New(slog.NewTextHandler(&log, nil)))
	}()
	for round := 0; len(s.runs.take()) == 0; round++ {
		if round == 1000 {
			t.Fatal("the run never heard")
		}
		if round == 10 {
			s.runs.mu.Lock()
			delete(s.runs.fails, "agent-1")
			s.runs.mu.Unlock()
		}
		time.Sleep(5 * time.Millisecond)
		s.clock.Step(3 * time.Second)
	}
	cancel()
	<-done
	if !strings.Contains(log.String(), "it does not answer") {
		t.Errorf("the log has %q", log.String())
	}
}
