package pipelines_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
)

const header = "apiVersion: sluice.dev/v1alpha1\n"

// tenThousandClusters is one file with a fleet of that size.
func tenThousandClusters() []byte {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "---\n%skind: ClusterGroup\nmetadata: {name: g%d}\nspec: {environment: production, networkDomain: vpc}\n", header, i)
	}
	for i := range 10_000 {
		fmt.Fprintf(&b, "---\n%skind: Cluster\nmetadata:\n  name: cn-hz-%d\n  labels: {tier: gold, rack: r%d}\nspec:\n  group: g%d\n"+
			"  region: hangzhou\n  site: hz\n  userGrade: 3\n  size: {nodes: 100, pods: 3000}\n", header, i, i, i%100)
	}
	return []byte(b.String())
}

func TestTenThousandClustersLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.yaml")
	writeFile(t, path, tenThousandClusters())
	docs, err := pipelines.Load(path)
	if err != nil {
		t.Fatalf("Load(...): %.2000v", err)
	}
	if len(docs.Clusters) != 10_000 || len(docs.ClusterGroups) != 100 {
		t.Errorf("Load(...): got %d clusters in %d groups", len(docs.Clusters), len(docs.ClusterGroups))
	}
}

func TestBounds(t *testing.T) {
	items := func(n int, item string) string { return strings.Repeat(item+", ", n-1) + item }
	numbered := func(n int, format string) string {
		var all []string
		for i := range n {
			all = append(all, strings.ReplaceAll(format, "#", fmt.Sprint(i+1)))
		}
		return strings.Join(all, ", ")
	}
	laughs := "metadata: {name: c}\nspec:\n  version: v1\n  template: {chart: c}\n  config:\n    fleet:\n      a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for _, c := range "bcdefghi" {
		laughs += fmt.Sprintf("      %c: &%c [%s]\n", c, c, items(10, "*"+string(c-1)))
	}
	pipeline := func(spec string) string {
		return "kind: Pipeline\nmetadata: {name: p}\nspec: {" + spec + "}"
	}
	stages := "stages: [{name: s, clusterGroups: {all: true}}]"

	cases := map[string]struct {
		reason string
		doc    string
		want   []string
	}{
		"Fifty stages": {
			reason: "the most that is allowed",
			doc:    pipeline("stages: [" + numbered(50, "{name: s#, clusterGroups: {all: true}}") + "]"),
		},
		"Fifty-one stages": {
			reason: "a pipeline that long is a mistake",
			doc:    pipeline("stages: [" + numbered(51, "{name: s#, clusterGroups: {all: true}}") + "]"),
			want:   []string{"stages has 51 items, at most 50 are allowed"},
		},
		"A hundred checks": {
			reason: "the most that is allowed",
			doc:    pipeline(stages + ", defaults: {checks: [" + numbered(100, "{name: c#, gate: {cel: 'true'}}") + "]}"),
		},
		"A hundred and one checks": {
			reason: "each runs at each look",
			doc:    pipeline(stages + ", defaults: {checks: [" + numbered(101, "{name: c#, gate: {cel: 'true'}}") + "]}"),
			want:   []string{"checks has 101 items, at most 100 are allowed"},
		},
		"Fifty batches": {
			reason: "the most that is allowed",
			doc:    pipeline(stages + ", defaults: {batches: [" + numbered(49, "#") + ", 100%]}"),
		},
		"Fifty-one batches": {
			reason: "a rollout that fine never ends",
			doc:    pipeline(stages + ", defaults: {batches: [" + numbered(50, "#") + ", 100%]}"),
			want:   []string{"batches has 51 items, at most 50 are allowed"},
		},
		"A rule of four thousand characters": {
			reason: "the most that is allowed",
			doc:    pipeline(stages + ", defaults: {checks: [{name: c, gate: {cel: \"'" + strings.Repeat("x", 4000) + "' != ''\"}}]}"),
		},
		"A rule that is too long": {
			reason: "nobody can review it",
			doc:    pipeline(stages + ", defaults: {checks: [{name: c, gate: {cel: \"'" + strings.Repeat("x", 4100) + "' != ''\"}}]}"),
			want:   []string{"cel is longer than 4096 characters"},
		},
		"A rule that nests without end": {
			reason: "the parser must not run out of stack",
			doc:    pipeline(stages + ", defaults: {checks: [{name: c, gate: {cel: '" + strings.Repeat("(", 2000) + "true" + strings.Repeat(")", 2000) + "'}}]}"),
			want:   []string{"cel: expression recursion limit exceeded: 100"},
		},
		"A billion laughs": {
			reason: "what aliases stand for is counted each time",
			doc:    "kind: Component\n" + laughs,
			want:   []string{"aliases stand for more than 10000 values in this document"},
		},
		"An alias inside of what it stands for": {
			reason: "it has no end",
			doc:    "kind: Component\nmetadata: {name: c}\nspec: {version: v1, template: {chart: c}, config: {fleet: {a: &a {b: [*a]}}}}",
			want:   []string{"a value in fleet.a is nested more than 64 deep"},
		},
		"Values that nest without end": {
			reason: "whoever walks them must not run out of stack",
			doc:    "kind: Component\nmetadata: {name: c}\nspec: {version: v1, template: {chart: c}, config: {fleet: {a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}}}",
			want:   []string{"a value in fleet.a is nested more than 64 deep"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := pipelines.Parse(source(tc.doc))
			if diff := cmp.Diff(tc.want, messages(err)); diff != "" {
				t.Errorf("\n%s\nParse(...): messages (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAFileThatIsTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.yaml")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(17 << 20); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{"cannot read file: it is larger than 16 megabytes"}
	_, err = pipelines.Load(path)
	if diff := cmp.Diff(want, messages(err)); diff != "" {
		t.Errorf("Load(...): -want +got:\n%s", diff)
	}
	_, err = pipelines.Parse(pipelines.Source{Name: "x", Data: make([]byte, 17<<20)})
	if diff := cmp.Diff(want, messages(err)); diff != "" {
		t.Errorf("Parse(...): -want +got:\n%s", diff)
	}
}

func TestAFileOfNothingButErrorsIsCutShort(t *testing.T) {
	_, err := pipelines.Parse(
		pipelines.Source{Name: "bad.yaml", Data: []byte(header + "kind: Cluster\n" + unknownFields(5_000))},
		pipelines.Source{Name: "other.yaml", Data: []byte(header + "kind: Clusters\n")},
	)
	found := messages(err)
	if len(found) != 1_002 {
		t.Fatalf("got %d errors, want a thousand, a note, and one of the other file", len(found))
	}
	if want := "more than 1000 errors: the rest of this file is left out"; found[0] != want {
		t.Errorf("got %q first, want %q", found[0], want)
	}
	if want := "kind Clusters must be one of Pipeline, Task, Component, ClusterGroup, Cluster, Fleet, Calendar, DataSource, Receiver, Policy, Group, Fuse, Limit, Drill, Binding, Source, Trigger, Probe, ProbeSet, ProbeBinding: did you mean Cluster?"; found[1_001] != want {
		t.Errorf("got %q last, want %q", found[1_001], want)
	}
}

func unknownFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "field%d: 1\n", i)
	}
	return b.String()
}

// TestHostileFilesTakeNoLongerThanHonestOnes has a generous bound: each of these took minutes where something was
// quadratic.
func TestHostileFilesTakeNoLongerThanHonestOnes(t *testing.T) {
	unknown := strings.Builder{}
	for i := range 3_000 {
		fmt.Fprintf(&unknown, "---\n%skind: Cluster\nmetadata: {name: c%d}\nspec: {group: nobody-%d, after: [x%d]}\n", header, i, i, i)
	}
	cases := map[string]string{
		"Documents that do not parse": strings.Repeat("--- [\n", 20_000),
		"Brackets":                    strings.Repeat("[", 200_000),
		"Markers":                     strings.Repeat("---\n", 200_000),
		"Unknown references":          unknown.String(),
		"One long line":               "a: " + strings.Repeat("x ", 2_000_000),
		"Anchors":                     strings.Repeat("- &a x\n", 100_000),
		"Cycle of all clusters": func() string {
			var b strings.Builder
			fmt.Fprintf(&b, "---\n%skind: ClusterGroup\nmetadata: {name: g}\nspec: {environment: e2e}\n", header)
			for i := range 5_000 {
				fmt.Fprintf(&b, "---\n%skind: Cluster\nmetadata: {name: c%d}\nspec: {group: g, after: [c%d]}\n", header, i, (i+1)%5_000)
			}
			return b.String()
		}(),
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if _, err := pipelines.Parse(pipelines.Source{Name: "x", Data: []byte(data)}); err == nil && name != "Markers" {
				t.Error("Parse(...): want an error")
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("Parse(...) took %s", took)
			}
		})
	}
}

func BenchmarkLoadTenThousandClusters(b *testing.B) {
	data := tenThousandClusters()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := pipelines.Parse(pipelines.Source{Name: "fleet.yaml", Data: data}); err != nil {
			b.Fatal(err)
		}
	}
}
