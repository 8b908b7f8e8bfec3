package probe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice.dev/sluice/probe"
	"sluice.dev/sluice/probe/probetest"
)

func TestVerdicts(t *testing.T) {
	broken := errors.New("no route to host")
	for _, c := range []struct {
		reason  string
		check   probe.Check
		verdict probe.Verdict
		code    string
		status  int
		errors  []string
	}{
		{"nothing was found", func(context.Context, *probe.Run) error { return nil }, probe.Passed, "", 0, nil},
		{"an error is a fault", func(context.Context, *probe.Run) error { return broken }, probe.Failed, "", 1, []string{"no route to host"}},
		{"a fault with a code, wrapped", func(context.Context, *probe.Run) error {
			return fmt.Errorf("get: %w", probe.Fail("NoRoute", broken))
		}, probe.Failed, "NoRoute", 1, []string{"get: no route to host"}},
		{"a code is one word", func(context.Context, *probe.Run) error { return probe.Fail("5 no-route!", broken) }, probe.Failed, "noroute", 1,
			[]string{"no route to host"}},
		{"could not look", func(context.Context, *probe.Run) error { return probe.CouldNot("Forbidden", broken) }, probe.Error, "Forbidden", 126,
			[]string{"no route to host"}},
		{"cannot tell", func(context.Context, *probe.Run) error { return probe.Unclear("FewSamples", broken) }, probe.Inconclusive, "FewSamples", 75,
			[]string{"no route to host"}},
		{"nothing to look at", func(context.Context, *probe.Run) error { return probe.Skip("no node of %s", "gpu") }, probe.Skipped, "", 0, nil},
		{"a panic is no fault of what is looked at", func(context.Context, *probe.Run) error { panic("oh") }, probe.Error, "Panic", 126, nil},
		{"no time left is a fault", func(context.Context, *probe.Run) error { return context.DeadlineExceeded }, probe.Failed, "DeadlineExceeded", 1, nil},
		{"of no error there is no fault", func(context.Context, *probe.Run) error { return probe.Fail("NoRoute", nil) }, probe.Passed, "", 0, nil},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got := probetest.Run(t, c.check)
			if got.More.Verdict != c.verdict || got.More.Code != c.code || got.OK != c.verdict.OK() || c.verdict.ExitStatus() != c.status {
				t.Errorf("%+v %+v", got, got.More)
			}
			if c.errors != nil && fmt.Sprint(got.Errors) != fmt.Sprint(c.errors) {
				t.Errorf("errors %q, want %q", got.Errors, c.errors)
			}
			if !got.OK && len(got.Errors) == 0 {
				t.Error("it is not ok, and has no errors")
			}
		})
	}
}

func TestWhatARunSays(t *testing.T) {
	got := probetest.Run(t, func(ctx context.Context, r *probe.Run) error {
		r.Number("members", 3)
		r.Number("ratio", 0/zero()) // none
		r.Text("version", "3.6")
		r.Flag("tls", true)
		r.Duration("wait", 1500*time.Microsecond)
		r.Severity("P1")
		r.Target("etcd")
		r.Message("one of %d members is slow", 3)
		for i := range 100 {
			r.Latency("put").Observe(time.Duration(i+1) * time.Millisecond)
		}
		r.Part(probe.Part{Name: "put", Target: "etcd-2", Verdict: probe.Failed, Code: "Slow"})
		return r.Step(ctx, "get", func(context.Context) error { time.Sleep(3 * time.Millisecond); return nil })
	})
	o := got.More.Observations
	if o["members"] != 3.0 || o["version"] != "3.6" || o["tls"] != true || o["wait"] != 1.5 || o["put.count"] != 100.0 || o["put.max"] != 100.0 {
		t.Errorf("%v", o)
	}
	if _, there := o["ratio"]; there {
		t.Error("it says a number that is none")
	}
	if p50 := o["put.p50"].(float64); p50 < 50 || p50 > 63 {
		t.Errorf("half of them took %vms", p50)
	}
	if p := got.More.Parts; len(p) != 2 || p[0].Target != "etcd-2" || p[1].Name != "get" || p[1].Verdict != probe.Passed || p[1].Millis < 3 {
		t.Errorf("%+v", p)
	}
	if got.More.Severity != "P1" || got.More.Target != "etcd" || got.More.Message != "one of 3 members is slow" {
		t.Errorf("%+v", got.More)
	}
}

func zero() float64 { return 0 }

func TestAReportIsDelivered(t *testing.T) {
	for _, c := range []struct {
		reason  string
		answers []int
		taken   int
		fails   bool
	}{
		{"at once", nil, 1, false},
		{"after trouble, with its whole body", []int{503, 500, 429, 408}, 1, false},
		{"refused is refused", []int{400}, 0, true},
		{"too late is too late", []int{410}, 0, true},
		{"at a wrong path", []int{404}, 0, true},
		{"it came the first time, and its answer did not", []int{500, 400}, 0, false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := probetest.New(t)
			s.Answer(c.answers...)
			err := probe.ReportFailure([]string{"a", "", "b"})
			if (err != nil) != c.fails || len(s.Reports()) != c.taken {
				t.Fatalf("%v, %d reports", err, len(s.Reports()))
			}
			if c.taken == 1 && fmt.Sprint(s.Reports()[0].Errors) != "[a b]" {
				t.Errorf("%q", s.Reports()[0].Errors)
			}
		})
	}
}

// TestNobodyTakesTheReport: it is left as the termination message, within what Kubernetes keeps of one.
func TestNobodyTakesTheReport(t *testing.T) {
	for _, c := range []struct {
		reason, url string
		fails       bool
	}{
		{"nobody was named", "", false},
		{"whoever was named is away until the deadline", "http://127.0.0.1:1/check", true},
	} {
		t.Run(c.reason, func(t *testing.T) {
			probetest.New(t)
			log := filepath.Join(t.TempDir(), "termination-log")
			if err := os.WriteFile(log, []byte(strings.Repeat("old", 5000)), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv(probe.EnvTermination, log)
			t.Setenv(probe.EnvURL, c.url)
			t.Setenv(probe.EnvDeadline, strconv.FormatInt(time.Now().Add(2*time.Second).Unix(), 10))
			v, err := probe.Execute(t.Context(), func(_ context.Context, r *probe.Run) error {
				for i := range 200 {
					r.Text(fmt.Sprint("o", i), strings.Repeat("x", 1000))
					r.Part(probe.Part{Name: fmt.Sprint("p", i), Verdict: probe.Passed, Message: strings.Repeat("<", 5000)})
				}
				return errors.New(strings.Repeat("ä", 100_000))
			})
			if v != probe.Failed || (err != nil) != c.fails {
				t.Errorf("%s, %v", v, err)
			}
			left, err := os.ReadFile(log)
			var report probe.Report
			if err != nil || len(left) > 4096 || json.Unmarshal(left, &report) != nil || report.OK || report.More.Verdict != probe.Failed {
				t.Errorf("%v: %d bytes: %.300s", err, len(left), left)
			}
		})
	}
}

func TestALargeReportFits(t *testing.T) {
	got := probetest.Run(t, func(_ context.Context, r *probe.Run) error {
		for i := range 500 {
			v := probe.Passed
			if i == 499 {
				v = probe.Failed
			}
			r.Text(fmt.Sprint("o", i), strings.Repeat("\"", 1000))
			r.Part(probe.Part{Name: fmt.Sprint("p", i), Verdict: v, Message: strings.Repeat("\n\x00", 5000)})
		}
		return errors.New(strings.Repeat("long\n", 10_000))
	})
	if len(got.More.Parts) != probe.MaxParts || got.More.Parts[0].Name != "p499" || len(got.More.Observations) > probe.MaxObservations {
		t.Errorf("%d parts, %d observations", len(got.More.Parts), len(got.More.Observations))
	}
	if text := got.Errors[0]; len(text) > 2000 || !strings.HasSuffix(text, "...") {
		t.Errorf("%d bytes of error", len(text))
	}
}

// TestTheContextEndsInTimeToReport, also of a check that does not look at it.
func TestTheContextEndsInTimeToReport(t *testing.T) {
	for _, c := range []struct {
		reason string
		check  probe.Check
	}{
		{"a check that ends with its context", func(ctx context.Context, _ *probe.Run) error { <-ctx.Done(); return ctx.Err() }},
		{"a check that does not end", func(context.Context, *probe.Run) error { select {} }},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := probetest.New(t)
			deadline := time.Unix(time.Now().Unix()+3, 0)
			t.Setenv(probe.EnvDeadline, strconv.FormatInt(deadline.Unix(), 10))
			v, err := probe.Execute(t.Context(), c.check)
			if all := s.Reports(); v != probe.Failed || err != nil || len(all) != 1 || all[0].More.Code != "DeadlineExceeded" {
				t.Fatalf("%s, %v, %v", v, err, all)
			}
			if time.Now().After(deadline) {
				t.Error("it reported too late")
			}
		})
	}
}

func TestAnEnvironmentThatCannotBeRead(t *testing.T) {
	s := probetest.New(t)
	t.Setenv(probe.EnvDeadline, "tomorrow")
	ran := false
	v, _ := probe.Execute(t.Context(), func(context.Context, *probe.Run) error { ran = true; return nil })
	if all := s.Reports(); v != probe.Error || ran || len(all) != 1 || all[0].More.Code != "Environment" {
		t.Errorf("%s, ran %v, %v", v, ran, all)
	}
}

// TestAResident passes, fails twice, and passes: both changes are said at once, and the rest in summaries.
func TestAResident(t *testing.T) {
	s := probetest.New(t)
	t.Setenv(probe.EnvReportEvery, "400ms")
	s.Answer(200, 503) // a server that is away for a moment
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var rounds atomic.Int64
	err := probe.RunForever(ctx, 20*time.Millisecond, func(_ context.Context, r *probe.Run) error {
		r.Latency("get").Observe(time.Millisecond)
		if n := rounds.Add(1); n == 40 || n == 41 {
			return probe.Fail("NoAnswer", errors.New("connection refused"))
		}
		return nil
	})
	all := s.Reports()
	if err != nil || len(all) < 5 || len(all) > 10 {
		t.Fatalf("%v, %d reports", err, len(all))
	}
	var seen, failed, last, count float64
	var changes []string
	for i, r := range all {
		o := r.More.Observations
		seen, failed, count = seen+o["rounds"].(float64), failed+o["rounds.failed"].(float64), count+o["get.count"].(float64)
		if float64(r.More.Seq) <= last {
			t.Errorf("report %d has the sequence number %d after %.0f", i, r.More.Seq, last)
		}
		last = float64(r.More.Seq)
		if i == 0 || r.More.Verdict != all[i-1].More.Verdict {
			changes = append(changes, string(r.More.Verdict))
		}
	}
	if got := strings.Join(changes, " "); got != "Passed Failed Passed" {
		t.Errorf("it said %s", got)
	}
	if failed != 2 || seen != count || seen > float64(rounds.Load()) || seen < float64(rounds.Load())-25 {
		t.Errorf("of %d rounds it said %v, %v of them failed, with %v times", rounds.Load(), seen, failed, count)
	}
}

func TestHistogram(t *testing.T) {
	var h probe.Histogram
	if h.Quantile(0.5) != 0 || h.Count() != 0 {
		t.Error("an empty one has times")
	}
	for _, d := range []time.Duration{0, time.Microsecond, 3 * time.Microsecond, 7 * time.Microsecond, 123 * time.Microsecond, 9 * time.Millisecond,
		777 * time.Millisecond, 61 * time.Second, 50 * time.Minute} {
		var one probe.Histogram
		for range 3 {
			one.Observe(d)
		}
		one.Observe(24 * time.Hour)
		got := one.Quantile(0.5)
		if got < d || float64(got) > 1.26*float64(d)+2000 {
			t.Errorf("%s is said to be %s", d, got)
		}
		if one.Quantile(1) < one.Quantile(0.5) || one.Count() != 4 {
			t.Errorf("of %s: %s", d, one.Quantile(1))
		}
	}
	h.Observe(24 * time.Hour) // beyond the last bucket
	if got := h.Quantile(0.99); got > 24*time.Hour || got < time.Hour {
		t.Errorf("a day is said to be %s", got)
	}
}

func TestWhere(t *testing.T) {
	for name, value := range map[string]string{
		"SLUICE_CLUSTER": "prod-eu-1", "SLUICE_PROBE": "dns", "SLUICE_PROBE_RUN": "dns-1", "KH_POD_NAMESPACE": "probes", "SLUICE_TARGET": "node-7",
		"SLUICE_REVISION": "3",
	} {
		t.Setenv(name, value)
	}
	want := probe.Place{Cluster: "prod-eu-1", Case: "dns", Run: "dns-1", Namespace: "probes", Target: "node-7", Revision: "3"}
	if got := probe.Where(); got != want {
		t.Errorf("%+v", got)
	}
}
