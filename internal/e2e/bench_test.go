package e2e_test

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/witness"
)

// BenchmarkBatchGap measures, with no soak, how long it takes from a batch being ready in the cluster to the first pod of
// the next batch being taken, as a watch on the API server sees both. The limit is 500 ms at the 95th percentile.
func BenchmarkBatchGap(b *testing.B) {
	s := newSite(b, "gap")
	s.work()
	s.install()
	version := "2.0.0"
	var gaps []time.Duration
	for b.Loop() {
		rec := s.record("a")
		if end := s.ended(s.start(version, "steps"), 2*time.Minute); end.Phase != api.PhaseSucceeded {
			b.Fatalf("the run ended %s", end.Phase)
		}
		gaps = append(gaps, gapsOf(rec.Stop(), version)...)
		if version == "2.0.0" {
			version = "1.0.0"
		} else {
			version = "2.0.0"
		}
	}
	if len(gaps) < nodes-1 {
		b.Fatalf("%d gaps were seen", len(gaps))
	}
	slices.Sort(gaps)
	p95 := gaps[(len(gaps)*95+99)/100-1]
	b.ReportMetric(float64(gaps[len(gaps)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(p95.Milliseconds()), "p95-ms")
	b.ReportMetric(float64(p95)/float64(500*time.Millisecond), "p95/limit")
}

// gapsOf returns the times from a pod of the new version being ready to the next old pod being deleted.
func gapsOf(rec witness.Recording, tag string) []time.Duration {
	var out []time.Duration
	var ready time.Time
	seen := map[string]bool{}
	for _, e := range rec {
		switch {
		case e.Pod.Tag() == tag && e.Pod.Ready && !seen[e.Pod.UID]:
			seen[e.Pod.UID] = true
			ready = e.At
		case e.Pod.Tag() != tag && (e.Pod.Deleting || e.Gone) && !ready.IsZero():
			out = append(out, e.At.Sub(ready))
			ready = time.Time{}
		}
	}
	return out
}

// BenchmarkRequests counts, in the API server's audit log by user agent, what Sluice asks of one cluster of 40 nodes for one
// rollout of a DaemonSet, once by a worker that has just started and once by one that made the plan. The limit is 10, and 2
// for each batch, and 1 for each pod that it deletes.
func BenchmarkRequests(b *testing.B) {
	const nodes = 40
	s := newSiteOn(b, localtest.Start(b, []string{"a", "b"}, nodes), "asked")
	kill := s.work()
	s.install()
	versions := []string{"2.0.0", "1.0.0"}
	for i, name := range []string{"fresh-worker", "same-worker"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p := s.plan(versions[i], "careful-no-soak")
				if err := p.Refused(); err != nil {
					b.Fatal(err)
				}
				if name == "fresh-worker" {
					kill()
					kill = s.work()
				}
				before := s.requests("a")
				run, err := s.engine.Run(b.Context(), engine.RunRequest{Plan: p.Hash, By: "bench"})
				if err != nil {
					b.Fatal(err)
				}
				if end := s.ended(run.Name, 5*time.Minute); end.Phase != api.PhaseSucceeded {
					b.Fatalf("the run ended %s", end.Phase)
				}
				time.Sleep(2 * time.Second) // the audit log is written behind the requests
				report := s.report(run.Name)
				batches, total := 0, 0
				for _, batch := range report.Stages[0].Units[0].Batches {
					if batch.Skipped == "" {
						batches++
					}
				}
				for what, n := range s.requests("a") {
					if n -= before[what]; n > 0 {
						total += n
						b.Logf("%3d %s", n, what)
					}
				}
				limit := 10 + 2*batches + nodes
				b.ReportMetric(float64(total), "requests")
				b.ReportMetric(float64(limit), "limit")
				b.ReportMetric(float64(total)/float64(limit), "requests/limit")
			}
		})
	}
}

// requests counts the requests of Sluice's workers in a cluster's audit log, by verb and resource.
func (s *site) requests(cluster string) map[string]int {
	s.t.Helper()
	stack, err := os.ReadFile(s.stack.Dir + "/stack.json")
	if err != nil {
		s.t.Fatal(err)
	}
	var d struct {
		Clusters []struct{ Name, AuditLog string } `json:"clusters"`
	}
	if err := json.Unmarshal(stack, &d); err != nil {
		s.t.Fatal(err)
	}
	out := map[string]int{}
	for _, c := range d.Clusters {
		if c.Name != cluster {
			continue
		}
		f, err := os.Open(c.AuditLog)
		if err != nil {
			s.t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			var e struct {
				UserAgent, Verb, Stage, RequestURI string
				ObjectRef                          struct{ Resource, Subresource string }
			}
			if json.Unmarshal(lines.Bytes(), &e) != nil || !strings.HasPrefix(e.UserAgent, "sluice-e2e") {
				continue
			}
			if e.Stage == "ResponseComplete" && e.Verb != "watch" || e.Stage == "ResponseStarted" && e.Verb == "watch" {
				what := e.ObjectRef.Resource
				if e.ObjectRef.Subresource != "" {
					what += "/" + e.ObjectRef.Subresource
				}
				if what == "" {
					what = e.RequestURI
				}
				out[e.Verb+" "+what]++
			}
		}
	}
	return out
}
