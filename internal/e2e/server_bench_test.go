package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/authn/issuertest"
	"sluice.dev/sluice/internal/engine"
)

// BenchmarkServedPlanLimits plans a fleet of 1,000 clusters through a server and without it in turn, on the real Temporal server, by a
// worker that looks at every cluster: each is one of four API servers under a name of its own. Through the server it may take a fifth
// longer.
func BenchmarkServedPlanLimits(b *testing.B) {
	const clusters = 1000
	s := newSite(b, "planned")
	var fleet strings.Builder
	fleet.WriteString("apiVersion: sluice.dev/v1alpha1\nkind: ClusterGroup\nmetadata: {name: all}\nspec: {environment: production}\n")
	for i := range clusters {
		fmt.Fprintf(&fleet, "---\napiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {name: cluster-%04d}\nspec: {group: all, context: %c}\n",
			i, "abcd"[i%4])
	}
	if err := os.WriteFile(filepath.Join(s.files, "fleet.yaml"), []byte(fleet.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	s.work()
	people := issuertest.New(b, time.Now)
	through := s.serve(b, people).as(b, people, "ann@example.org")
	request := engine.PlanRequest{
		Files: engine.Files{Paths: []string{s.files}}, Component: s.component, Version: "1.0.0", Pipeline: "install", By: "bench",
	}
	for b.Loop() {
		var ratios, bare, asked []float64
		for i := range 4 {
			took := [2]float64{}
			for j := range took {
				ask := s.engine.Plan
				if (i+j)%2 == 1 {
					ask = through.Plan
				}
				began := time.Now()
				planned, err := ask(b.Context(), request)
				if err != nil {
					b.Fatal(err)
				}
				took[(i+j)%2] = time.Since(began).Seconds()
				if n := len(planned.Live.Clusters); n != clusters || planned.Counts.Unreachable+planned.Counts.Missing > 0 {
					b.Fatalf("%d clusters are seen: %+v", n, planned.Counts)
				}
			}
			if i > 0 { // the first of a worker is slower, whichever way
				bare, asked, ratios = append(bare, took[0]), append(asked, took[1]), append(ratios, took[1]/took[0])
			}
		}
		for _, all := range [][]float64{bare, asked, ratios} {
			slices.Sort(all)
		}
		middle := len(ratios) / 2
		b.ReportMetric(bare[middle]*1000, "ms-without")
		b.ReportMetric(asked[middle]*1000, "ms-through")
		b.ReportMetric(ratios[middle], "through/without")
		b.ReportMetric(ratios[middle]/1.2, "ratio/limit")
	}
}
