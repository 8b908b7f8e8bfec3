package postgres_test

import (
	"fmt"
	"sync"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/pipelines"
)

// TestWritesThatDecideTakeTurns has two processes' worth of handles decide about the same thing at once.
func TestWritesThatDecideTakeTurns(t *testing.T) {
	database := server(t).Database(t)
	handles := []ledger.Ledger{postgrestest.Open(t, database), postgrestest.Open(t, database)}
	const writers, each = 8, 30
	all := func(f func(l ledger.Ledger, i int) error) (errs []error) {
		var wg sync.WaitGroup
		said := make(chan error, writers*each)
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					said <- f(handles[w%len(handles)], w*each+i)
				}
			})
		}
		wg.Wait()
		close(said)
		for err := range said {
			errs = append(errs, err)
		}
		return errs
	}
	count := func(errs []error, code fault.Code) (n int) {
		for _, err := range errs {
			switch fault.CodeOf(err) {
			case code:
				n++
			case "":
			default:
				t.Errorf("it failed otherwise: %v", err)
			}
		}
		return n
	}
	t.Run("no number of a run is given twice", func(t *testing.T) {
		count(all(func(l ledger.Ledger, _ int) error {
			_, err := l.NewRun(t.Context(), ledger.Run{Plan: "p", Subject: agent})
			return err
		}), "")
		newest := must(handles[0].ListRuns(t.Context(), agent, 1))
		if want := ledger.RunName(agent, writers*each); len(newest) != 1 || newest[0].Name != want {
			t.Errorf("the newest of %d is %+v, want %s", writers*each, newest, want)
		}
	})
	t.Run("a run that goes back freezes once", func(t *testing.T) {
		var names sync.Map
		count(all(func(l ledger.Ledger, i int) error {
			f, err := l.AddFreeze(t.Context(), api.Freeze{
				Origin: api.FreezeRollback, InFlight: api.PauseNow, By: "ann", Reason: "r", Since: now,
				Run: fmt.Sprint("agent-", i%each), Scope: api.FreezeScope{Digest: "sha256:a"},
			})
			names.Store(f.Name, true)
			return err
		}), "")
		list, revision, err := handles[1].Frozen(t.Context())
		if err != nil || len(list) != each || revision != each {
			t.Errorf("%d freezes hold at revision %d, %v; want %d at %d", len(list), revision, err, each, each)
		}
		n := 0
		names.Range(func(_, _ any) bool { n++; return true })
		if n != each {
			t.Errorf("%d names were handed out", n)
		}
	})
	t.Run("a bound is kept by all together", func(t *testing.T) {
		errs := all(func(l ledger.Ledger, i int) error {
			_, err := l.AddBypass(t.Context(), ledger.Bypass{Plan: "sha256:p", Of: fmt.Sprint("freeze-", i), By: "bob", Reason: "r", At: now})
			return err
		})
		more := all(func(l ledger.Ledger, i int) error {
			_, err := l.AddBypass(t.Context(), ledger.Bypass{Plan: "sha256:p", Of: fmt.Sprint("freeze-", 1000+i), By: "bob", Reason: "r", At: now})
			return err
		})
		refused := count(errs, fault.Refused) + count(more, fault.Refused)
		if has := len(must(handles[0].Bypasses(t.Context(), "sha256:p"))); has != ledger.MaxBypasses || refused != 2*writers*each-has {
			t.Errorf("%d are there and %d were refused, of %d", has, refused, ledger.MaxBypasses)
		}
	})
	t.Run("the last place is given to one", func(t *testing.T) {
		limits := []permit.Limit{{Name: "one", Domain: "rack", Units: 1, OnConflict: pipelines.ConflictQueue}}
		var given sync.Map
		all(func(l ledger.Ledger, i int) error {
			p := permit.Permit{
				Run: fmt.Sprint("dns-", i), Subject: api.Component("dns"), Cluster: fmt.Sprint("c", i), Domains: []string{"rack=7"},
				Holder: permit.Holder{Workflow: "w", At: now},
			}
			said, err := l.Enter(t.Context(), p, limits, now)
			if err == nil && said.Given() {
				given.Store(i, true)
			}
			return nil
		})
		n := 0
		given.Range(func(_, _ any) bool { n++; return true })
		if n != 1 {
			t.Errorf("%d units were let in, want 1", n)
		}
	})
	t.Run("an older fence never follows a newer one", func(t *testing.T) {
		objects := must(handles[0].PutBlob(t.Context(), []byte("objects")))
		count(all(func(l ledger.Ledger, i int) error {
			return l.SaveDeployment(t.Context(), ledger.Deployment{
				Cluster: fmt.Sprint("c", i%each), Subject: agent, Objects: objects, Run: fmt.Sprint("agent-", i), Fence: int64(i / each),
			})
		}), fault.Conflict)
		for _, d := range must(handles[0].ListDeployments(t.Context(), "", agent)) {
			if d.Fence != writers-1 {
				t.Errorf("what is deployed in %s has fence %d, want %d", d.Cluster, d.Fence, writers-1)
			}
		}
	})
	t.Run("how it went is added to, and not replaced", func(t *testing.T) {
		count(all(func(l ledger.Ledger, i int) error {
			o := ledger.Outcome{Run: fmt.Sprint("agent-", i%each), Cluster: "c", Plan: "p", Failed: now}
			switch i / each {
			case 0:
			case 1:
				o.Ended = now
			default:
				return nil
			}
			return l.NoteOutcome(t.Context(), o)
		}), "")
		for _, o := range must(handles[0].ListOutcomes(t.Context(), now.Add(-1))) {
			if o.Failed.IsZero() || o.Ended.IsZero() {
				t.Errorf("something is lost of %+v", o)
			}
		}
	})
}
