package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/uplink"
)

// listening hears what probes found, or does not.
type listening struct {
	grpc.ClientConnInterface
	down    bool
	refuses string // a cluster of which it hears nothing
	heard   []probing.Said
	calls   int
}

func (l *listening) Invoke(_ context.Context, method string, args, _ any, _ ...grpc.CallOption) error {
	if l.down || method != uplink.Probes.Path() {
		return status.Error(codes.Unavailable, "the link is down")
	}
	l.calls++
	all := args.([]probing.Said)
	if len(all) > uplink.MaxSaid {
		return status.Error(codes.InvalidArgument, "too many")
	}
	for _, one := range all {
		if one.Cluster == l.refuses {
			return status.Error(codes.PermissionDenied, "it is of another site")
		}
		if len(one.Stands) > uplink.MaxStands || len(one.Outcomes) > uplink.MaxOutcomes {
			return status.Error(codes.InvalidArgument, "too much")
		}
	}
	l.heard = append(l.heard, all...)
	return nil
}

// texts are what was heard, a line each.
func (l *listening) texts() (all []string) {
	for _, one := range l.heard {
		for _, gone := range one.Gone {
			all = append(all, one.Cluster+" gone "+gone)
		}
		for _, s := range one.Stands {
			all = append(all, one.Cluster+" "+s.Case+"@"+s.Target+" "+string(s.State))
		}
		for _, o := range one.Outcomes {
			all = append(all, one.Cluster+" "+o.ID)
		}
		if one.Dropped > 0 {
			all = append(all, fmt.Sprintf("%s dropped %d", one.Cluster, one.Dropped))
		}
	}
	return all
}

func findingsIn(t *testing.T, dir string) *findings {
	t.Helper()
	f, err := openFindings(filepath.Join(dir, findingsFile))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *findings) tellTo(t *testing.T, l *listening) {
	t.Helper()
	a := &agent{Options: &Options{Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler)}, server: l, findings: f}
	if err := a.tellAll(t.Context()); err != nil && !l.down {
		t.Fatal(err)
	}
}

func (f *findings) says(t *testing.T, one probing.Said) {
	t.Helper()
	if err := f.add(t.Context(), one); err != nil {
		t.Fatal(err)
	}
}

var morning = time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC)

func inState(probeCase, target string, state probing.State) probing.Stand {
	return probing.Stand{Case: probeCase, Target: target, State: state}
}

func came(id string, verdict api.Verdict) probing.Outcome {
	return probing.Outcome{ID: id, Case: "etcd", Result: probing.Result{Verdict: verdict}}
}

// A link that is down for an hour takes nothing away, nor does an agent that is started anew meanwhile.
func TestWhatProbesFoundWaitsForTheLink(t *testing.T) {
	dir, l := t.TempDir(), &listening{down: true}
	f := findingsIn(t, dir)
	for i := range 60 {
		f.says(t, probing.Said{
			Cluster: "a", At: morning.Add(time.Duration(i) * time.Minute),
			Stands:   []probing.Stand{inState("etcd", "", probing.Passing), inState("dns", "n1", probing.Failing)},
			Outcomes: []probing.Outcome{came(fmt.Sprintf("etcd-%02d", i), api.Passed)},
		})
		f.tellTo(t, l)
	}
	f.says(t, probing.Said{Cluster: "a", At: morning.Add(time.Hour), Gone: []string{"dns"}})
	f.says(t, probing.Said{Cluster: "b", At: morning, Stands: []probing.Stand{inState("etcd", "", probing.Unknown)}})
	f = findingsIn(t, dir)
	l.down = false
	f.tellTo(t, l)
	got := l.texts()
	if len(got) != 63 || got[0] != "a gone dns" || got[1] != "a etcd@ Passing" || got[62] != "b etcd@ Unknown" {
		t.Errorf("the last state of each, and all outcomes: %d %v", len(got), got)
	}
	if got := l.heard[0].At; !got.Equal(morning.Add(time.Hour)) {
		t.Errorf("it was said at %s", got)
	}
	if info, err := os.Stat(f.file); err != nil || info.Size() != 0 {
		t.Errorf("what has been heard does not stay: %v, %v", info, err)
	}
	l.heard = nil
	if findingsIn(t, dir).tellTo(t, l); len(l.heard) > 0 {
		t.Errorf("nor is it told again: %v", l.texts())
	}
}

func TestWhatIsSaidMeanwhileWaits(t *testing.T) {
	f := findingsIn(t, t.TempDir())
	f.says(t, probing.Said{Cluster: "a", Stands: []probing.Stand{inState("etcd", "", probing.Passing)}})
	b := f.next()
	f.says(t, probing.Said{Cluster: "a", Stands: []probing.Stand{inState("etcd", "", probing.Failing)},
		Outcomes: []probing.Outcome{came("r2", api.Failed)}})
	f.heard(b)
	l := &listening{}
	f.tellTo(t, l)
	if got := l.texts(); !slices.Equal(got, []string{"a etcd@ Failing", "a r2"}) {
		t.Errorf("got %v", got)
	}
}

// More than there is room for is left out, what passed first, and the server hears how much.
func TestFindingsAreBounded(t *testing.T) {
	f := findingsIn(t, t.TempDir())
	all := probing.Said{Cluster: "a", Outcomes: []probing.Outcome{came("bad", api.Failed)}}
	for i := range maxWaiting + 9 {
		all.Outcomes = append(all.Outcomes, came(fmt.Sprint(i), api.Passed))
	}
	f.says(t, all)
	l := &listening{}
	f.tellTo(t, l)
	got := l.texts()
	outcomes := 0
	for _, one := range l.heard {
		outcomes += len(one.Outcomes)
	}
	if got[0] != "a bad" || got[1] != "a 10" || !slices.Contains(got, "a dropped 10") || outcomes != maxWaiting {
		t.Errorf("%d came: %v", outcomes, got[:3])
	}
	if l.calls != maxWaiting/saidAtOnce {
		t.Errorf("it took %d calls", l.calls)
	}
}

// A cluster that has gone to another site keeps no other one back.
func TestOneClusterKeepsNoOtherBack(t *testing.T) {
	f, l := findingsIn(t, t.TempDir()), &listening{refuses: "b"}
	for _, cluster := range []string{"a", "b", "c"} {
		f.says(t, probing.Said{Cluster: cluster, Outcomes: []probing.Outcome{came("r", api.Passed)}})
	}
	f.tellTo(t, l)
	if got := l.texts(); !slices.Equal(got, []string{"a r", "c r"}) {
		t.Errorf("got %v", got)
	}
	if f.next() != nil {
		t.Error("it is told again and again")
	}
}

func TestHalfALineOfFindingsIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, findingsFile), []byte(`{"cluster":"a","outc`), 0o600); err != nil {
		t.Fatal(err)
	}
	f := findingsIn(t, dir)
	f.says(t, probing.Said{Cluster: "a", Outcomes: []probing.Outcome{came("r", api.Passed)}})
	l := &listening{}
	findingsIn(t, dir).tellTo(t, l)
	if got := strings.Join(l.texts(), " "); got != "a r" {
		t.Errorf("got %q", got)
	}
}
