package prober_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// quiet are the outcomes by which a resident tells that it has been quiet for an hour.
func (s *site) quiet() (all []probing.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, said := range s.said {
		for _, o := range said.Outcomes {
			if strings.Contains(o.ID, "#quiet-") {
				all = append(all, o)
			}
		}
	}
	return all
}

// A resident tells of turns alone, and would never have the quiet runs by which others come to hold a release: each hour in which it passed all
// the time is one.
func TestAQuietHourOfAResidentIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("dns", func(c *probing.Config) { c.Spec.Mode, c.Spec.Schedule.Every.Duration = probing.Resident, time.Second })
	by, clocked := oddly(0)
	s.start(clocked)
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 && s.runs()[0].Status.Pod != "" })
	seq := 0
	reports := func(n int, ok bool) {
		t.Helper()
		for range n {
			seq++
			body := fmt.Sprintf(`{"OK": %t, "Errors": [], "sluice": {"seq": %d}}`, ok, seq)
			if !ok {
				body = fmt.Sprintf(`{"OK": false, "Errors": ["no answer"], "sluice": {"seq": %d}}`, seq)
			}
			if code := s.report(s.pods()[0], body); code != 200 {
				t.Fatalf("a report is answered with %d", code)
			}
		}
	}
	passes := func(why string, minutes int, want int) {
		t.Helper()
		for range minutes / 5 {
			by.Add(int64(5 * time.Minute))
			reports(1, true)
			if err := s.prober.Summarize(t.Context(), "eu-1"); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(s.quiet()); got != want {
			t.Fatalf("%s: %d quiet hours are told, and not %d", why, got, want)
		}
	}
	reports(3, true)
	s.until("it does not pass", func() bool { return s.stand("dns", "").State == probing.Passing })
	passes("it has just begun", 5, 0)
	passes("it is not an hour yet", 50, 0)
	passes("an hour is over", 10, 1)
	if o := s.quiet()[0]; o.Verdict != api.Passed || o.Case != "dns" || o.Program == "" || !o.Started.IsZero() ||
		!strings.HasPrefix(o.Message, "it has passed all the time since ") {
		t.Errorf("it is told as %+v", o)
	}
	passes("the next one is not over", 55, 1)
	reports(5, false)
	s.until("it does not fail", func() bool { return s.stand("dns", "").State == probing.Failing })
	reports(5, true)
	s.until("it does not pass again", func() bool { return s.stand("dns", "").State == probing.Passing })
	passes("it has failed for a moment in this one", 55, 1)
	passes("an hour since it passes again", 10, 2)
	if all := s.quiet(); all[0].ID == all[1].ID {
		t.Errorf("two hours are one: %s", all[0].ID)
	}
	by.Add(int64(2 * time.Hour))
	if err := s.prober.Summarize(t.Context(), "eu-1"); err != nil {
		t.Fatal(err)
	}
	if got := len(s.quiet()); got != 2 {
		t.Error("an hour in which it said nothing was quiet")
	}
}
