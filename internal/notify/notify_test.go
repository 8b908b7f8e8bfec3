package notify_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/notify"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/secret"
	"sluice.dev/sluice/pipelines"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// phases is what Temporal would say of open runs.
type phases struct {
	open map[string]notify.Seen
	err  error
}

func (p *phases) Open(context.Context) (map[string]notify.Seen, error) { return p.open, p.err }

// site is a ledger with runs, a receiver that answers what it is told to, and workers.
type site struct {
	*notify.Notifier
	t      *testing.T
	ledger ledger.Ledger
	phases *phases
	clock  *testclock.FakeClock
	inbox  *inbox
}

// inbox is a receiver.
type inbox struct {
	mu      sync.Mutex
	answer  http.HandlerFunc // nil takes it
	heard   []string         // Idempotency-Key
	last    string           // body
	address string
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	i.last = string(body)
	i.heard = append(i.heard, r.Header.Get("Idempotency-Key"))
	answer := i.answer
	i.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

func (i *inbox) take() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	heard := i.heard
	i.heard = nil
	return heard
}

func newInbox(t *testing.T) *inbox {
	in := &inbox{}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	in.address = server.URL
	return in
}

func hook(address string) *pipelines.Receiver {
	return &pipelines.Receiver{Spec: pipelines.ReceiverSpec{Webhook: &pipelines.WebhookReceiver{URL: address}}}
}

func newSite(t *testing.T) *site { return newSiteAt(t, noon) }

func newSiteAt(t *testing.T, at time.Time) *site {
	s := &site{t: t, ledger: sqlitetest.New(t), phases: &phases{}, clock: testclock.NewFakeClock(at), inbox: newInbox(t)}
	s.Notifier = s.worker(hook(s.inbox.address))
	s.look()
	return s
}

// worker is one more worker at the same ledger.
func (s *site) worker(r *pipelines.Receiver) *notify.Notifier {
	return &notify.Notifier{
		Ledger: s.ledger, Phases: s.phases, Clock: s.clock, Receivers: notify.Receivers{"pager": r},
		Sender: &notify.Sender{Secrets: secret.Store{}, Clock: s.clock, Within: 5 * time.Second},
	}
}

func (s *site) look() {
	s.t.Helper()
	if err := s.Look(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) start() ledger.Run {
	s.t.Helper()
	ctx := s.t.Context()
	p := &plan.Plan{Format: plan.Format, Subject: api.Component("agent"), Version: "2"}
	unit := plan.Unit{Cluster: "c1", Environment: "production", Labels: map[string]string{"tier": "gold"}}
	p.Stages = []plan.StagePlan{{Name: "all", Groups: []plan.Group{{Units: []plan.Unit{unit}}}}}
	body, err := plan.Encode(p)
	if err != nil {
		s.t.Fatal(err)
	}
	digest, err := s.ledger.PutBlob(ctx, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.ledger.SavePlan(ctx, ledger.Plan{Hash: plan.Hash(p), Subject: p.Subject, Version: "2", Body: digest, Created: noon, By: "ann"}); err != nil {
		s.t.Fatal(err)
	}
	run, err := s.ledger.NewRun(ctx, ledger.Run{Plan: plan.Hash(p), Subject: p.Subject, Version: "2", Phase: "Moving", Started: s.clock.Now(), By: "ann"})
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

func (s *site) end(run ledger.Run, phase api.Phase) {
	s.t.Helper()
	run.Phase, run.Ended = string(phase), s.clock.Now()
	if err := s.ledger.SaveRun(s.t.Context(), run); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) shows(run ledger.Run, phase api.Phase, waits string) {
	s.phases.open = map[string]notify.Seen{run.Name: {Phase: string(phase), WaitsFor: waits}}
}

// tell tells until nothing is due, and returns what the receiver heard.
func (s *site) tell() []string {
	s.t.Helper()
	for {
		told, err := s.Tell(s.t.Context(), "pager")
		if err != nil {
			s.t.Fatal(err)
		}
		if !told {
			return s.inbox.take()
		}
	}
}

func (s *site) tells(reason string, want ...string) {
	s.t.Helper()
	s.look()
	if got := s.tell(); !slices.Equal(got, want) {
		s.t.Errorf("%s: the receiver heard %q, not %q", reason, got, want)
	}
}

func (s *site) listed() []ledger.Notice {
	s.t.Helper()
	list, err := s.ledger.ListNotices(s.t.Context(), "", 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

func TestReceiversHearWhatTheyAskFor(t *testing.T) {
	for reason, c := range map[string]struct {
		change func(*pipelines.ReceiverSpec)
		hears  bool
	}{
		"another component":   {func(s *pipelines.ReceiverSpec) { s.Components = []string{"other"} }, false},
		"this component":      {func(s *pipelines.ReceiverSpec) { s.Components = []string{"other", "agent"} }, true},
		"another environment": {func(s *pipelines.ReceiverSpec) { s.Environments = []string{"e2e"} }, false},
		"this environment":    {func(s *pipelines.ReceiverSpec) { s.Environments = []string{"production"} }, true},
		"another label":       {func(s *pipelines.ReceiverSpec) { s.ClusterLabels = map[string]string{"tier": "silver"} }, false},
		"a missing label":     {func(s *pipelines.ReceiverSpec) { s.ClusterLabels = map[string]string{"tier": "gold", "zone": ""} }, false},
		"this label":          {func(s *pipelines.ReceiverSpec) { s.ClusterLabels = map[string]string{"tier": "gold"} }, true},
		"other events":        {func(s *pipelines.ReceiverSpec) { s.Events = []pipelines.NotifyEvent{pipelines.EventDone} }, false},
	} {
		s := newSite(t)
		c.change(&s.Receivers["pager"].Spec)
		s.start()
		s.look()
		if got := s.tell(); len(got) > 0 != c.hears {
			t.Errorf("%s: it hears %q", reason, got)
		}
	}
}

func TestANewReceiverIsToldNothingOld(t *testing.T) {
	s := newSite(t)
	s.end(s.start(), api.PhaseFailed)
	s.clock.Step(time.Minute)
	s.Receivers["late"] = hook(s.inbox.address)
	s.tells("the one that was there before", "agent-1/start/0", "agent-1/failed/0")
	if told, err := s.Tell(t.Context(), "late"); told || err != nil {
		t.Errorf("the new one was told of what was before it: %v", err)
	}
}

func TestWhoeverDiesLosesNothing(t *testing.T) {
	s := newSite(t)
	s.start()
	s.look()
	// It dies after the receiver took it, and before it can say so.
	ctx, die := context.WithCancel(t.Context())
	s.inbox.answer = func(http.ResponseWriter, *http.Request) { die() }
	if told, err := s.worker(s.Receivers["pager"]).Tell(ctx, "pager"); told || err == nil {
		t.Errorf("a worker that died has told: %v", err)
	}
	s.inbox.answer = nil
	if got := s.inbox.take(); !slices.Equal(got, []string{"agent-1/start/0"}) {
		t.Errorf("the receiver heard %q", got)
	}
	s.tells("another worker, while the first may be at it")
	s.clock.Step(61 * time.Second)
	s.tells("the same again, with the same key", "agent-1/start/0")
	s.clock.Step(time.Hour)
	s.tells("never again")
}

func TestTwoWorkersTellOnce(t *testing.T) {
	s := newSite(t)
	for range 10 {
		s.start()
	}
	var both sync.WaitGroup
	for range 2 {
		w := s.worker(s.Receivers["pager"])
		both.Go(func() {
			for range 3 {
				_ = w.Look(t.Context()) // whoever is second is refused by the ledger
			}
			for told := true; told; {
				var err error
				if told, err = w.Tell(t.Context(), "pager"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	heard := s.inbox.take()
	slices.Sort(heard)
	if len(heard) != 10 || len(slices.Compact(heard)) != 10 {
		t.Errorf("the receiver heard %q", heard)
	}
}

func TestAReceiverThatIsIllIsTriedAgain(t *testing.T) {
	s := newSite(t)
	s.inbox.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	run := s.start()
	s.tells("it fails", "agent-1/start/0")
	s.tells("it is not tried at once")
	s.end(run, api.PhaseSucceeded)
	s.clock.Step(7 * time.Second)
	s.tells("what came first goes first", "agent-1/start/0")
	s.inbox.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	s.clock.Step(13 * time.Second)
	s.tells("it is asked for patience", "agent-1/start/0")
	s.inbox.answer = nil
	s.start()
	s.clock.Step(59 * time.Minute)
	s.tells("patience is for all of it")
	s.clock.Step(time.Minute)
	s.tells("all of it", "agent-1/start/0", "agent-1/done/0", "agent-2/start/0")
}

func TestWhatIsTooLateIsGivenUpAndSaid(t *testing.T) {
	s := newSite(t)
	s.inbox.answer = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "out of order", http.StatusBadGateway) }
	s.start()
	s.look()
	tries := 0
	for end := noon.Add(26 * time.Hour); s.clock.Now().Before(end); s.clock.Step(10 * time.Minute) {
		tries += len(s.tell())
	}
	if tries < 50 || tries > 160 {
		t.Errorf("it was tried %d times in a day", tries)
	}
	const want = "given up: 502 Bad Gateway: out of order"
	if got := s.listed()[0]; got.Outcome != want || got.Settled.IsZero() || got.Settled.After(noon.Add(25*time.Hour)) {
		t.Errorf("it is listed as %+v", got)
	}
	audit, err := s.ledger.ListEntries(t.Context(), "agent-1", 0)
	if err != nil || len(audit) != 1 || audit[0].Command != "notify" || audit[0].Scope != "pager" || audit[0].Outcome != want {
		t.Errorf("the audit says %+v, %v", audit, err)
	}

	s.clock.Step(time.Hour)
	s.inbox.answer = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "what is that?", http.StatusBadRequest) }
	s.start()
	s.tells("what it does not understand", "agent-2/start/0")
	s.clock.Step(time.Hour)
	s.tells("is not told again")
}

func TestAReceiverThatHangsHoldsUpNobody(t *testing.T) {
	s := newSite(t)
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	s.Receivers["hangs"] = hook(hanging.URL)
	s.Sender.Within = 0 // as it is by default
	ctx, end := context.WithCancel(t.Context())
	var done sync.WaitGroup
	defer done.Wait()
	defer end()
	s.start()
	done.Go(func() { s.Keep(ctx, slog.New(slog.DiscardHandler)) })
	for deadline := time.Now().Add(8 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		s.clock.Step(time.Second)
		if slices.Equal(s.inbox.take(), []string{"agent-1/start/0"}) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the other receiver was not told")
		}
	}
}

func TestAReceiverIsNotFlooded(t *testing.T) {
	s := newSite(t)
	s.Receivers["pager"].Spec.PerMinute = 3
	for range 5 {
		s.start()
	}
	s.tells("as many as may be", "agent-1/start/0", "agent-2/start/0", "agent-3/start/0")
	s.clock.Step(61 * time.Second)
	s.tells("the rest", "agent-4/start/0", "agent-5/start/0")
}

func TestAnswersAreBoundedAndSecretsMasked(t *testing.T) {
	in := newInbox(t)
	const token = "hunter2hunter2"
	in.answer = func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("no " + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + " "))
		_, _ = w.Write([]byte(strings.Repeat("x ", 5<<20)))
	}
	store := secret.Store{Lookup: func(name string) (string, bool) {
		switch name {
		case "SLUICE_SECRET_T":
			return token, true
		case "SLUICE_SECRET_URL":
			return "http://127.0.0.1:1/services/T0/B0/" + token, true
		}
		return "", false
	}}
	send := func(r *pipelines.Receiver) notify.Answer {
		s := &notify.Sender{Secrets: store, Clock: testclock.NewFakeClock(noon), Within: 3 * time.Second}
		return s.Send(t.Context(), r, notify.Sample("pager", noon))
	}
	r := hook(in.address)
	r.Spec.Webhook.BearerToken = &pipelines.WorkerSecret{Env: "SLUICE_SECRET_T"}
	if a := send(r); a.Took || a.Never || len(a.Says) > 400 || strings.Contains(a.Says, token) || !strings.Contains(a.Says, "502 Bad Gateway: no") {
		t.Errorf("it said %+v", a)
	}
	slack := &pipelines.Receiver{Spec: pipelines.ReceiverSpec{Slack: &pipelines.SlackReceiver{URLFrom: pipelines.WorkerSecret{Env: "SLUICE_SECRET_URL"}}}}
	if a := send(slack); a.Took || a.Never || strings.Contains(a.Says, token) || strings.Contains(a.Says, "services") {
		t.Errorf("it said %+v", a)
	}
	slack.Spec.Slack.URLFrom.Env = "SLUICE_SECRET_NONE"
	if a := send(slack); a.Took || a.Never || !strings.Contains(a.Says, "it is not set here") {
		t.Errorf("it said %+v", a)
	}
	in.answer = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}
	in.take()
	if a := send(r); a.Took || !a.Never || len(in.take()) != 1 {
		t.Errorf("a redirect was followed: %+v", a)
	}
	in.answer = func(http.ResponseWriter, *http.Request) { time.Sleep(4 * time.Second) }
	if a := send(r); a.Took || a.Never || a.Says != "it did not answer in time" {
		t.Errorf("it said %+v", a)
	}
}
