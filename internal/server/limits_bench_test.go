package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/bundle"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// BenchmarkServerLimits measures a server in a process of its own, over TLS, with tokens of an issuer and 50 bindings. Temporal answers at
// once and clusters need no looking at, so that nothing hides what the server adds.
func BenchmarkServerLimits(b *testing.B) {
	b.Run("plan", measurePlan)
	b.Run("reads", measureReads)
	b.Run("watchers", measureWatchers)
	b.Run("bodies", measureBodies)
}

// measurePlan plans 1,000 clusters through the server and without it in turn, by a Temporal that says at once what it sees in all of them:
// what is added is what sending documents and a large answer cost. What that is beside looking at clusters, the end-to-end bench measures.
func measurePlan(b *testing.B) {
	m := newMeasured(b, 2, func(ledger.Ledger, string) {})
	through, without := m.command(1), measuredEngine(m.ledger, m.dir)
	request := engine.PlanRequest{Files: engine.Files{Paths: []string{fleet(b, 1_000)}}, Component: "node-agent", By: "ann"}
	for b.Loop() {
		var ratios, bare, asked []float64
		for i := range 12 {
			took := [2]float64{}
			for j := range took {
				ask := without.Plan
				if (i+j)%2 == 1 {
					ask = through.Plan
				}
				began := time.Now()
				planned, err := ask(b.Context(), request)
				if err != nil {
					b.Fatal(err)
				}
				took[(i+j)%2] = time.Since(began).Seconds()
				if len(planned.Live.Clusters) != 1_000 || planned.Plan.Units() != 1_000 {
					b.Fatalf("%d clusters are planned, %d seen", planned.Plan.Units(), len(planned.Live.Clusters))
				}
			}
			if i > 0 { // the first of a process is slower, whichever way
				bare, asked, ratios = append(bare, took[0]), append(asked, took[1]), append(ratios, took[1]/took[0])
			}
		}
		b.ReportMetric(median(bare)*1000, "ms-without")
		b.ReportMetric(median(asked)*1000, "ms-through")
		b.ReportMetric(median(ratios), "through/without")
	}
}

// measureReads asks a server with one core 500 times a second for seven kinds of things, twenty people by turns. A request counts from
// when it was to be sent. 99 of 100 are answered within 100 ms.
func measureReads(b *testing.B) {
	const rate, lasting = 500, 20 * time.Second
	var runs []ledger.Run
	m := newMeasured(b, 1, func(l ledger.Ledger, dir string) { runs = busy(b, l, dir) })
	paths := func(i int) (what, path string) {
		run := runs[i/7%len(runs)]
		switch i % 7 {
		case 0:
			return "runs", "/runs?limit=20"
		case 1:
			return "run", "/runs/" + run.Name
		case 2:
			return "why", "/runs/" + run.Name + "/why"
		case 3:
			return "plan", "/plans/" + run.Plan
		case 4:
			return "audit", "/audit?limit=50"
		case 5:
			return "clusters", "/clusters?component=" + run.Subject.String()
		}
		return "can-i", "/can-i/operate?component=" + run.Subject.String()
	}
	var people [measuredPeople]struct {
		*http.Client
		token string
	}
	for i := range people {
		people[i].Client, people[i].token = m.connections(), m.token(i)
	}
	ask := func(i int) error {
		who := i / 7 % measuredPeople
		what, path := paths(i)
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, m.url+wire.Prefix+path, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+people[who].token)
		response, err := people[who].Do(r)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		data, err := io.ReadAll(response.Body)
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s: %s", what, response.Status, data)
		}
		return err
	}
	for i := range 7 * measuredPeople {
		if err := ask(i); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		const n = int(rate * lasting / time.Second)
		took, failed := make([]float64, n), make([]error, n)
		before := m.spent()
		began := time.Now()
		var all sync.WaitGroup
		for i := range n {
			due := began.Add(time.Duration(i) * time.Second / rate)
			time.Sleep(time.Until(due))
			all.Go(func() {
				failed[i] = ask(i)
				took[i] = time.Since(due).Seconds() * 1000
			})
		}
		all.Wait()
		spent := m.spent() - before
		for _, err := range failed {
			if err != nil {
				b.Fatal(err)
			}
		}
		var of [7][]float64
		for i, t := range took {
			of[i%7] = append(of[i%7], t)
		}
		for i := range of {
			what, _ := paths(i)
			b.ReportMetric(median(of[i]), "p50-ms-"+what)
		}
		slices.Sort(took)
		p99 := took[(n*99+99)/100-1]
		b.ReportMetric(took[n/2], "p50-ms")
		b.ReportMetric(p99, "p99-ms")
		b.ReportMetric(spent.Seconds()/lasting.Seconds(), "cores")
		b.ReportMetric(p99/100, "p99/limit")
	}
}

// measureWatchers has 1,000 command lines watch 100 runs in which nothing moves. The whole process takes 150 MB at most.
func measureWatchers(b *testing.B) {
	const watchers, limit = 1_000, 150
	var runs []ledger.Run
	m := newMeasured(b, 2, func(l ledger.Ledger, dir string) { runs = busy(b, l, dir) })
	first, err := m.command(0).Greet(b.Context())
	if err != nil || first.Installation != "measured" {
		b.Fatal(first, err)
	}
	for b.Loop() {
		before := m.resident("VmRSS")
		ctx, stop := context.WithCancel(b.Context())
		var all sync.WaitGroup
		heard, wrong := make(chan struct{}, 2*watchers), make(chan error, 2*watchers)
		for i := range watchers {
			person := m.command(i % measuredPeople)
			all.Go(func() {
				err := person.Watch(ctx, runs[i%len(runs)].Name, func(_ engine.View, err error) {
					if err != nil {
						wrong <- err
						return
					}
					heard <- struct{}{}
				})
				if ctx.Err() == nil {
					wrong <- fmt.Errorf("a watcher ended: %w", err)
				}
			})
			time.Sleep(2 * time.Millisecond)
		}
		for range watchers {
			select {
			case <-heard:
			case err := <-wrong:
				b.Fatal(err)
			case <-time.After(time.Minute):
				b.Fatal("not all watchers hear of their runs")
			}
		}
		var most float64
		spent := m.spent()
		const looks = 20
		for range looks {
			time.Sleep(time.Second)
			most = max(most, m.resident("VmRSS"))
		}
		spent = m.spent() - spent
		stop()
		all.Wait()
		b.ReportMetric(before, "MB-before")
		b.ReportMetric(most, "MB-watched")
		b.ReportMetric(most-before, "MB-of-watchers")
		b.ReportMetric(m.resident("VmHWM"), "MB-at-most")
		b.ReportMetric(spent.Seconds()/looks, "cores")
		b.ReportMetric(most/limit, "MB/limit")
	}
}

// measureBodies has somebody send 100 bodies at once, by turns archives of 12 MB, 24 MB of numbers, and documents with as many values as may be,
// and ten others an archive each. The whole process takes 2,000 MB at most, the others have an answer, and who asks for something small
// meanwhile is not kept waiting.
func measureBodies(b *testing.B) {
	const limit, many, others = 2_000, 100, 10
	m := newMeasured(b, 2, func(ledger.Ledger, string) {})
	noise := make([]byte, 9<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	archive := largeBody(b, "noise.bin", noise)
	values := largeBody(b, "values.yaml", []byte("{a"+strings.Repeat(",a", 399_000)+"}"))
	numbers := []byte(`{"paths":[0` + strings.Repeat(",0", 12<<20-100) + `]}`)
	for b.Loop() {
		before := m.resident("VmRSS")
		ctx, stop := context.WithCancel(b.Context())
		var senders, asks sync.WaitGroup
		answered, slowest := make(chan int, many+others), time.Duration(0)
		for i := range many + others {
			person := m.connections()
			token, body := m.token(max(0, i-many+1)), archive
			if i < many {
				body = [][]byte{archive, numbers, values}[i%3]
			}
			senders.Go(func() {
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+wire.Prefix+"/lint", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("Content-Type", "application/json")
				response, err := person.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				defer response.Body.Close()
				answered <- response.StatusCode
			})
		}
		small, token := m.connections(), m.token(others+1)
		asks.Go(func() {
			for ctx.Err() == nil {
				r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, m.url+wire.Prefix+"/whoami", nil)
				if err != nil {
					b.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+token)
				began := time.Now()
				response, err := small.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				response.Body.Close()
				slowest = max(slowest, time.Since(began))
				time.Sleep(50 * time.Millisecond)
			}
		})
		began := time.Now()
		senders.Wait()
		took := time.Since(began)
		stop()
		asks.Wait()
		close(answered)
		codes := map[int]int{}
		for code := range answered {
			codes[code]++
		}
		known := codes[http.StatusOK] + codes[http.StatusBadRequest] + codes[http.StatusServiceUnavailable]
		if known != many+others || codes[http.StatusOK] < others {
			b.Errorf("those who send much hear %v", codes)
		}
		most := m.resident("VmHWM")
		b.ReportMetric(before, "MB-before")
		b.ReportMetric(most, "MB-at-most")
		b.ReportMetric(took.Seconds(), "s-in-all")
		b.ReportMetric(float64(codes[http.StatusOK]), "answered")
		b.ReportMetric(slowest.Seconds()*1000, "ms-slowest-other")
		b.ReportMetric(most/limit, "MB/limit")
	}
}

// largeBody asks to lint an archive of a file beside a small one.
func largeBody(b *testing.B, file string, data []byte) []byte {
	b.Helper()
	dir := b.TempDir()
	for name, data := range map[string][]byte{
		"group.yaml": []byte("apiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: prod}\nspec: {environment: production}\n"),
		file:         data,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	packed, err := bundle.Pack([]string{dir}, []string{dir})
	if err != nil {
		b.Fatal(err)
	}
	body, err := json.Marshal(wire.LintBody{Sent: wire.Sent{Archive: packed.Archive, Paths: packed.Paths}})
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// busy has a ledger know 100 open runs, each of 50 clusters of which five move, what is deployed in them, and what was asked for.
func busy(b *testing.B, l ledger.Ledger, dir string) (runs []ledger.Run) {
	b.Helper()
	must := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	ctx, now := b.Context(), time.Now().UTC()
	docs, err := pipelines.Load(fleet(b, 50))
	must(err)
	objects, err := l.PutBlob(ctx, []byte("kind: ConfigMap\n"))
	must(err)
	for i := range 100 {
		component := *docs.Components["node-agent"][0]
		component.Metadata.Name = fmt.Sprintf("agent-%02d", i)
		p, err := plan.Build(plan.Input{
			Documents: docs, Pipeline: docs.Pipelines["agent"], Component: &component, Template: objects,
			Values: func(pipelines.Place) (string, error) { return objects, nil },
		})
		must(err)
		body, err := plan.Encode(p)
		must(err)
		stored := ledger.Plan{
			Hash: plan.Hash(p), Subject: p.Subject, Version: p.Version, Pipeline: p.Pipeline, Created: now, By: "corp:u01@example.com",
		}
		stored.Body, err = l.PutBlob(ctx, body)
		must(err)
		live := plan.Live{Plan: stored.Hash}
		for _, u := range p.AllUnits() {
			live.Clusters = append(live.Clusters, changing(u.Cluster))
		}
		looked, err := json.Marshal(live)
		must(err)
		stored.Live, err = l.PutBlob(ctx, looked)
		must(err)
		must(l.SavePlan(ctx, stored))
		run, err := l.NewRun(ctx, ledger.Run{
			Plan: stored.Hash, Subject: p.Subject, Version: p.Version, Phase: string(api.PhaseMoving), Started: now, By: stored.By,
		})
		must(err)
		said := api.RunStatus{
			Name: run.Name, Subject: p.Subject, Version: p.Version, Pipeline: p.Pipeline, Phase: api.PhaseMoving, Started: now, By: run.By,
		}
		stage := api.StageStatus{Name: "all", Phase: api.PhaseMoving}
		for n, u := range p.AllUnits() {
			at := api.UnitStatus{Path: u.Group + "/" + u.Cluster, Cluster: u.Cluster, Group: u.Group, Stage: "all", Phase: api.PhasePending}
			if n < 5 {
				at.Phase, at.Started, at.Version = api.PhaseMoving, now, p.Version
			}
			stage.Units = append(stage.Units, at)
			must(l.SaveDeployment(ctx, ledger.Deployment{
				Cluster: u.Cluster, Subject: p.Subject, Version: "1.0.0", Target: "sha256:" + strings.Repeat("c", 64), Objects: objects,
				Run: run.Name, Plan: stored.Hash, Fence: 1, Since: now,
			}))
		}
		said.Stages = append(said.Stages, stage)
		data, err := json.Marshal(said)
		must(err)
		must(os.WriteFile(filepath.Join(dir, run.Name), data, 0o600))
		for _, command := range []string{"plan", "run", "pause", "resume"} {
			must(l.AddEntry(ctx, ledger.Entry{At: now, Who: run.By, Command: command, Object: run.Name, Reason: "a bench", Outcome: "accepted"}))
		}
		runs = append(runs, run)
	}
	return runs
}

// fleet writes documents of so many clusters, twenty a group, with a component and a pipeline.
func fleet(b *testing.B, clusters int) string {
	b.Helper()
	dir := b.TempDir()
	var text strings.Builder
	for i := range clusters {
		if i%20 == 0 {
			fmt.Fprintf(&text, "---\napiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: group-%03d, labels: {line: l%d}}\n"+
				"spec: {environment: %s, networkDomain: vpc}\n", i/20, i/20%3, []string{"canary", "production", "production"}[i/20%3])
		}
		fmt.Fprintf(&text, "---\napiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata:\n  name: cluster-%05d\n  labels: {pool: p%d}\n"+
			"spec:\n  group: group-%03d\n  region: region-%d\n  userGrade: %d\n  size: {nodes: 100, pods: %d}\n", i, i%5, i/20, i%9, i%11, 2000+i)
	}
	for name, text := range map[string]string{
		"fleet.yaml": text.String(),
		"agent.yaml": `---
apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: agent}
spec:
  defaults:
    checks:
    - {name: ready, gate: {cel: "workload.updatedReady == batch.target"}, at: [afterBatch]}
  stages:
  - {name: canary, clusterGroups: {matchLabels: {environment: canary}}}
  - {name: production, clusterGroups: {all: true}, groupBy: region, maxConcurrency: 33%, maxUnreachable: 5%}
---
apiVersion: sluice.dev/v1alpha1
kind: Component
metadata: {name: node-agent}
spec: {version: 1.4.2, pipeline: agent, template: {chart: chart}}
`,
		"chart/Chart.yaml": "apiVersion: v2\nname: agent\nversion: 0.1.0\n", "chart/templates/cm.yaml": "kind: ConfigMap\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// resident is how many megabytes the process of the server takes, by a line of its status.
func (m *measured) resident(line string) float64 {
	m.tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.pid))
	if err != nil {
		m.tb.Fatal(err)
	}
	found := regexp.MustCompile(line + `:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		m.tb.Fatalf("the kernel says no %s", line)
	}
	kilobytes, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		m.tb.Fatal(err)
	}
	return kilobytes / 1024
}

// spent is how long the server has computed, in the hundredths of a second in which the kernel counts.
func (m *measured) spent() time.Duration {
	m.tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.pid))
	if err != nil {
		m.tb.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		m.tb.Fatalf("the kernel says %q", text)
	}
	var all time.Duration
	for _, field := range fields[11:13] { // in the program, and in the kernel for it
		ticks, err := strconv.Atoi(field)
		if err != nil {
			m.tb.Fatal(err)
		}
		all += time.Duration(ticks) * 10 * time.Millisecond
	}
	return all
}
