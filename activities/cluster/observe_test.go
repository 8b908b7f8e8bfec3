package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/cluster/pulse"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// observations is a ledger of observations only.
type observations struct {
	ledger.Ledger
	save func() error
}

func (o observations) SaveObservation(context.Context, ledger.Observation) error { return o.save() }

func judged(cel string) step.AdvanceRequest {
	return step.AdvanceRequest{Checks: []pipelines.ResolvedCheck{{
		Name: "check", At: []pipelines.Point{pipelines.During}, Enforcement: pipelines.Enforcing,
		Gates: []pipelines.ResolvedGate{{Name: "gate", CEL: cel}},
	}}}
}

// lookers are the looks of a soak and of a batch, and what each keeps as bad.
func lookers(t *testing.T, cel string, save func() error) map[string]func(context.Context) (api.Facts, error) {
	a := &Activities{Ledger: observations{save: save}, Checks: check.New(), Clock: clock.RealClock{}}
	seen := rule.Workload{Name: "agent", Restarts: 3}
	return map[string]func(context.Context) (api.Facts, error){
		"a soak": func(ctx context.Context) (api.Facts, error) {
			p := &post{req: judged(cel)}
			l := &lookout{a: a, posts: []*post{p}}
			err := l.look(p)(ctx, seen, rule.Batch{})
			return l.bad, err
		},
		"a batch": func(ctx context.Context) (api.Facts, error) {
			w := &watcher{a: a, req: judged(cel), beat: &pulse.Pulse{}, pace: pulse.NewPace(step.AdvanceRequest{}, step.Progress{}, time.Now())}
			w.end, w.over = func(error) {}, func() {}
			w.sit(ctx)
			err := w.look(ctx, seen, rule.Batch{})
			w.last()
			return w.seen, err
		},
	}
}

func TestALookThatIsCutShortIsNoVerdict(t *testing.T) {
	for name, look := range lookers(t, "workload.restarts == 0", func() error { return nil }) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if bad, err := look(ctx); !errors.Is(err, context.Canceled) || len(bad.Checks) > 0 {
			t.Errorf("%s: a cancelled look gave %v and %+v", name, err, bad.Checks)
		}
	}
}

func TestALedgerThatCannotBeWrittenKeepsNoCheckFromJudging(t *testing.T) {
	for name, look := range lookers(t, "workload.restarts == 0", func() error { return errors.New("the disk is full") }) {
		if bad, err := look(t.Context()); !errors.Is(err, check.ErrNotPassed) || len(bad.Checks) != 1 || bad.Checks[0].Verdict != api.Failed {
			t.Errorf("%s: a check that fails gave %v and %+v", name, err, bad.Checks)
		}
	}
	for name, look := range lookers(t, "workload.restarts == 3", func() error { return errors.New("the disk is full") }) {
		if _, err := look(t.Context()); err != nil {
			t.Errorf("%s: a check that passes gave %v", name, err)
		}
	}
}

// Only Failed may roll back by itself, so that no other verdict may hide it.
func TestTheWorstVerdictOfASoakIsKept(t *testing.T) {
	const failed, broken = "workload.restarts == 0", "unit.labels['missing'] == 'x'"
	cases := map[string]struct {
		reason string
		cels   []string
		want   api.Verdict
		name   string
	}{
		"a failure, then an error":     {"Failed decides", []string{failed, broken}, api.Failed, "first"},
		"an error, then a failure":     {"Failed decides, however late", []string{broken, failed}, api.Failed, "second"},
		"a failure, then a failure":    {"the first is what ended the soak", []string{failed, failed}, api.Failed, "first"},
		"an error, then another error": {"the first is what ended the soak", []string{broken, broken}, api.Error, "first"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			l := &lookout{a: &Activities{Ledger: observations{save: func() error { return nil }}, Checks: check.New(), Clock: clock.RealClock{}}}
			for _, cel := range test.cels {
				l.posts = append(l.posts, &post{req: judged(cel)})
			}
			for i, workload := range []string{"first", "second"} {
				if err := l.look(l.posts[i])(t.Context(), rule.Workload{Name: workload, Restarts: 3}, rule.Batch{}); !errors.Is(err, check.ErrNotPassed) {
					t.Fatal(err)
				}
			}
			if v, of := l.bad.Checks[0].Verdict, l.bad.Facts.Workload.Name; v != test.want || of != test.name {
				t.Errorf("%s of the %s workload is kept, want %s of the %s: %s", v, of, test.want, test.name, test.reason)
			}
		})
	}
}
