package ledger

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
)

// at is a time with nanoseconds that end in zeros: they must neither be lost nor upset the order.
func at(minute int) time.Time {
	return time.Date(2026, 11, 21, 10, minute, 0, 120_000_000, time.FixedZone("CST", 8*3600))
}

// testLedger is what every store has to pass. It wants an empty ledger.
func testLedger(t *testing.T, l Ledger) {
	for name, test := range map[string]func(*testing.T, Ledger){
		"blobs":        testBlobs,
		"plans":        testPlans,
		"runs":         testRuns,
		"deployments":  testDeployments,
		"writes":       testWrites,
		"pre-images":   testPreImages,
		"observations": testObservations,
		"audit":        testAudit,
		"fences":       testFences,
	} {
		t.Run(name, func(t *testing.T) { test(t, l) })
	}
}

func wantCode(t *testing.T, err error, want fault.Code, reason string) {
	t.Helper()
	if got := fault.CodeOf(err); got != want {
		t.Errorf("%s: got code %q (%v), want %q", reason, got, err, want)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want any, reason string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", reason, diff)
	}
}

func testBlobs(t *testing.T, l Ledger) {
	ctx := t.Context()
	for reason, data := range map[string][]byte{
		"an empty blob is a blob":                   {},
		"a text comes back as it was":               []byte("kind: ConfigMap\n"),
		"what compresses well comes back whole":     bytes.Repeat([]byte("a"), 3<<20),
		"bytes that are no text come back the same": {0, 1, 2, 0xff, 0, 0xfe},
	} {
		digest := must[string](t)(l.PutBlob(ctx, data))
		again := must[string](t)(l.PutBlob(ctx, data))
		same(t, again, digest, reason+": storing it again gives the same digest")
		if got := must[[]byte](t)(l.Blob(ctx, digest)); !bytes.Equal(got, data) {
			t.Errorf("%s: got %d bytes, want %d", reason, len(got), len(data))
		}
	}
	_, err := l.Blob(ctx, Digest([]byte("never stored")))
	wantCode(t, err, fault.NotFound, "a digest that was never stored")
	_, err = l.Blob(ctx, "")
	wantCode(t, err, fault.NotFound, "no digest")
	_, err = l.PutBlob(ctx, make([]byte, MaxBlob+1))
	wantCode(t, err, fault.Invalid, "a blob over the bound")
}

func testPlans(t *testing.T, l Ledger) {
	ctx := t.Context()
	body := must[string](t)(l.PutBlob(ctx, []byte("the plan")))
	plan := Plan{Hash: "sha256:aaaaaa1111", Component: "agent", Version: "1.2.0", Pipeline: "node-agent", Body: body,
		Origin: Origin{Repository: "git@example:infra", Commit: "c0ffee", Dirty: true}, Created: at(1), By: "ann"}
	ok(t, l.SavePlan(ctx, plan))
	same(t, must[Plan](t)(l.Plan(ctx, plan.Hash)), plan, "a plan comes back as it was saved")

	again := plan
	again.Live, again.Created, again.By, again.Version, again.Pipeline = body, at(3), "bob", "9", "other"
	ok(t, l.SavePlan(ctx, again))
	want := plan
	want.Live, want.Created, want.By = body, at(3), "bob"
	same(t, must[Plan](t)(l.Plan(ctx, plan.Hash)), want, "saving a hash again replaces Live, Origin, Created and By only")

	other := Plan{Hash: "sha256:aaaaaa2222", Component: "proxy", Body: body, Created: at(2)}
	ok(t, l.SavePlan(ctx, other))
	bare := Plan{Hash: "bbbbbb3333", Component: "agent", Body: body, Created: at(4)}
	ok(t, l.SavePlan(ctx, bare))

	lookups := map[string]struct {
		reason string
		prefix string
		want   string
		code   fault.Code
	}{
		"prefix without algorithm":   {"people copy the hex part", "aaaaaa1", plan.Hash, ""},
		"prefix with algorithm":      {"people copy the whole", "sha256:aaaaaa2", other.Hash, ""},
		"hash that has no algorithm": {"a store does not care what a hash looks like", "bbbbbb", bare.Hash, ""},
		"ambiguous prefix":           {"two plans begin with it", "aaaaaa", "", fault.Conflict},
		"only the algorithm":         {"it says nothing, though it is 7 characters", "sha256:", "", fault.NotFound},
		"short prefix":               {"under 6 characters", "aaaaa", "", fault.NotFound},
		"unknown prefix":             {"nothing begins with it", "cccccc", "", fault.NotFound},
		"wildcards":                  {"a prefix is text, no pattern", "aaaaaa%", "", fault.NotFound},
	}
	for name, c := range lookups {
		got, err := l.Plan(ctx, c.prefix)
		wantCode(t, err, c.code, name+": "+c.reason)
		same(t, got.Hash, c.want, name+": "+c.reason)
	}

	hashes := func(component string, limit int) []string {
		list := must[[]Plan](t)(l.ListPlans(ctx, component, limit))
		names := []string{}
		for _, p := range list {
			names = append(names, p.Hash)
		}
		return names
	}
	same(t, hashes("", 0), []string{bare.Hash, plan.Hash, other.Hash}, "newest first, no limit")
	same(t, hashes("agent", 1), []string{bare.Hash}, "one component, one row")
	same(t, hashes("nobody", 10), []string{}, "a component without plans")

	wantCode(t, l.SavePlan(ctx, Plan{Hash: "sha256:dddddd", Component: "agent", Body: Digest([]byte("missing"))}), fault.Invalid,
		"a plan whose body is not stored could never be run")
	wantCode(t, l.SavePlan(ctx, Plan{Component: "agent", Body: body}), fault.Invalid, "a plan without a hash")
}

func testRuns(t *testing.T, l Ledger) {
	ctx := t.Context()
	first := must[Run](t)(l.NewRun(ctx, Run{Plan: "sha256:a", Component: "agent", Version: "1", Phase: "Running", Started: at(1), By: "ann"}))
	second := must[Run](t)(l.NewRun(ctx, Run{Plan: "sha256:b", Component: "agent", Version: "0", Back: first.Name, Phase: "Running", Started: at(2), By: "bob", Reason: "it leaks"}))
	other := must[Run](t)(l.NewRun(ctx, Run{Plan: "sha256:c", Component: "agent-2", Started: at(3)}))
	same(t, []string{first.Name, second.Name, other.Name}, []string{"agent-1", "agent-2", "agent-2-1"}, "numbers count within a component")
	same(t, must[Run](t)(l.Run(ctx, "agent-2")), second, "a run comes back as it was made")
	_, err := l.Run(ctx, "agent-9")
	wantCode(t, err, fault.NotFound, "no such run")
	_, err = l.NewRun(ctx, Run{Plan: "sha256:a"})
	wantCode(t, err, fault.Invalid, "a run of nothing")

	first.Phase = "Paused"
	ok(t, l.SaveRun(ctx, Run{Name: first.Name, Phase: "Paused", By: "mallory"}))
	same(t, must[Run](t)(l.Run(ctx, first.Name)), first, "saving changes phase, end and report only")
	first.Phase, first.Ended, first.Report = "Succeeded", at(5), "sha256:r"
	ok(t, l.SaveRun(ctx, first))
	ok(t, l.SaveRun(ctx, first))
	changed := first
	changed.Phase = "Failed"
	wantCode(t, l.SaveRun(ctx, changed), fault.Conflict, "an ended run is history")
	wantCode(t, l.SaveRun(ctx, Run{Name: "agent-9"}), fault.NotFound, "a run that was never made")
	same(t, must[Run](t)(l.Run(ctx, first.Name)), first, "a refused save changes nothing")

	names := []string{}
	for _, r := range must[[]Run](t)(l.ListRuns(ctx, "", 2)) {
		names = append(names, r.Name)
	}
	same(t, names, []string{"agent-2-1", "agent-2"}, "newest first, bounded")
	same(t, len(must[[]Run](t)(l.ListRuns(ctx, "agent", 0))), 2, "one component's runs")

	const parallel = 20
	var wg sync.WaitGroup
	made := make([]string, parallel)
	for i := range parallel {
		wg.Go(func() {
			r, err := l.NewRun(ctx, Run{Plan: "p", Component: "race"})
			if err != nil {
				t.Error(err)
			}
			made[i] = r.Name
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, name := range made {
		seen[name] = true
	}
	for i := range parallel {
		if want := fmt.Sprintf("race-%d", i+1); !seen[want] {
			t.Errorf("runs that are made at once get numbers without gaps: %s is missing in %v", want, made)
		}
	}
}

func testDeployments(t *testing.T, l Ledger) {
	ctx := t.Context()
	objects := must[string](t)(l.PutBlob(ctx, []byte("objects")))
	older := must[string](t)(l.PutBlob(ctx, []byte("older objects")))
	one := Deployment{Cluster: "cn-1", Component: "agent", Version: "1", Target: "t1", Objects: older, Run: "agent-1", Plan: "p1", Fence: 1, Since: at(1)}
	two := Deployment{Cluster: "cn-1", Component: "agent", Version: "2", Target: "t2", Objects: objects, Run: "agent-2", Plan: "p2", Fence: 5, Since: at(2)}

	_, err := l.Deployment(ctx, "cn-1", "agent")
	wantCode(t, err, fault.NotFound, "nothing was deployed yet")
	ok(t, l.SaveDeployment(ctx, one))
	ok(t, l.SaveDeployment(ctx, two))
	same(t, must[Deployment](t)(l.Deployment(ctx, "cn-1", "agent")), two, "the last one is the present one")

	late := two
	late.Since = at(30)
	ok(t, l.SaveDeployment(ctx, late))
	same(t, must[Deployment](t)(l.Deployment(ctx, "cn-1", "agent")), two, "a retry keeps the time since when it runs")
	same(t, must[[]Deployment](t)(l.DeploymentHistory(ctx, "cn-1", "agent", 0)), []Deployment{two, one}, "a retry leaves no second row")

	stale := one
	stale.Run, stale.Fence = "agent-0", 4
	wantCode(t, l.SaveDeployment(ctx, stale), fault.Conflict, "a run that was fenced off does not come back")
	same(t, must[Deployment](t)(l.Deployment(ctx, "cn-1", "agent")), two, "a refused save changes nothing")

	back := one
	back.Run, back.Fence, back.Since = two.Run, two.Fence, at(4)
	ok(t, l.SaveDeployment(ctx, back))
	same(t, must[Deployment](t)(l.Deployment(ctx, "cn-1", "agent")), back, "a run that went back on its way saves what it went back to")

	wantCode(t, l.SaveDeployment(ctx, Deployment{Cluster: "cn-1", Component: "agent", Run: "x", Objects: Digest([]byte("?")), Fence: 9}), fault.Invalid,
		"objects that are not stored cannot be gone back to")
	wantCode(t, l.SaveDeployment(ctx, Deployment{Component: "agent", Run: "x", Objects: objects}), fault.Invalid, "no cluster")

	east := Deployment{Cluster: "ap-1", Component: "proxy", Version: "7", Objects: objects, Run: "proxy-1", Fence: 1, Since: at(3)}
	east2 := Deployment{Cluster: "ap-1", Component: "agent", Version: "1", Objects: objects, Run: "agent-1", Fence: 1, Since: at(3)}
	ok(t, l.SaveDeployment(ctx, east))
	ok(t, l.SaveDeployment(ctx, east2))
	list := func(cluster, component string) []Deployment {
		return must[[]Deployment](t)(l.ListDeployments(ctx, cluster, component))
	}
	same(t, list("", ""), []Deployment{east2, east, back}, "sorted by cluster and component")
	same(t, list("ap-1", ""), []Deployment{east2, east}, "one cluster")
	same(t, list("", "agent"), []Deployment{east2, back}, "one component")
	same(t, list("ap-1", "nothing"), []Deployment{}, "nothing there")

	ok(t, l.RemoveDeployment(ctx, "ap-1", "proxy", "proxy-1"))
	ok(t, l.RemoveDeployment(ctx, "ap-1", "proxy", "proxy-1"))
	_, err = l.Deployment(ctx, "ap-1", "proxy")
	wantCode(t, err, fault.NotFound, "it was taken back")
	same(t, must[[]Deployment](t)(l.DeploymentHistory(ctx, "ap-1", "proxy", 1)), []Deployment{east}, "history keeps what was taken back")
	ok(t, l.SaveDeployment(ctx, east))
	same(t, must[Deployment](t)(l.Deployment(ctx, "ap-1", "proxy")), east, "what was taken back can be deployed again")
}

func testWrites(t *testing.T, l Ledger) {
	ctx := t.Context()
	a := Write{Run: "agent-1", Cluster: "cn-1", Component: "agent", Object: "apps/DaemonSet/infra/agent", Step: "patch", Intent: "sha256:i", At: at(1)}
	b := Write{Run: "agent-1", Cluster: "cn-1", Component: "agent", Object: "/ConfigMap/infra/agent", Step: "create", Intent: "sha256:j", At: at(2), Created: true}
	elsewhere := a
	elsewhere.Cluster = "cn-2"
	for _, w := range []Write{a, b, elsewhere} {
		ok(t, l.SaveWrite(ctx, w))
	}
	a.UID, a.ResourceVersion, a.At = "u-1", "77", at(3)
	ok(t, l.SaveWrite(ctx, a))
	same(t, must[[]Write](t)(l.ListWrites(ctx, "agent-1", "cn-1")), []Write{a, b}, "the outcome replaces the intent and keeps its place")
	same(t, must[[]Write](t)(l.ListWrites(ctx, "agent-1", "cn-3")), []Write{}, "no writes there")
	wantCode(t, l.SaveWrite(ctx, Write{Run: "agent-1", Cluster: "cn-1", Object: "o"}), fault.Invalid, "a write without a step")

	made := func() []Write { return must[[]Write](t)(l.ListMade(ctx, "cn-1", "agent")) }
	same(t, made(), []Write{b}, "what was patched was not made")
	other := b
	other.Component, other.Object = "proxy", "/ConfigMap/infra/proxy"
	ok(t, l.SaveWrite(ctx, other))
	same(t, made(), []Write{b}, "what another component made is not this one's")
	gone := b
	gone.Run, gone.Step, gone.Created = "agent-2", "delete", false
	ok(t, l.SaveWrite(ctx, gone))
	same(t, made(), []Write{}, "what was taken away since is not there")
	anew := b
	anew.Run = "agent-3"
	ok(t, l.SaveWrite(ctx, anew))
	same(t, made(), []Write{anew}, "until it is made anew")
}

func testObservations(t *testing.T, l Ledger) {
	ctx := t.Context()
	o := Observation{Cluster: "cn-2", Component: "agent", Run: "agent-1", Version: "2", NodeSet: "canary", Batch: 2, Updated: 5, Desired: 40, Armed: true, Behind: "n1, n2", Seen: at(1)}
	ok(t, l.SaveObservation(ctx, o))
	ok(t, l.SaveObservation(ctx, Observation{Cluster: "cn-2", Component: "agent", Unreachable: true, Seen: at(9)}))
	o.Unreachable = true
	same(t, must[[]Observation](t)(l.ListObservations(ctx, "agent")), []Observation{o}, "out of reach keeps what was seen last")
	o.Unreachable, o.Updated, o.Seen = false, 6, at(10)
	ok(t, l.SaveObservation(ctx, o))
	never := Observation{Cluster: "cn-1", Component: "agent", Version: "2", Unreachable: true}
	ok(t, l.SaveObservation(ctx, never))
	proxy := Observation{Cluster: "cn-1", Component: "proxy", Version: "3", Seen: at(2)}
	ok(t, l.SaveObservation(ctx, proxy))
	same(t, must[[]Observation](t)(l.ListObservations(ctx, "agent")), []Observation{never, o}, "sorted by cluster; one that was never seen counts too")
	same(t, len(must[[]Observation](t)(l.ListObservations(ctx, ""))), 3, "all components")
}

func testAudit(t *testing.T, l Ledger) {
	ctx := t.Context()
	for i := range 3 {
		ok(t, l.AddEntry(ctx, Entry{At: at(i), Who: "ann", Command: "pause", Object: fmt.Sprintf("agent-%d", i%2), Scope: "cn-1", Reason: "dinner", Outcome: "accepted"}))
	}
	list := must[[]Entry](t)(l.ListEntries(ctx, "", 2))
	same(t, len(list), 2, "bounded")
	if list[0].ID <= list[1].ID || !list[0].At.Equal(at(2)) {
		t.Errorf("newest first: got %v", list)
	}
	same(t, len(must[[]Entry](t)(l.ListEntries(ctx, "agent-0", 0))), 2, "one object's entries")
	wantCode(t, l.AddEntry(ctx, Entry{Command: "pause"}), fault.Invalid, "an entry by nobody")
}

func testFences(t *testing.T, l Ledger) {
	ctx := t.Context()
	fence := func(component string, floor int64) int64 {
		return must[int64](t)(l.NextFence(ctx, "cn-1", component, floor))
	}
	same(t, []int64{fence("a", 0), fence("a", 0), fence("b", 0)}, []int64{1, 2, 1}, "numbers count for each unit")
	same(t, fence("a", 41), int64(42), "above the floor: the Lease remembers what a restored ledger forgot")
	same(t, fence("a", 3), int64(43), "a low floor does not take it back")
	_, err := l.NextFence(ctx, "cn-1", "a", -1)
	wantCode(t, err, fault.Invalid, "a floor below zero")

	const workers, each = 8, 25
	var wg sync.WaitGroup
	got := make([][]int64, workers)
	for i := range workers {
		wg.Go(func() {
			for range each {
				n, err := l.NextFence(ctx, "cn-1", "race", 0)
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = append(got[i], n)
			}
		})
	}
	wg.Wait()
	seen := map[int64]bool{}
	for _, list := range got {
		for i, n := range list {
			if seen[n] {
				t.Errorf("fence %d was given twice", n)
			}
			if seen[n] = true; i > 0 && n <= list[i-1] {
				t.Errorf("fence went from %d to %d", list[i-1], n)
			}
		}
	}
	same(t, len(seen), workers*each, "every call got a number of its own")
}

func TestDigestNamesItsAlgorithm(t *testing.T) {
	if got := Digest(nil); !strings.HasPrefix(got, "sha256:e3b0c442") {
		t.Errorf("got %s", got)
	}
}
