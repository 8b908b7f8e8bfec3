package logscan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/logscan"
)

// kept is a cursor as it comes back from where it was kept.
func kept(t rapid.TB, c logscan.Cursor) (back logscan.Cursor) {
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

// since is what an API server returns of a log from a time on, which it takes in whole seconds.
func since(log []string, from time.Time) string {
	var b strings.Builder
	for _, line := range log {
		at, err := time.Parse(time.RFC3339Nano, strings.Fields(line)[0])
		if err == nil && at.Before(from.Truncate(time.Second)) {
			continue
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// TestNoLineIsCountedTwiceOrMissed reads a log that grows, is rotated, and has many lines at one moment, in readings that end
// anywhere.
func TestNoLineIsCountedTwiceOrMissed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
		var log []string
		var cursor logscan.Cursor
		var total, lines, panics int64
		rounds := rapid.IntRange(1, 8).Draw(t, "rounds")
		for n := range rounds {
			for range rapid.IntRange(0, 12).Draw(t, "written") {
				at = at.Add(rapid.SampledFrom([]time.Duration{0, 1, time.Millisecond, time.Second, time.Minute}).Draw(t, "later"))
				text := rapid.SampledFrom([]string{"fine", "panic: boom", "", "ERROR x"}).Draw(t, "text")
				if text == "panic: boom" {
					panics++
				}
				log = append(log, at.Format(time.RFC3339Nano)+" "+text)
				total++
			}
			text := since(log, cursor.Since())
			if rapid.Bool().Draw(t, "half a line") {
				text += at.Format(time.RFC3339Nano) + " panic: ha"
			}
			bound := int64(1 << 20)
			if n < rounds-1 {
				bound = rapid.Int64Range(1, 400).Draw(t, "bound")
			}
			report, next, err := logscan.Scan(t.Context(), strings.NewReader(text), logscan.Log{From: kept(t, cursor)}, logscan.Options{Bytes: bound})
			if err != nil {
				t.Fatal(err)
			}
			cursor = next
			lines += report.Lines
			panics -= report.Counts[logscan.Panic]
			if !report.Cut && rapid.Bool().Draw(t, "rotated") {
				log = nil
				at = at.Add(1)
			}
		}
		if lines != total || panics != 0 {
			t.Errorf("%d lines were counted of %d, %d panics were missed", lines, total, panics)
		}
	})
}

func TestATraceThatIsWrittenWhileItIsReadIsOne(t *testing.T) {
	for _, c := range []struct{ reason, log string }{
		{"Go", "panic: boom\n\ngoroutine 1 [running]:\nmain.a()\n\t/a.go:1\n\ngoroutine 2 [select]:\nmain.b()\n\t/b.go:1\n"},
		{"klog", "F1128 10:00:00.000001       1 a.go:1] no\ngoroutine 1 [running]:\nmain.a()\n\t/a.go:1\n"},
		{"Java", "Exception in thread \"main\" java.io.IOException: x\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)\nCaused by: x.Y: z\n\tat x.Y.z(Y.java:1)\n"},
		{"Python", "Traceback (most recent call last):\n  File \"a.py\", line 1, in a\n    b()\nKeyError: 'x'\n"},
		{"Rust", "thread 'main' panicked at a.rs:1:1:\nboom\nstack backtrace:\n   0: a::b\n             at ./a.rs:1:1\n"},
	} {
		lines := strings.SplitAfter(strings.TrimSuffix(stamped(c.log), "\n"), "\n")
		for split := 1; split < len(lines); split++ {
			var all logscan.Report
			var cursor logscan.Cursor
			for _, until := range []int{split, len(lines)} {
				log := logscan.Log{From: kept(t, cursor), Ended: until == len(lines)}
				report, next, err := logscan.Scan(t.Context(), strings.NewReader(strings.Join(lines[:until], "")), log, logscan.Options{})
				if err != nil {
					t.Fatal(err)
				}
				all.Add(report)
				cursor = next
			}
			if len(all.Groups) != 1 || all.Errors != 1 {
				t.Errorf("%s: read in two after line %d it is %d errors: %q", c.reason, split, all.Errors, found(all))
			}
		}
	}
}

func TestAClockThatIsPutBackHidesNothingOfWhatIsThere(t *testing.T) {
	first := "2026-11-28T10:00:00Z fine\n2026-11-28T10:00:01Z fine\n"
	_, cursor, err := logscan.Scan(t.Context(), strings.NewReader(first), logscan.Log{}, logscan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	next := first + "2026-11-28T09:00:00Z panic: boom\n2026-11-28T09:00:01Z fine\n"
	report, cursor, err := logscan.Scan(t.Context(), strings.NewReader(next), logscan.Log{From: cursor}, logscan.Options{})
	if err != nil || report.Counts[logscan.Panic] != 1 || report.Lines != 2 {
		t.Errorf("%v: %d lines, %v", err, report.Lines, report.Counts)
	}
	if want := time.Date(2026, 11, 28, 9, 0, 1, 0, time.UTC); !cursor.At.Equal(want) {
		t.Errorf("it goes on at %s", cursor.At)
	}
}

func TestWhatANodeSaysInTheLogsPlaceIsNoLine(t *testing.T) {
	log := logscan.Log{Stamped: true, Ended: true}
	text := "unable to retrieve container logs for containerd://abc\n"
	report, cursor, err := logscan.Scan(t.Context(), strings.NewReader(text), log, logscan.Options{})
	if err != nil || report.Lines != 0 || report.Strays != 1 || !cursor.At.IsZero() {
		t.Errorf("%v: %+v", err, report)
	}
}

func TestReportsAddUp(t *testing.T) {
	a := scan(t, "panic: boom 1\nERROR x\n", logscan.Options{})
	b := scan(t, "panic: boom 2\n", logscan.Options{})
	var all logscan.Report
	all.Add(a)
	all.Add(b)
	if diff := cmp.Diff([]string{"panic 2x panic: boom 1"}, found(all)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if all.Logs != 2 || all.Errors != 3 || all.Lines != 3 || all.Counts[logscan.Panic] != 2 {
		t.Errorf("%+v", all)
	}
	if a.Groups[0].Count != 1 {
		t.Error("adding changes what is added")
	}
}

func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "panic: \n\tpanic: \n\ngoroutine 1 [running]:\n", "2026-11-28T10:00:00Z", "2026-11-28T10:00:00Z \n", "E1128 10:00:00.000001",
		"{\"level\":{}}\n{\"msg\":[1]}\n{\n", "Traceback (most recent call last):\n \nx\n", "-----BEGIN \n-----END \n", "\x1b[\x1b]\x00\xff\n",
		"thread 'a' panicked at \n\n 0: \n", "  at \n   at x(\nCaused by: \n", "password=\"\\", "level=\nlvl=\"", "[[[[[<(|:::\n", "\t\n \n\r\n",
	} {
		f.Add([]byte(seed), 1)
		f.Add([]byte(seed), 1000)
	}
	f.Fuzz(func(t *testing.T, text []byte, bound int) {
		report, _, err := logscan.Scan(t.Context(), bytes.NewReader(text), logscan.Log{Name: "x", Ended: true}, logscan.Options{Bytes: int64(bound)})
		if err != nil {
			t.Fatal(err)
		}
		if report.Entries > report.Lines || report.Lines > int64(bytes.Count(text, []byte("\n")))+1 {
			t.Errorf("%d entries of %d lines", report.Entries, report.Lines)
		}
		for _, g := range report.Groups {
			for _, line := range append(g.Quote, g.Title) {
				if strings.ContainsAny(line, "\n\x00\x1b") || len(line) > 1000 {
					t.Errorf("quoted: %s", fmt.Sprintf("%q", line))
				}
			}
		}
	})
}
