package logscan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/logscan"
)

// stamped gives each line of a log a time, a second apart.
func stamped(text string) string {
	var b strings.Builder
	at := time.Date(2026, 11, 28, 10, 0, 0, 1, time.UTC)
	for line := range strings.Lines(text) {
		b.WriteString(at.Format(time.RFC3339Nano) + " " + line)
		at = at.Add(time.Second)
	}
	return b.String()
}

func scan(t *testing.T, text string, o logscan.Options) logscan.Report {
	t.Helper()
	report, _, err := logscan.Scan(t.Context(), strings.NewReader(stamped(text)), logscan.Log{Name: "agent/p/main", Ended: true}, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// found is what a report says of its groups.
func found(r logscan.Report) []string {
	all := []string{}
	for _, g := range r.Groups {
		all = append(all, fmt.Sprintf("%s %dx %s", g.Kind, g.Count, g.Title))
	}
	return all
}

func TestScanFindsWhatAProgramDiesOf(t *testing.T) {
	for _, c := range []struct {
		reason string
		log    string
		want   []string
		errors int64
	}{
		{"a panic of Go is one, with its trace", `starting
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a]

goroutine 1 [running]:
main.(*Server).serve(0x0, {0x4c5d, 0x3})
	/src/main.go:12 +0x1d
main.main()
	/src/main.go:7 +0x25
exit status 2
`, []string{"panic 1x panic: runtime error: invalid memory address or nil pointer dereference"}, 1},
		{"its message may have lines of its own", "panic: cannot start:\n  no config\n  no flags\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:7 +0x25\n",
			[]string{"panic 1x panic: cannot start:"}, 1},
		{"a fatal error of the runtime is a panic", "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\nmain.main()\n\t/a.go:1\n",
			[]string{"panic 1x fatal error: all goroutines are asleep - deadlock!"}, 1},
		{"a server that goes on has panicked all the same", "2026/11/28 10:00:00 http: panic serving 10.0.0.1:5432: boom\ngoroutine 7 [running]:\nmain.x()\n\t/a.go:1\n",
			[]string{"panic 1x http: panic serving 10.0.0.1:5432: boom"}, 1},
		{"so has a controller", `E1128 10:00:00.000001       1 panic.go:262] "Observed a panic" panic="boom"` + "\ngoroutine 7 [running]:\nmain.x()\n\t/a.go:1\n",
			[]string{`panic 1x "Observed a panic" panic="boom"`}, 1},
		{"a fatal line of klog dumps goroutines, which are its own", "F1128 10:00:00.000001       1 main.go:9] no config\ngoroutine 1 [running]:\nmain.main()\n\t/a.go:1\n\ngoroutine 5 [select]:\nmain.b()\n\t/b.go:1\n",
			[]string{"fatal 1x no config"}, 1},
		{"a trace without a panic is a trace, named after its first frame", "here:\ngoroutine 1 [running]:\nruntime/debug.Stack()\n\t/s.go:1\nmain.watch(0x1)\n\t/a.go:1\n",
			[]string{"stackTrace 1x main.watch"}, 1},
		{"Java: an exception that nobody caught", "Exception in thread \"main\" java.lang.IllegalStateException: no port\n\tat com.acme.Main.run(Main.java:12)\n\tat com.acme.Main.main(Main.java:4)\nCaused by: java.io.IOException: in use\n\tat com.acme.Port.open(Port.java:9)\n\t... 2 more\n",
			[]string{`panic 1x Exception in thread "main" java.lang.IllegalStateException: no port`}, 1},
		{"Java: one that was logged", "2026-11-28 10:00:00,001 ERROR [main] c.a.Main - cannot read\njava.io.IOException: gone\n\tat com.acme.A.b(A.java:3)\n2026-11-28 10:00:00,002 INFO  [main] c.a.Main - going on\n",
			[]string{"stackTrace 1x java.io.IOException: gone"}, 2},
		{"an exception's name alone is no trace", "retry after java.io.IOException: gone\nok\n", []string{}, 0},
		{"Python: the exception stands at the end", "Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in <module>\n    main()\nKeyError: 'port'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/app/a.py\", line 9, in <module>\n    fail()\nValueError: no port\ndone\n",
			[]string{"stackTrace 1x ValueError: no port"}, 1},
		{"Python: a logged one belongs to its line", "ERROR:root:cannot start\nTraceback (most recent call last):\n  File \"/app/a.py\", line 3, in <module>\n    main()\nKeyError: 'port'\n",
			[]string{"stackTrace 1x KeyError: 'port'"}, 1},
		{"Node.js: it ends with its version", "/app/a.js:3\n    throw new Error('no port');\n    ^\n\nError: no port\n    at Object.<anonymous> (/app/a.js:3:7)\n    at node:internal/main:23:47\n\nNode.js v22.3.0\n",
			[]string{"panic 1x Error: no port"}, 1},
		{"Rust: the message stands below", "thread 'main' panicked at src/main.rs:2:5:\nno port\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\nok\n",
			[]string{"panic 1x thread 'main' panicked at src/main.rs:2:5: no port"}, 1},
		{"C++", "terminate called after throwing an instance of 'std::runtime_error'\n", []string{"panic 1x terminate called after throwing an instance of 'std::runtime_error'"}, 1},
		{"a trace that another writer's lines came into is one", "panic: boom\n\ngoroutine 1 [running]:\nmain.a()\nI1128 10:00:00.000001       1 b.go:1] fine\n\t/a.go:1\nmain.main()\n\t/a.go:2\n",
			[]string{"panic 1x panic: boom"}, 1},
		{"two panics with numbers of their own are alike", "panic: bad port 81\n\ngoroutine 1 [running]:\nmain.a(0x1)\n\t/a.go:1\npanic: bad port 82\n\ngoroutine 9 [running]:\nmain.a(0x2)\n\t/a.go:1\n",
			[]string{"panic 2x panic: bad port 81"}, 2},
		{"at another place it is another one", "panic: nil\n\ngoroutine 1 [running]:\nmain.a(0x1)\n\t/a.go:1\npanic: nil\n\ngoroutine 9 [running]:\nmain.b(0x2)\n\t/a.go:1\n",
			[]string{"panic 1x panic: nil", "panic 1x panic: nil"}, 2},
		{"zap carries the trace within", `{"level":"error","ts":1,"msg":"cannot list","error":"boom","stacktrace":"main.a\n\t/a.go:1\nmain.main\n\t/a.go:2"}` + "\n",
			[]string{"stackTrace 1x cannot list boom"}, 1},
		{"a word of a message is no crash", "INFO do not panic: all is well\nno fatal error: here\nlevel=info msg=\"panic: of somebody else\"\n", []string{}, 0},
		{"colours are no part of a line", "\x1b[31mpanic: red\x1b[0m\n\x1b]0;title\x07goroutine 1 [running]:\nmain.main()\n\t/a.go:1\n", []string{"panic 1x panic: red"}, 1},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got := scan(t, c.log, logscan.Options{})
			if diff := cmp.Diff(c.want, found(got)); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			if got.Errors != c.errors {
				t.Errorf("%d errors, want %d", got.Errors, c.errors)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		line string
		want string // error, fatal, panic, or nothing
	}{
		{`{"level":"error","msg":"x"}`, "error"},
		{`{"time":"2026","level":"ERROR+4","msg":"slog, above an error"}`, "error"},
		{`{"level":"fatal","msg":"logrus"}`, "fatal"},
		{`{"level":"panic","msg":"logrus"}`, "panic"},
		{`{"severity":"CRITICAL","message":"Cloud Logging"}`, "fatal"},
		{`{"level":50,"msg":"pino"}`, "error"},
		{`{"level":60,"msg":"pino"}`, "fatal"},
		{`{"level":30,"msg":"ERROR is only a word"}`, ""},
		{`{"level":"info","msg":"x"`, ""},
		{`{"level":"error","msg":"cut of`, "error"},
		{`E1128 10:00:00.000001       1 a.go:1] x`, "error"},
		{`W1128 10:00:00.000001       1 a.go:1] ERROR is only a word`, ""},
		{`F1128 10:00:00.000001       1 a.go:1] x`, "fatal"},
		{`time="2026-11-28T10:00:00Z" level=error msg="logrus"`, "error"},
		{`time=2026-11-28T10:00:00Z level=INFO msg="ERROR is only a word"`, ""},
		{`loglevel=error`, ""},
		{"2026-11-28T10:00:00.000Z\tERROR\tcontroller\tzap for people", "error"},
		{"2026-11-28 10:00:00.000 UTC [1] FATAL:  no pg_hba.conf entry", "fatal"},
		{"[2026-11-28 10:00:00.000][1][critical][main] envoy", "fatal"},
		{"2026/11/28 10:00:00 [emerg] 7#7: nginx", "fatal"},
		{"[error] nginx", "error"},
		{"error: cannot open", "error"},
		{"there was an error: cannot open", ""},
		{"INFO the ERROR is gone", ""},
		{"a b c d e f g h ERROR too late", ""},
		{"CRITICAL:root:python", "fatal"},
	} {
		t.Run(c.line, func(t *testing.T) {
			got := scan(t, c.line+"\n", logscan.Options{})
			is := ""
			if got.Errors == 1 {
				is = "error"
			}
			for _, kind := range []logscan.Kind{logscan.Fatal, logscan.Panic} {
				if got.Counts[kind] == 1 {
					is = string(kind)
				}
			}
			if is != c.want || got.Entries != 1 {
				t.Errorf("it is taken for %q in %d entries, want %q", is, got.Entries, c.want)
			}
		})
	}
}

func TestPatternsCountLines(t *testing.T) {
	got := scan(t, "lost lease a1\nfine\nlost lease b2\nslow 3\n", logscan.Options{Patterns: []logscan.Pattern{
		{Name: "lease", Regexp: regexp.MustCompile(`^lost lease`)}, {Name: "slow", Regexp: regexp.MustCompile(`slow \d`)},
		{Name: "never", Regexp: regexp.MustCompile(`never`)},
	}})
	if diff := cmp.Diff(map[string]int64{"lease": 2, "slow": 1}, got.Patterns); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if got.Errors != 0 || got.Entries != 4 {
		t.Errorf("a pattern makes no error: %d of %d", got.Errors, got.Entries)
	}
}

func TestErrorsPerMinute(t *testing.T) {
	got := scan(t, strings.Repeat("ERROR x\nfine\n", 61), logscan.Options{})
	if rate, ok := got.PerMinute(); !ok || rate < 30 || rate > 31 {
		t.Errorf("%v errors a minute, known: %v", rate, ok)
	}
	short := scan(t, "ERROR x\n", logscan.Options{})
	if _, ok := short.PerMinute(); ok {
		t.Error("one line makes a rate")
	}
}

// long is a line without end, or of a given length.
type long struct{ left int64 }

func (l *long) Read(p []byte) (int, error) {
	n := min(int64(len(p)), l.left)
	for i := range p[:n] {
		p[i] = 'x'
	}
	l.left -= n
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

func TestALineOf100MBCostsNoMemory(t *testing.T) {
	for _, c := range []struct {
		reason string
		size   int64
		cut    bool
		panics int64
	}{
		{"it is read to its end, and what follows is seen", 100 << 20, false, 1},
		{"one without end is given up", 1 << 40, true, 0},
	} {
		t.Run(c.reason, func(t *testing.T) {
			r := io.MultiReader(strings.NewReader("2026-11-28T10:00:00Z "), &long{c.size}, strings.NewReader("\n2026-11-28T10:00:01Z panic: after\n"))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			report, _, err := logscan.Scan(t.Context(), r, logscan.Log{}, logscan.Options{Bytes: 1 << 30})
			runtime.ReadMemStats(&after)
			if err != nil || report.Cut != c.cut || report.Counts[logscan.Panic] != c.panics {
				t.Errorf("%v, cut: %v, %v", err, report.Cut, report.Counts)
			}
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 4<<20 {
				t.Errorf("%d bytes were allocated", spent)
			}
		})
	}
}

func TestAStormIsCountedAndKeptSmall(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "panic: %s\n\n", strings.Repeat("abc"[i%3:i%3+1], i%200+1))
	}
	got := scan(t, b.String(), logscan.Options{})
	if len(got.Groups) != 20 || got.Counts[logscan.Panic] != 5000 {
		t.Errorf("%d groups of %d panics", len(got.Groups), got.Counts[logscan.Panic])
	}
}

func TestAReadingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := logscan.Scan(ctx, &long{1 << 40}, logscan.Log{}, logscan.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

func TestWhatWasReadBeforeAnErrorIsKept(t *testing.T) {
	gone := errors.New("connection reset")
	r := io.MultiReader(strings.NewReader("2026-11-28T10:00:00Z panic: boom\n2026-11-28T10:00:01Z half a li"), iotest.ErrReader(gone))
	report, cursor, err := logscan.Scan(t.Context(), r, logscan.Log{Ended: true}, logscan.Options{})
	if !errors.Is(err, gone) || report.Counts[logscan.Panic] != 1 || report.Lines != 1 || cursor.Nth != 1 || cursor.At.Second() != 0 {
		t.Errorf("%v after %+v at %+v", err, report, cursor)
	}
}
