package postgres_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/permit"
)

// kindOfWrite is a write that runs make, for the i-th time.
type kindOfWrite struct {
	name  string
	write func(ctx context.Context, l ledger.Ledger, i int) error
}

// now is the time of what the benchmark writes.
var now = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func kindsOfWrites(objects string) []kindOfWrite {
	cluster := func(i int) string { return fmt.Sprintf("c-%d", i%50) }
	return []kindOfWrite{
		{"blob", func(ctx context.Context, l ledger.Ledger, i int) error {
			_, err := l.PutBlob(ctx, fmt.Appendf(nil, "%d: %2000d", i, i))
			return err
		}},
		{"plan", func(ctx context.Context, l ledger.Ledger, i int) error {
			return l.SavePlan(ctx, ledger.Plan{Hash: fmt.Sprintf("sha256:%064d", i), Subject: agent, Body: objects, Created: now})
		}},
		{"run", func(ctx context.Context, l ledger.Ledger, i int) error {
			r, err := l.NewRun(ctx, ledger.Run{Plan: "p", Subject: agent, Phase: "Running", Started: now})
			if err != nil {
				return err
			}
			r.Phase, r.Ended = "Succeeded", now
			return l.SaveRun(ctx, r)
		}},
		{"fence", func(ctx context.Context, l ledger.Ledger, i int) error {
			_, err := l.NextFence(ctx, cluster(i), agent, 0)
			return err
		}},
		{"write", func(ctx context.Context, l ledger.Ledger, i int) error {
			w := ledger.Write{Run: "agent-1", Cluster: cluster(i), Subject: agent, Object: fmt.Sprintf("apps/DaemonSet/a/%d", i), Step: "patch", At: now}
			return l.SaveWrite(ctx, w)
		}},
		{"pre-image", func(ctx context.Context, l ledger.Ledger, i int) error {
			p := ledger.PreImage{Run: "agent-1", Cluster: cluster(i), Subject: agent, Object: fmt.Sprint("apps/DaemonSet/a/", i), Image: objects, At: now}
			return l.SavePreImage(ctx, p)
		}},
		{"deployment", func(ctx context.Context, l ledger.Ledger, i int) error {
			d := ledger.Deployment{Cluster: cluster(i), Subject: agent, Objects: objects, Run: fmt.Sprint(i), Fence: 1}
			return l.SaveDeployment(ctx, d)
		}},
		{"observation", func(ctx context.Context, l ledger.Ledger, i int) error {
			return l.SaveObservation(ctx, ledger.Observation{Cluster: cluster(i), Subject: agent, Run: "agent-1", Updated: i, Seen: now})
		}},
		{"beat", func(ctx context.Context, l ledger.Ledger, i int) error {
			return l.SaveBeat(ctx, ledger.Beat{Worker: fmt.Sprint("worker-", i%20), Queues: []string{"sluice"}, Since: now, Seen: now})
		}},
		{"audit", func(ctx context.Context, l ledger.Ledger, i int) error {
			return l.AddEntry(ctx, ledger.Entry{At: now, Who: "ann", Command: "run", Object: fmt.Sprint("agent-", i), Outcome: "accepted"})
		}},
		{"permit", func(ctx context.Context, l ledger.Ledger, i int) error {
			p := permit.Permit{Run: fmt.Sprint("dns-", i), Subject: agent, Cluster: cluster(i), Holder: permit.Holder{Workflow: "w", At: now}}
			if _, err := l.Enter(ctx, p, nil, now); err != nil {
				return err
			}
			return l.Leave(ctx, p.Run, p.Cluster, now)
		}},
		{"outcome", func(ctx context.Context, l ledger.Ledger, i int) error {
			return l.NoteOutcome(ctx, ledger.Outcome{Run: fmt.Sprint("agent-", i), Cluster: cluster(i), Plan: "p", Failed: now})
		}},
		{"freeze", func(ctx context.Context, l ledger.Ledger, i int) error {
			f, err := l.AddFreeze(ctx, api.Freeze{Origin: api.FreezePerson, InFlight: api.Finish, By: "ann", Reason: "r", Since: now})
			if err != nil {
				return err
			}
			_, err = l.LiftFreeze(ctx, f.Name, ledger.Lift{By: "ann", Reason: "r", At: now})
			return err
		}},
	}
}

// BenchmarkLedgerWrites makes the same writes in PostgreSQL and in SQLite, in turns so that both have the machine as it is, and prints how
// fast the one is beside the other: by one writer, and by sixteen, as a worker has. The limit is half as fast, over all kinds.
func BenchmarkLedgerWrites(b *testing.B) {
	for _, writers := range []int{1, 16} {
		file, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"))
		if err != nil {
			b.Fatal(err)
		}
		stores := []ledger.Ledger{file, server(b).New(b)}
		var objects string
		for _, l := range stores {
			if objects, err = l.PutBlob(b.Context(), []byte("objects")); err != nil {
				b.Fatal(err)
			}
		}
		var all [2]time.Duration
		for _, kind := range kindsOfWrites(objects) {
			b.Run(fmt.Sprintf("writers=%d/%s", writers, kind.name), func(b *testing.B) {
				var took [2]time.Duration
				from := 0
				for b.Loop() {
					more := compare(b, stores, kind, writers, from)
					took[0], took[1], from = took[0]+more[0], took[1]+more[1], from+writesCompared
				}
				all[0], all[1] = all[0]+took[0], all[1]+took[1]
				b.ReportMetric(float64(took[1].Microseconds())/float64(from), "us/write")
				b.ReportMetric(float64(took[0])/float64(took[1]), "times-as-fast")
				b.ReportMetric(0, "ns/op")
			})
		}
		b.Run(fmt.Sprintf("writers=%d/all", writers), func(b *testing.B) {
			b.ReportMetric(float64(all[0])/float64(all[1]), "times-as-fast")
			b.ReportMetric(0.5/(float64(all[0])/float64(all[1])), "ratio/limit")
			b.ReportMetric(0, "ns/op")
		})
		if err := file.Close(); err != nil {
			b.Error(err)
		}
	}
}

// writesCompared is how many writes a comparison makes in each store, in rounds.
const (
	rounds, inRound = 8, 64
	writesCompared  = rounds * inRound
)

// compare is how long writes take in each store, all together.
func compare(b *testing.B, stores []ledger.Ledger, kind kindOfWrite, writers, from int) (took [2]time.Duration) {
	for round := range rounds {
		for s, l := range stores {
			began := time.Now()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := w; i < inRound; i += writers {
						if err := kind.write(b.Context(), l, from+round*inRound+i); err != nil {
							b.Errorf("%s: %v", kind.name, err)
						}
					}
				})
			}
			wg.Wait()
			took[s] += time.Since(began)
		}
	}
	return took
}
