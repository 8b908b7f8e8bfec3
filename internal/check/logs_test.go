package check_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/pipelines"
)

var tenOClock = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

// logBench is a cluster with pods that write, and a clock.
type logBench struct {
	t      *testing.T
	server *kubetest.Server
	clock  *testclock.FakeClock
	place  *check.Place
	pods   check.Pods
	source *check.Logs
	kept   []byte
	began  time.Time
}

func newLogBench(t *testing.T) *logBench {
	b := &logBench{t: t, server: kubetest.New(t), clock: testclock.NewFakeClock(tenOClock), began: tenOClock}
	b.place = &check.Place{Cluster: "c1", API: b.server.Cluster(), Pods: func(context.Context) (check.Pods, error) { return b.pods, nil }}
	b.source = check.NewLogs(b.clock)
	return b
}

// running is a pod whose container main runs for the nth time.
func running(name string, restarts int32) *corev1.Pod {
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-" + name)},
	}
	s := corev1.ContainerStatus{
		Name: "main", RestartCount: restarts, ContainerID: fmt.Sprintf("cri://%s/%d", name, restarts),
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}
	if restarts > 0 {
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ContainerID: fmt.Sprintf("cri://%s/%d", name, restarts-1)}
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{s}
	return p
}

// put has pods in the cluster, too.
func (b *logBench) put(pods ...*corev1.Pod) []*corev1.Pod {
	for _, p := range pods {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(p)
		if err != nil {
			b.t.Fatal(err)
		}
		b.server.Put(&unstructured.Unstructured{Object: fields})
	}
	return pods
}

// write has the log of a pod's main container, a second a line.
func (b *logBench) write(pod string, previous bool, lines ...string) {
	var text strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&text, "%s %s\n", tenOClock.Add(time.Duration(i)*time.Second).Format(time.RFC3339Nano), line)
	}
	b.server.PutLog(kubetest.Log{Namespace: "default", Pod: pod, Container: "main", Previous: previous}, text.String())
}

// ask measures once, and keeps what is to be kept.
func (b *logBench) ask(step *pipelines.Logs) check.Finding {
	b.t.Helper()
	f := b.source.Ask(b.t.Context(), check.Question{
		Step:  pipelines.ResolvedStep{Name: "logs/s", StepKinds: pipelines.StepKinds{Logs: step}},
		Place: b.place, Began: b.began, Kept: b.kept,
	})
	b.kept = f.Keep
	return f
}

// wants fails the test where a finding is another one.
func (b *logBench) wants(f check.Finding, verdict api.Verdict, says ...string) {
	b.t.Helper()
	if f.Verdict != verdict {
		b.t.Errorf("%s: %s, want %s", f.Verdict, f.Message, verdict)
	}
	for _, part := range says {
		if !strings.Contains(f.Message, part) {
			b.t.Errorf("it says %q, not %q", f.Message, part)
		}
	}
}

func TestLogsFail(t *testing.T) {
	off := false
	for _, c := range []struct {
		reason   string
		step     pipelines.Logs
		lines    []string
		previous []string
		want     api.Verdict
		says     string
	}{
		{"nothing is wrong", pipelines.Logs{}, []string{"ready", "ERROR once"}, nil, api.Passed, "2 new lines in 1 logs of 1 pods, 1 of them errors"},
		{"a panic, once with its trace", pipelines.Logs{}, []string{"panic: boom", "", "goroutine 1 [running]:", "main.main()", "\t/a.go:1"}, nil,
			api.Failed, `1 panic: "panic: boom" in default/p/main`},
		{"a panic of the container before", pipelines.Logs{}, []string{"ready"}, []string{"panic: boom"}, api.Failed, `1 panic: "panic: boom"`},
		{"panics are borne", pipelines.Logs{Panics: &off}, []string{"panic: boom"}, nil, api.Passed, ""},
		{"a fatal line", pipelines.Logs{}, []string{`{"level":"fatal","msg":"no config"}`}, nil, api.Failed, `1 fatal line: "no config"`},
		{"fatal lines are borne", pipelines.Logs{Fatal: &off}, []string{`{"level":"fatal","msg":"no config"}`}, nil, api.Passed, ""},
		{"a trace is borne", pipelines.Logs{}, []string{"Traceback (most recent call last):", "  File \"a.py\"", "KeyError: 'x'"}, nil, api.Passed, ""},
		{"unless it is not", pipelines.Logs{StackTraces: true}, []string{"Traceback (most recent call last):", "  File \"a.py\"", "KeyError: 'x'"}, nil,
			api.Failed, `1 stack trace: "KeyError: 'x'"`},
		{"so many lines of a pattern are borne", pipelines.Logs{Patterns: []pipelines.LogPattern{{Name: "lost", Regexp: "lost", Max: 2}}},
			[]string{"lost a", "lost b"}, nil, api.Passed, ""},
		{"more are not", pipelines.Logs{Patterns: []pipelines.LogPattern{{Name: "lost", Regexp: "lost", Max: 1, Message: "leases were lost"}}},
			[]string{"lost a", "lost b"}, nil, api.Failed, `leases were lost: 2, 1 are borne: "lost a"`},
		{"a pattern that is none", pipelines.Logs{Patterns: []pipelines.LogPattern{{Name: "x", Regexp: "("}}}, []string{"a"}, nil, api.Error, "pattern x"},
		{"only the containers that are named", pipelines.Logs{Containers: []string{"other"}}, []string{"panic: boom"}, nil, api.Inconclusive, "no container of other"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newLogBench(t)
			restarts := int32(0)
			if c.previous != nil {
				restarts = 1
				b.write("p", true, c.previous...)
			}
			b.pods.New = b.put(running("p", restarts))
			b.write("p", false, c.lines...)
			b.wants(b.ask(&c.step), c.want, c.says)
		})
	}
}

func TestALogIsReadOnWhereItWasLeft(t *testing.T) {
	b := newLogBench(t)
	step := &pipelines.Logs{Patterns: []pipelines.LogPattern{{Name: "lost", Regexp: "lost", Max: 2}}}
	b.pods.New = b.put(running("p", 0))
	b.write("p", false, "lost 1", "panic: boom")
	b.wants(b.ask(step), api.Failed, "panic")
	b.wants(b.ask(step), api.Passed, "0 new lines")
	b.write("p", false, "lost 1", "panic: boom", "lost 2")
	b.wants(b.ask(step), api.Passed, "1 new line")
	b.write("p", false, "lost 1", "panic: boom", "lost 2", "lost 3", "panic: again")
	b.wants(b.ask(step), api.Failed, "1 panic", "3, 2 are borne")

	// It died of that: what it still wrote is in the log of the container before, which was read so far.
	b.pods.New = b.put(running("p", 1))
	b.write("p", true, "lost 1", "panic: boom", "lost 2", "lost 3", "panic: again", "fatal error: last words")
	b.write("p", false, "ready")
	f := b.ask(step)
	b.wants(f, api.Failed, "1 panic", "last words")
	if f.Seen["logs.lines"] != int64(2) {
		t.Errorf("%v lines are new", f.Seen["logs.lines"])
	}
	before := b.server.Cluster().Requests()
	asked := 0
	b.server.BeforeLog = func(kubetest.Log) int { asked++; return 0 }
	b.wants(b.ask(step), api.Passed)
	if asked != 1 {
		t.Errorf("%d logs were read, one gets no more lines (%d)", asked, before)
	}
}

// TestEveryDeathIsRead: a node need not say which container it was that died.
func TestEveryDeathIsRead(t *testing.T) {
	for _, named := range []bool{true, false} {
		b := newLogBench(t)
		for n := int32(1); n <= 3; n++ {
			p := running("p", n)
			s := &p.Status.ContainerStatuses[0]
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
			if !named {
				s.ContainerID, s.LastTerminationState.Terminated.ContainerID = "", ""
			}
			b.pods.New = b.put(p)
			b.write("p", true, "panic: boom")
			b.wants(b.ask(&pipelines.Logs{}), api.Failed, "1 panic")
			b.wants(b.ask(&pipelines.Logs{}), api.Passed)
		}
	}
}

// TestAContainerThatEndsKeepsItsPlace: what ran, ended and lies before what runs now is one log, with names of containers or without.
func TestAContainerThatEndsKeepsItsPlace(t *testing.T) {
	for _, named := range []bool{true, false} {
		b := newLogBench(t)
		ended := corev1.ContainerStateTerminated{}
		if named {
			ended.ContainerID = "cri://p/0"
		}
		p := running("p", 0)
		s := &p.Status.ContainerStatuses[0]
		s.ContainerID = ended.ContainerID
		b.pods.New = b.put(p)
		b.write("p", false, "ready")
		b.wants(b.ask(&pipelines.Logs{}), api.Passed, "1 new line ")
		s.State = corev1.ContainerState{Terminated: &ended}
		b.write("p", false, "ready", "bye")
		b.wants(b.ask(&pipelines.Logs{}), api.Passed, "1 new line ")
		s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
		s.LastTerminationState.Terminated, s.RestartCount = &ended, 1
		b.write("p", true, "ready", "bye")
		b.wants(b.ask(&pipelines.Logs{}), api.Passed, "0 new lines")
	}
}

func TestLogsThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		reason string
		step   pipelines.Logs
		status map[string]int
		gone   bool
		none   bool
		late   bool
		want   api.Verdict
		again  bool
		says   string
	}{
		{reason: "a pod that is gone since it was listed is none", gone: true, want: api.Passed},
		{reason: "a node that does not answer", status: map[string]int{"a": http.StatusInternalServerError}, want: api.Error, says: "of 1 of 2 pods could not be read, 0 are borne"},
		{reason: "as many as are borne", step: pipelines.Logs{MaxUnreadable: 1}, status: map[string]int{"a": http.StatusInternalServerError}, want: api.Passed,
			says: "1 new line in 1 logs of 2 pods, 0 of them errors; those of 1 pods could not be read"},
		{reason: "no right to read logs", step: pipelines.Logs{MaxUnreadable: 1},
			status: map[string]int{"a": http.StatusForbidden, "b": http.StatusForbidden}, want: api.Error, says: "refused by the test"},
		{reason: "all are borne, and nothing was read", step: pipelines.Logs{MaxUnreadable: 2},
			status: map[string]int{"a": http.StatusInternalServerError, "b": http.StatusInternalServerError}, late: true, want: api.Inconclusive},
		{reason: "nothing has begun yet", none: true, want: api.Inconclusive, again: true, says: "there is no pod of the new revision"},
		{reason: "nothing ever begins", none: true, late: true, want: api.Inconclusive, says: "there is no pod of the new revision"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newLogBench(t)
			if !c.none {
				b.pods.New = b.put(running("a", 0), running("b", 0))
			}
			b.write("a", false, "fine")
			b.write("b", false, "fine")
			b.server.BeforeLog = func(l kubetest.Log) int { return c.status[l.Pod] }
			if c.gone {
				b.server.Delete(&unstructured.Unstructured{Object: map[string]any{
					"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "a", "namespace": "default"},
				}})
			}
			if c.late {
				b.clock.Step(time.Hour)
			}
			f := b.ask(&c.step)
			b.wants(f, c.want, c.says)
			if f.Again.IsZero() == c.again {
				t.Errorf("asked again at %s", f.Again)
			}
		})
	}
}

func TestWhatWasFoundFailsHoweverMuchCouldNotBeRead(t *testing.T) {
	b := newLogBench(t)
	b.pods.New = b.put(running("a", 0), running("b", 0))
	b.write("a", false, "panic: boom")
	b.server.BeforeLog = func(l kubetest.Log) int { return map[string]int{"b": http.StatusBadGateway}[l.Pod] }
	b.wants(b.ask(&pipelines.Logs{}), api.Failed, "boom")
}

func TestALogLongerThanIsReadAtOnceIsReadOn(t *testing.T) {
	b := newLogBench(t)
	b.pods.New = b.put(running("p", 0))
	var lines []string
	for range 300 {
		lines = append(lines, strings.Repeat("x", 50))
	}
	b.write("p", false, append(lines, "panic: at the end")...)
	step := &pipelines.Logs{MaxBytes: 4096}
	rounds := 0
	for f := b.ask(step); f.Verdict != api.Failed; f = b.ask(step) {
		if rounds++; f.Verdict != api.Inconclusive || f.Again.IsZero() || rounds > 20 {
			t.Fatalf("after %d rounds: %+v", rounds, f)
		}
	}
	if rounds < 3 {
		t.Errorf("%d rounds", rounds)
	}
	b.clock.Step(time.Hour)
	b.kept = nil
	if f := b.ask(step); f.Verdict != api.Inconclusive || !f.Again.IsZero() {
		t.Errorf("it never catches up, and is %s: %s", f.Verdict, f.Message)
	}
}

// TestAStreamThatIsCutShortIsReadOn: a node that goes while it hands a log over ends it as if it were whole. The panic of a container
// that has died stands at the end of a log that nobody would read twice.
func TestAStreamThatIsCutShortIsReadOn(t *testing.T) {
	for _, cut := range []int{0, 1, 40, 45, 60, 100, 105} {
		b := newLogBench(t)
		b.pods.New = b.put(running("p", 1))
		var lines strings.Builder
		for i, line := range []string{"fine", "fine", "panic: boom"} {
			fmt.Fprintf(&lines, "%s %s\n", tenOClock.Add(time.Duration(i)*time.Second).Format(time.RFC3339Nano), line)
		}
		of, reads := kubetest.Log{Namespace: "default", Pod: "p", Container: "main", Previous: true}, 0
		b.write("p", false, "fine")
		b.server.BeforeLog = func(l kubetest.Log) int {
			if l != of {
				return 0
			}
			text := lines.String()
			if reads++; reads == 1 {
				text = text[:min(cut, len(text))]
			}
			b.server.PutLog(of, text)
			return 0
		}
		b.wants(b.ask(&pipelines.Logs{}), api.Failed, "boom")
	}
}

// repeated are so many lines, of which some are errors.
func repeated(lines, errors int) []string {
	var all []string
	for i := range lines {
		if i < errors {
			all = append(all, "ERROR x")
		} else {
			all = append(all, "fine")
		}
	}
	return all
}

func TestErrorsAgainstTheOldRevision(t *testing.T) {
	for _, c := range []struct {
		reason   string
		rate     pipelines.LogRate
		new, old [2]int // lines, errors
		late     bool
		want     api.Verdict
		again    bool
		says     string
	}{
		{reason: "as many", rate: pipelines.LogRate{MaxRatio: 2}, new: [2]int{200, 10}, old: [2]int{200, 10}, want: api.Passed},
		{reason: "many more", rate: pipelines.LogRate{MaxRatio: 2}, new: [2]int{200, 40}, old: [2]int{200, 10}, want: api.Failed, says: "20% of 200 lines are errors, of the old revision 5% of 200"},
		{reason: "more, but hardly any", rate: pipelines.LogRate{MaxRatio: 2}, new: [2]int{200, 4}, old: [2]int{200, 0}, want: api.Passed},
		{reason: "an old one without errors", rate: pipelines.LogRate{MaxRatio: 2}, new: [2]int{200, 9}, old: [2]int{200, 0}, want: api.Failed, says: "0% of 200"},
		{reason: "too few lines of the new one yet", rate: pipelines.LogRate{MaxRatio: 2}, new: [2]int{50, 50}, old: [2]int{200, 0}, want: api.Inconclusive, again: true, says: "50 lines of the new revision"},
		{reason: "too few of the old one, for good", rate: pipelines.LogRate{MaxRatio: 2}, new: [2]int{200, 50}, old: [2]int{0, 0}, late: true, want: api.Inconclusive, says: "0 of the old one"},
		{reason: "that is borne", rate: pipelines.LogRate{MaxRatio: 2, NoData: pipelines.LogNoDataPassed}, new: [2]int{200, 50}, old: [2]int{0, 0}, want: api.Passed},
		{reason: "fewer lines are enough", rate: pipelines.LogRate{MaxRatio: 2, MinLines: 10}, new: [2]int{20, 20}, old: [2]int{20, 0}, want: api.Failed},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newLogBench(t)
			b.pods = check.Pods{New: b.put(running("new", 0)), Old: b.put(running("old", 0))}
			b.write("new", false, repeated(c.new[0], c.new[1])...)
			b.write("old", false, repeated(c.old[0], c.old[1])...)
			if c.late {
				b.clock.Step(time.Hour)
			}
			f := b.ask(&pipelines.Logs{Rate: &c.rate})
			b.wants(f, c.want, c.says)
			if f.Again.IsZero() == c.again {
				t.Errorf("asked again at %s", f.Again)
			}
		})
	}
}

func TestLinesOfAllMeasurementsAreCompared(t *testing.T) {
	b := newLogBench(t)
	b.pods = check.Pods{New: b.put(running("new", 0)), Old: b.put(running("old", 0))}
	step := &pipelines.Logs{Rate: &pipelines.LogRate{MaxRatio: 2}}
	b.write("new", false, repeated(60, 0)...)
	b.write("old", false, repeated(60, 0)...)
	b.wants(b.ask(step), api.Inconclusive)
	b.write("new", false, append(repeated(60, 0), repeated(60, 60)...)...)
	b.write("old", false, repeated(120, 0)...)
	b.wants(b.ask(step), api.Failed, "50% of 120 lines")
}

func TestErrorsAMinute(t *testing.T) {
	most := 2.0
	for _, c := range []struct {
		reason string
		lines  []string
		after  time.Duration
		want   api.Verdict
		again  bool
	}{
		{"too early to say", repeated(10, 10), 0, api.Inconclusive, true},
		{"too many", repeated(121, 100), 0, api.Failed, false},
		{"few", repeated(121, 3), 0, api.Passed, false},
		{"a quiet log is judged by how long it was watched", repeated(5, 5), 4 * time.Minute, api.Passed, false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newLogBench(t)
			b.pods.New = b.put(running("p", 0))
			b.write("p", false, c.lines...)
			b.clock.Step(c.after)
			f := b.ask(&pipelines.Logs{MaxErrorsPerMinute: &most})
			b.wants(f, c.want)
			if f.Again.IsZero() == c.again {
				t.Errorf("asked again at %s", f.Again)
			}
		})
	}
}

// TestAStormAtTheEndOfALongSoakIsSeen: errors are those of the last minutes, and not lost in the average of a week.
func TestAStormAtTheEndOfALongSoakIsSeen(t *testing.T) {
	b := newLogBench(t)
	b.pods.New = b.put(running("p", 0))
	step := &pipelines.Logs{MaxErrorsPerMinute: new(2.0)}
	var text strings.Builder
	ask := func(lines ...string) check.Finding {
		b.clock.Step(5 * time.Minute)
		for _, line := range lines {
			fmt.Fprintf(&text, "%s %s\n", b.clock.Now().Format(time.RFC3339Nano), line)
		}
		b.server.PutLog(kubetest.Log{Namespace: "default", Pod: "p", Container: "main"}, text.String())
		return b.ask(step)
	}
	for range 7 * 24 {
		b.wants(ask(repeated(3, 1)...), api.Passed)
	}
	b.wants(ask(repeated(100, 100)...), api.Failed, "errors a minute in a pod, 2 are borne")
	for range 5 {
		ask("fine")
	}
	b.wants(ask("fine"), api.Passed)
}

func TestPodsAreSampled(t *testing.T) {
	b := newLogBench(t)
	for i := range 120 {
		name := fmt.Sprintf("p-%03d", i)
		restarts := int32(0)
		if i == 77 {
			restarts = 1
			b.write(name, true, "panic: boom")
		}
		b.pods.New = append(b.pods.New, b.put(running(name, restarts))...)
		b.write(name, false, "fine")
	}
	var mu sync.Mutex
	read := map[string]int{}
	b.server.BeforeLog = func(l kubetest.Log) int {
		mu.Lock()
		defer mu.Unlock()
		read[l.Pod]++
		return 0
	}
	f := b.ask(&pipelines.Logs{})
	b.wants(f, api.Failed, "default/p-077/main")
	if diff := cmp.Diff([]any{50, 120, 51}, []any{f.Seen["logs.pods"], f.Seen["logs.podsThere"], f.Seen["logs.read"]}); diff != "" {
		t.Errorf("sampled (-want +got):\n%s", diff)
	}
	first := len(read)
	b.ask(&pipelines.Logs{})
	if len(read) != first {
		t.Errorf("other pods are read the second time: %d and %d", first, len(read))
	}
	if len(f.Keep) > 16<<10 {
		t.Errorf("%d bytes are kept", len(f.Keep))
	}
}

func TestWhatIsKeptStaysSmall(t *testing.T) {
	b := newLogBench(t)
	for i := range 150 {
		name := fmt.Sprintf("p-%03d", i)
		b.write(name, true, "E1128 10:00:00.000001       1 a.go:1] x")
		b.write(name, false, "E1128 10:00:00.000001       1 a.go:1] x", "goroutine 1 [running]:")
		b.pods.New = append(b.pods.New, b.put(running(name, 1))...)
	}
	b.pods.Old = b.pods.New
	f := b.ask(&pipelines.Logs{MaxPods: 140, Rate: &pipelines.LogRate{MaxRatio: 20, NoData: pipelines.LogNoDataPassed}})
	b.wants(f, api.Passed, "logs of 140 of 150 pods", "; 130 more logs are not read")
	if len(f.Keep) == 0 || len(f.Keep) > 16<<10 {
		t.Errorf("%d bytes are kept", len(f.Keep))
	}
	if f.Seen["logs.leftOut"] == nil {
		t.Error("it does not say that logs were left out")
	}
}

func TestSecretsInLogsAreNotQuoted(t *testing.T) {
	b := newLogBench(t)
	b.pods.New = b.put(running("p", 0))
	b.write("p", false, "panic: cannot log in with password=hunter2")
	f := b.ask(&pipelines.Logs{})
	if text := fmt.Sprint(f); strings.Contains(text, "hunter2") || !strings.Contains(text, "password=***") {
		t.Errorf("%s", text)
	}
}

func TestLogsOfAnEndedMeasurementAreNoVerdict(t *testing.T) {
	b := newLogBench(t)
	b.pods.New = b.put(running("p", 0))
	b.write("p", false, "panic: boom")
	ctx, cancel := context.WithCancelCause(t.Context())
	b.server.BeforeLog = func(kubetest.Log) int { cancel(errors.New("it took longer than 30s")); return 0 }
	q := check.Question{Step: pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{Logs: &pipelines.Logs{}}}, Place: b.place, Kept: []byte(`{"p":{"a":1}}`)}
	f := b.source.Ask(ctx, q)
	b.wants(f, api.Error, "it took longer than 30s")
	if string(f.Keep) != string(q.Kept) {
		t.Errorf("it keeps %s", f.Keep)
	}
	q.Place = nil
	b.wants(b.source.Ask(t.Context(), q), api.Error, "no cluster")
}
