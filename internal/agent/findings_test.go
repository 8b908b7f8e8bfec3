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
	clocktesting "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/uplink"
)

// listening hears what probes found, or does not.
type listening struct {
	grpc.ClientConnInterface
	down    bool
	refuses string     // a cluster of which it hears nothing
	poison  string     // the ID of an outcome, or the case of a state, which it takes at no time
	all     codes.Code // what it says to whatever it is told
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
	if l.all != codes.OK {
		return status.Error(l.all, "you are not known here")
	}
	for _, one := range all {
		if one.Cluster == l.refuses {
			return status.Error(codes.PermissionDenied, "it is of another site")
		}
		if len(one.Stands) > uplink.MaxStands || len(one.Outcomes) > uplink.MaxOutcomes {
			return status.Error(codes.InvalidArgument, "too much")
		}
		if l.poison != "" && (slices.ContainsFunc(one.Outcomes, func(o probing.Outcome) bool { return o.ID == l.poison }) ||
			slices.ContainsFunc(one.Stands, func(s probing.Stand) bool { return s.Case == l.poison })) {
			return status.Error(codes.InvalidArgument, "that is no run of a case")
		}
	}
	l.heard = append(l.heard, all...)
	return nil
}

// texts are what was heard, a line each.
func (l *listening) texts() (all []string) {
	for _, one := range l.heard {
		if one.Whole {
			all = append(all, one.Cluster+" has "+strings.Join(one.Cases, ","))
		}
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

func (f *findings) tellTo(t *testing.T, l *listening) string {
	t.Helper()
	return f.tellAt(t, l, morning)
}

// tellAt tells all at a time, and returns what is logged.
func (f *findings) tellAt(t *testing.T, l *listening, now time.Time) string {
	t.Helper()
	var log strings.Builder
	a := &agent{
		Options: &Options{Clock: clocktesting.NewFakeClock(now), Logger: slog.New(slog.NewTextHandler(&log, nil))}, server: l, findings: f,
	}
	if err := a.tellAll(t.Context()); err != nil && !l.down {
		t.Fatal(err)
	}
	return log.String()
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
	b := f.next(morning)
	f.says(t, probing.Said{Cluster: "a", Stands: []probing.Stand{inState("etcd", "", probing.Failing)},
		Outcomes: []probing.Outcome{came("r2", api.Failed)}})
	f.heard(b, &telling{})
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

// Long reports take no more room than many short ones: while the server is away an agent neither grows without end, nor writes the same
// again with each.
func TestLongFindingsAreBounded(t *testing.T) {
	f := findingsIn(t, t.TempDir())
	long := strings.Repeat("x", 200<<10)
	for i := range 400 {
		o := came(fmt.Sprint(i), api.Passed)
		o.Message = long
		f.says(t, probing.Said{Cluster: "a", Outcomes: []probing.Outcome{o}})
	}
	if info, err := os.Stat(f.file); err != nil || info.Size() > maxFindings+1<<20 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	if err := f.settle(morning); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(f.file); err != nil || info.Size() > maxOutcomes+1<<20 {
		t.Errorf("%d bytes wait, %v", info.Size(), err)
	}
	l := &listening{}
	f.tellTo(t, l)
	outcomes, dropped := 0, int64(0)
	for _, one := range l.heard {
		outcomes, dropped = outcomes+len(one.Outcomes), dropped+one.Dropped
	}
	if outcomes+int(dropped) != 400 || dropped == 0 || l.heard[len(l.heard)-1].Outcomes == nil {
		t.Errorf("%d are heard, and %d were left out", outcomes, dropped)
	}
	if f.bytes != 0 {
		t.Errorf("%d bytes are thought to wait", f.bytes)
	}
}

// A cluster that has gone to another site keeps no other one back.
func TestOneClusterKeepsNoOtherBack(t *testing.T) {
	f, l := findingsIn(t, t.TempDir()), &listening{refuses: "b"}
	for _, cluster := range []string{"a", "b", "c"} {
		f.says(t, probing.Said{Cluster: cluster, Outcomes: []probing.Outcome{came("r", api.Passed)}})
	}
	said := f.tellTo(t, l)
	if got := l.texts(); !slices.Equal(got, []string{"a r", "c r"}) {
		t.Errorf("got %v", got)
	}
	if f.next(morning) != nil {
		t.Error("it is told again and again")
	}
	if again := f.tellAt(t, l, morning.Add(refusedFirst)); !strings.Contains(said, "it is of another site") || again != "" {
		t.Errorf("it is to be said once:\n%s%s", said, again)
	}
	l.heard = nil
	f.tellAt(t, l, morning.Add(refusedFor))
	if got := f.tellAt(t, l, morning.Add(2*refusedFor)); len(f.outcomes)+len(f.heads) != 2 || f.bytes != 0 || got != "" {
		t.Errorf("after a day it is another site's for good: %v %v %s", f.outcomes, f.heads, got)
	}
}

// What a server refuses for long is not written anew each time that something else is told.
func TestWhatIsRefusedIsNotWrittenAgainAndAgain(t *testing.T) {
	dir, l, now := t.TempDir(), &listening{refuses: "b"}, morning
	f := findingsIn(t, dir)
	long := func(cluster string, outcomes int) {
		t.Helper()
		one := probing.Said{Cluster: cluster, At: morning}
		for i := range outcomes {
			o := came(fmt.Sprintf("r%d", i), api.Failed)
			o.Message = strings.Repeat("x", 60_000)
			one.Outcomes = append(one.Outcomes, o)
		}
		f.says(t, one)
		f.tellAt(t, l, now)
	}
	file := func() os.FileInfo {
		t.Helper()
		at, err := os.Stat(filepath.Join(dir, findingsFile))
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	long("a", 1)
	long("b", 20)
	before := file()
	for range 3 {
		long("a", 1)
	}
	if !os.SameFile(before, file()) {
		t.Errorf("for a result of %d bytes, a file of %d is written", 60_000, file().Size())
	}
	now = now.Add(settleMany)
	long("a", 1)
	if at := file(); at.Size() > before.Size()+10_000 {
		t.Errorf("after a while its %d bytes have what was told", at.Size())
	}
	f = findingsIn(t, dir)
	l.refuses, l.heard = "", nil
	f.tellTo(t, l)
	if got := l.texts(); len(got) < 20 || file().Size() != 0 {
		t.Errorf("then %d are told, and %d bytes wait", len(got), file().Size())
	}
}

// Who is refused as a whole loses nothing: what waits is told once he is let in again.
func TestWhoIsRefusedAsAWholeLosesNothing(t *testing.T) {
	for _, code := range []codes.Code{
		codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument, codes.FailedPrecondition, codes.ResourceExhausted,
	} {
		t.Run(code.String(), func(t *testing.T) {
			dir, l := t.TempDir(), &listening{all: code}
			f := findingsIn(t, dir)
			for _, cluster := range []string{"a", "b", "c"} {
				one := probing.Said{Cluster: cluster, At: morning, Whole: true, Cases: []string{"etcd", "new"}, Gone: []string{"old"}}
				for i := range 300 {
					one.Outcomes = append(one.Outcomes, came(fmt.Sprintf("r%d", i), api.Failed))
				}
				for i := range 9 {
					one.Stands = append(one.Stands, inState("etcd", fmt.Sprint(i), probing.Failing))
				}
				f.says(t, one)
			}
			said, now := f.tellTo(t, l), morning
			for range 5 {
				now = now.Add(refusedMost)
				said += f.tellAt(t, l, now)
			}
			if n := strings.Count(said, "\n"); n == 0 || n > namedAtOnce+1 || !strings.Contains(said, "you are not known here") {
				t.Errorf("it is to be said once, in few lines:\n%s", said)
			}
			if l.calls > 6*(refusedMany+20) {
				t.Errorf("it took %d calls", l.calls)
			}
			f = findingsIn(t, dir)
			l.all = codes.OK
			f.tellAt(t, l, now)
			got := l.texts()
			slices.Sort(got)
			if got = slices.Compact(got); len(got) != 3*311 || got[0] != "a etcd@0 Failing" || !slices.Contains(got, "c has etcd,new") {
				t.Errorf("%d are heard, want %d", len(got), 3*311)
			}
		})
	}
}

// One thing that nobody takes, and beside which there is nothing, waits: whether it is to blame shows once others are taken.
func TestALoneFindingThatIsRefusedWaits(t *testing.T) {
	f, l := findingsIn(t, t.TempDir()), &listening{poison: "bad"}
	f.says(t, probing.Said{Cluster: "a", At: morning, Outcomes: []probing.Outcome{came("bad", api.Failed)}})
	if said := f.tellTo(t, l); len(f.outcomes) != 1 || !strings.Contains(said, `item="run bad"`) {
		t.Fatalf("%d wait: %s", len(f.outcomes), said)
	}
	if wait, is := f.again(morning); !is || wait != refusedFirst {
		t.Errorf("it is told again in %s", wait)
	}
	f.says(t, probing.Said{Cluster: "a", At: morning, Outcomes: []probing.Outcome{came("good", api.Failed)}})
	f.tellAt(t, l, morning.Add(time.Second))
	said := f.tellAt(t, l, morning.Add(refusedFirst))
	if got := l.texts(); !slices.Equal(got, []string{"a good", "a dropped 1"}) || len(f.outcomes) != 0 || !strings.Contains(said, `item="run bad"`) {
		t.Errorf("it is left out by name, and the server hears that something is: %v\n%s", got, said)
	}
	if _, is := f.again(morning); is {
		t.Error("something is still told again")
	}
}

// What a cluster has is told until it is heard, with what has come and gone since.
func TestTheListOfCasesIsTold(t *testing.T) {
	dir, l := t.TempDir(), &listening{down: true}
	f := findingsIn(t, dir)
	f.says(t, probing.Said{Cluster: "a", At: morning, Stands: []probing.Stand{inState("gone", "", probing.Failing), inState("etcd", "", probing.Failing)},
		Gone: []string{"older"}})
	f.says(t, probing.Said{Cluster: "a", At: morning, Whole: true, Cases: []string{"etcd", "dns"}})
	f.says(t, probing.Said{Cluster: "a", At: morning, Gone: []string{"dns"}})
	f.says(t, probing.Said{Cluster: "a", At: morning, Stands: []probing.Stand{inState("came", "", probing.Passing)}})
	f.says(t, probing.Said{Cluster: "b", At: morning, Whole: true})
	f.tellTo(t, l)
	f = findingsIn(t, dir)
	l.down = false
	f.tellTo(t, l)
	want := []string{"a has came,etcd", "a gone dns", "a came@ Passing", "a etcd@ Failing", "b has "}
	if got := l.texts(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if f.next(morning) != nil {
		t.Error("it is told again and again")
	}
}

// What the server takes at no time is left out alone, wherever it stands: nothing else that was found goes with it.
func TestOneFindingKeepsNoOtherBack(t *testing.T) {
	for _, poison := range []string{"r0", "r7", "r99", "etcd-3", "none"} {
		f, l := findingsIn(t, t.TempDir()), &listening{poison: poison}
		one := probing.Said{Cluster: "a", Gone: []string{"old"}}
		for i := range 100 {
			one.Outcomes = append(one.Outcomes, came(fmt.Sprintf("r%d", i), api.Failed))
		}
		for i := range 9 {
			one.Stands = append(one.Stands, inState(fmt.Sprintf("etcd-%d", i), "", probing.Failing))
		}
		f.says(t, one)
		f.says(t, probing.Said{Cluster: "b", Outcomes: []probing.Outcome{came("other", api.Passed)}})
		f.tellTo(t, l)
		want := 111 // with what has gone, and the other cluster's; of an outcome that is left out the server hears that it is
		if poison == "etcd-3" {
			want--
		}
		if got := l.texts(); len(got) != want || !slices.Contains(got, "a gone old") || !slices.Contains(got, "b other") {
			t.Errorf("%s: %d are heard, want %d", poison, len(got), want)
		}
		if f.next(morning) != nil {
			t.Errorf("%s: something is told again and again", poison)
		}
		if l.calls > 40 {
			t.Errorf("%s: it took %d calls", poison, l.calls)
		}
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

// The centre is away for an hour while a case turns again and again: it hears the newest state, each one between once and in order, and how
// much there was no room for.
func TestTheCentreHearsEachTurnAfterAnHour(t *testing.T) {
	dir, l := t.TempDir(), &listening{down: true}
	f := findingsIn(t, dir)
	states := []probing.State{probing.Failing, probing.Passing}
	told := []string{}
	for i := range 3600 / 6 {
		now := morning.Add(time.Duration(i) * 6 * time.Second)
		st := inState("etcd", "", states[i/10%2])
		st.Since = morning.Add(time.Duration(i/10) * time.Minute)
		f.says(t, probing.Said{Cluster: "a", At: now, Stands: []probing.Stand{st}, Outcomes: []probing.Outcome{came(fmt.Sprintf("r%03d", i), api.Passed)}})
		if i%10 == 0 {
			told = append(told, fmt.Sprintf("%s %s", st.State, st.Since.Format("15:04")))
		}
		if i%100 == 0 {
			f.tellAt(t, l, now)
			f = findingsIn(t, dir)
		}
	}
	l.down = false
	f.tellTo(t, l)
	var got, runs []string
	for _, one := range l.heard {
		for _, turn := range one.Turns {
			got = append(got, fmt.Sprintf("%s %s", turn.State, turn.Since.Format("15:04")))
		}
		for _, st := range one.Stands {
			got = append(got, fmt.Sprintf("%s %s", st.State, st.Since.Format("15:04")))
		}
		for _, o := range one.Outcomes {
			runs = append(runs, o.ID)
		}
	}
	if !slices.Equal(got, told) {
		t.Errorf("%d of %d states are heard: %v", len(got), len(told), got)
	}
	if len(runs) != 600 || !slices.IsSorted(runs) || len(slices.Compact(runs)) != 600 {
		t.Errorf("%d runs are heard", len(runs))
	}
	l.heard = nil
	if findingsIn(t, dir).tellTo(t, l); len(l.heard) > 0 {
		t.Errorf("something is told twice: %v", l.texts())
	}
	for i := range maxTurns + 10 {
		st := inState("etcd", "", states[i%2])
		st.Since = morning.Add(time.Duration(i) * time.Second)
		f.put(probing.Said{Cluster: "a", At: morning, Stands: []probing.Stand{st}})
	}
	f.tellTo(t, l)
	turns, dropped := 0, int64(0)
	for _, one := range l.heard {
		if len(one.Stands) > 0 && turns+len(one.Turns) != maxTurns {
			t.Errorf("the newest state is heard after %d of %d", turns, maxTurns)
		}
		turns, dropped = turns+len(one.Turns), dropped+one.Dropped
	}
	if turns != maxTurns || dropped != 9 {
		t.Errorf("%d are heard, and %d are said to be left out", turns, dropped)
	}
}
