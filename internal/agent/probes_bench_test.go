package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/postgres"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/probing"
)

// fleetOfProbes are sites with clusters, in each of which a case comes to a result every six seconds.
type fleetOfProbes struct {
	agents, clusters int // clusters of each agent

	talking atomic.Bool
	said    atomic.Int64
}

const resultEvery = 6 * time.Second // ten a minute

// talk says what is found in the clusters of a site while the fleet is talking.
func (f *fleetOfProbes) talk(ctx context.Context, all *sync.WaitGroup) func(string, func(context.Context, probing.Said) error) {
	return func(site string, say func(context.Context, probing.Said) error) {
		for i := range f.clusters {
			all.Go(func() { f.of(ctx, clusterOf(site, i), say) })
		}
	}
}

func (f *fleetOfProbes) of(ctx context.Context, cluster string, say func(context.Context, probing.Said) error) {
	wait := time.NewTimer(rand.N(resultEvery))
	defer wait.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		wait.Reset(resultEvery)
		if !f.talking.Load() {
			continue
		}
		now := time.Now()
		o := probing.Outcome{
			ID: fmt.Sprintf("case-%d-%d", n%20, n), Case: fmt.Sprintf("case-%d", n%20), Started: now.Add(-time.Second), Ended: now,
			Cause: probing.Cause{Kind: probing.BySchedule, Key: strconv.Itoa(n)}, Result: probing.Result{Verdict: api.Passed, By: "report"},
		}
		err := say(ctx, probing.Said{Cluster: cluster, At: now, Outcomes: []probing.Outcome{o}, Stands: []probing.Stand{{
			Case: o.Case, State: probing.Passing, Since: now, Streak: n, Until: now.Add(15 * time.Minute), Last: &o,
		}}})
		if err == nil {
			f.said.Add(1)
		}
	}
}

// heard is how many results a server has said that it keeps.
func (s *server) heard() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.late)
}

// BenchmarkProbesLimits has 1,000 clusters of 50 sites come to 10 results a minute each, which their agents write to disk and say to one
// server in another process: for a while, and then while it is killed every 20 seconds.
func BenchmarkProbesLimits(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		for range b.N {
			dir := newFleet(b)
			probesLimits(b, dir, func() (ledger.Ledger, error) {
				return sqlite.Open(context.Background(), filepath.Join(dir, "ledger.db"))
			})
		}
	})
	b.Run("postgres", func(b *testing.B) {
		for range b.N {
			url := postgrestest.Start(b).Database(b)
			probesLimits(b, newFleet(b), func() (ledger.Ledger, error) { return postgres.Open(context.Background(), url, true) }, url)
		}
	})
}

func probesLimits(b *testing.B, dir string, open func() (ledger.Ledger, error), url ...string) {
	const (
		agents, clusters, watched = 50, 20, 30 * time.Second
		killed, killEvery         = 2, 20 * time.Second
		within                    = 2000 // milliseconds
	)
	l, err := open() // so that there is one
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	more := append([]string{strconv.Itoa(clusters)}, url...)
	s := startServer(b, dir, "127.0.0.1:0", agents, more...)
	f := &fleetOfProbes{agents: agents, clusters: clusters}
	ctx, stop := context.WithCancel(b.Context())
	var talking sync.WaitGroup
	defer talking.Wait()
	defer stop()
	dialIn(b, dir, s.address, agents, f.talk(ctx, &talking))
	s.until("all are there", func() bool { return len(s.polled) == agents })
	f.talking.Store(true)
	time.Sleep(resultEvery)
	before, _ := s.spent()
	from := s.heard()
	time.Sleep(watched)
	after, bytes := s.spent()
	s.mu.Lock()
	late := slices.Sorted(slices.Values(s.late[from:]))
	s.mu.Unlock()
	b.ReportMetric(float64(len(late))/watched.Seconds(), "results/s")
	b.ReportMetric(float64(late[len(late)/2]), "ms-late-p50")
	b.ReportMetric(float64(late[len(late)*99/100]), "ms-late-p99")
	b.ReportMetric((after-before).Seconds()/watched.Seconds(), "cores-of-the-server")
	b.ReportMetric(float64(bytes)/(1<<20), "MB-of-the-server")
	if p99 := late[len(late)*99/100]; p99 > within {
		b.Errorf("of 100 results 1 is kept more than %d ms after it was found (limit %d)", p99, within)
	}
	var servers []*server // that took the place of a killed one
	for range killed {
		time.Sleep(killEvery)
		s.kill()
		s = startServer(b, dir, s.address, agents, more...)
		servers = append(servers, s)
	}
	time.Sleep(killEvery / 2)
	f.talking.Store(false)
	time.Sleep(resultEvery + 10*time.Second) // until all is said
	s.kill()
	var around []int64
	for _, s := range servers {
		s.mu.Lock()
		around = append(around, s.late...)
		s.mu.Unlock()
	}
	if len(around) == 0 {
		b.Fatal("nothing came to a server that took the place of a killed one")
	}
	slices.Sort(around)
	b.ReportMetric(float64(around[len(around)*99/100]), "ms-late-p99-around-kills")
	b.ReportMetric(float64(around[len(around)-1]), "ms-late-most-around-kills")
	if l, err = open(); err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	kept := int64(0)
	for i := range agents * clusters {
		of := ledger.ProbesOf{Cluster: clusterOf(fmt.Sprintf("agent-%04d", i/clusters), i%clusters)}
		hours, err := l.ListProbeHours(context.Background(), of, time.Time{})
		if err != nil {
			b.Fatal(err)
		}
		for _, h := range hours {
			kept += h.Runs
		}
	}
	b.ReportMetric(float64(f.said.Load()), "results-said")
	if said := f.said.Load(); kept != said {
		b.Errorf("%d of %d results are kept after the server was killed %d times", kept, said, killed)
	}
	if len(url) == 0 {
		if info, err := os.Stat(filepath.Join(dir, "ledger.db")); err == nil {
			b.ReportMetric(float64(info.Size())/float64(kept), "bytes-on-disk/result")
		}
	}
}
