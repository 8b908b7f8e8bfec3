package prober_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/probing"
)

// In steady state a resident's reports are counted and written nowhere; what turns is said and written at once.
func TestAResidentIsWrittenDownWhereItTurns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("api", func(c *probing.Config) {
		c.Spec.Mode, c.Spec.Denoise = probing.Resident, probing.Denoise{Failures: 3, Of: 5, Passes: 2}
		c.Spec.Schedule.Every.Duration = time.Second
	})
	s.start()
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 })
	p, seq := s.pods()[0], 0
	say := func(ok bool) {
		seq++
		body := fmt.Sprintf(`{"OK": true, "Errors": [], "sluice": {"seq": %d}}`, seq)
		if !ok {
			body = fmt.Sprintf(`{"OK": false, "Errors": ["slow"], "sluice": {"seq": %d}}`, seq)
		}
		if code := s.report(p, body); code != 200 {
			t.Fatalf("report %d is answered with %d", seq, code)
		}
	}
	say(true)
	s.until("it does not pass", func() bool { return s.stand("api", "").State == probing.Passing })
	s.until("that is not written", func() bool { return len(s.configs()[0].Status.Targets) == 1 })
	time.Sleep(200 * time.Millisecond) // what began before
	s.Writes()
	for range 8 {
		say(true)
	}
	if w := s.Writes(); len(w) != 0 {
		t.Errorf("reports that say nothing new are %d writes: %v", len(w), w)
	}
	said := len(s.outcomes())
	say(false)
	say(false)
	if st := s.stand("api", ""); st.State != probing.Passing || len(s.outcomes()) != said {
		t.Errorf("two failures are noise, and it is %s", st.State)
	}
	say(false)
	if st := s.stand("api", ""); st.State != probing.Failing || len(s.outcomes()) != said+1 || !strings.HasSuffix(st.Recent, "FFF") {
		t.Errorf("the third one is said at once, and it is %s: %s", st.State, st.Recent)
	}
	seq -= 3 // as what comes late
	say(true)
	say(true)
	if st := s.stand("api", ""); st.State != probing.Failing {
		t.Error("reports of before are taken for what is now")
	}
	seq += 10
	say(true)
	say(true)
	if st := s.stand("api", ""); st.State != probing.Passing {
		t.Errorf("two in a row end it, and it is %s", st.State)
	}
}

// That a status is written leads to no other write, however often a resident reports.
func TestAResidentThatReportsAllTheTimeIsWrittenOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("api", func(c *probing.Config) {
		c.Spec.Mode, c.Spec.Schedule.Every.Duration = probing.Resident, time.Second
	})
	s.start()
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 })
	p := s.pods()[0]
	seq := 0
	report := func(during time.Duration) {
		for end := time.Now().Add(during); time.Now().Before(end); {
			seq++
			if code := s.report(p, fmt.Sprintf(`{"OK": true, "Errors": [], "sluice": {"seq": %d}}`, seq)); code != 200 {
				t.Fatalf("report %d is answered with %d", seq, code)
			}
			time.Sleep(100 * time.Millisecond) // as often as it is looked at
		}
	}
	report(time.Second)
	s.until("it is not written", func() bool { return len(s.configs()[0].Status.Targets) == 1 })
	s.Writes()
	live := s.All(probing.KindConfig)[0]
	live.SetLabels(map[string]string{"by": "somebody"})
	s.Put(live) // as every write of the status is seen
	report(time.Second)
	if w := s.Writes(); len(w) != 0 {
		t.Errorf("reports that say nothing new are %d writes: %v", len(w), w)
	}
}

// Reports beyond what is looked at are answered, and change nothing.
func TestAFloodOfReports(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("api", func(c *probing.Config) {
		c.Spec.Mode, c.Spec.Denoise = probing.Resident, probing.Denoise{Failures: 20, Of: 20}
		c.Spec.Schedule.Every.Duration = time.Second
	})
	s.start()
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 })
	p := s.pods()[0]
	for i := range 300 {
		if code := s.report(p, `{"OK": true, "Errors": []}`); code != 200 {
			t.Fatalf("report %d is answered with %d", i, code)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.said) > 10 {
		t.Errorf("300 reports are said %d times", len(s.said))
	}
}
