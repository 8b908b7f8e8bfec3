package canary

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice.dev/sluice/probe"
	"sluice.dev/sluice/probes/internal/trial"
)

func TestUsersAreCounted(t *testing.T) {
	var broken atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			http.Error(w, "no", http.StatusBadGateway)
		}
	}))
	defer server.Close()
	counted := 0
	u := &users{where: func() string { return server.URL }, took: func(time.Duration) { counted++ }}
	u.enter("well")
	u.begin(t.Context(), 100)
	time.Sleep(300 * time.Millisecond)
	u.enter("broken")
	broken.Store(true)
	time.Sleep(300 * time.Millisecond)
	u.enter("mended")
	broken.Store(false)
	time.Sleep(300 * time.Millisecond)
	u.end()
	all := u.all()
	if all.asked < 30 || all.good != counted || all.good == 0 || all.good == all.asked {
		t.Errorf("of %d users %d were answered, %d times were counted", all.asked, all.good, counted)
	}
	if share := u.views["broken"].share(); share > 0.2 {
		t.Errorf("while it was broken %v were answered", share)
	}
	for _, phase := range []string{"well", "mended"} {
		if share := u.views[phase].share(); share < 0.8 {
			t.Errorf("while it was %s %v were answered", phase, share)
		}
	}
	if u.outage < 100*time.Millisecond || u.outage > 2*time.Second || u.last != "502 Bad Gateway" {
		t.Errorf("for %s nobody was answered, and the last was told %q", u.outage, u.last)
	}
}

func TestNobodyToAsk(t *testing.T) {
	u := &users{where: func() string { return "" }, took: func(time.Duration) {}}
	u.begin(t.Context(), 100)
	time.Sleep(100 * time.Millisecond)
	u.end()
	if all := u.all(); all.asked == 0 || all.good != 0 || u.last != "no pod is ready" || u.outage <= 0 {
		t.Errorf("%+v, for %s, %q", all, u.outage, u.last)
	}
}

func TestWhetherEnoughWereAnswered(t *testing.T) {
	for _, c := range []struct {
		reason      string
		asked, good int
		verdict     probe.Verdict
		code        string
	}{
		{"all", 200, 200, probe.Passed, ""},
		{"as many as have to be", 200, 199, probe.Passed, ""},
		{"one fewer", 200, 198, probe.Failed, "UsersFailed"},
		{"of a few nothing can be told, good or bad", 49, 0, probe.Inconclusive, "TooFewSamples"},
	} {
		t.Setenv(probe.EnvTermination, t.TempDir()+"/message")
		run := trial.Case(func(_ context.Context, t *trial.Trial, _ func(string) string) error {
			a := &app{trial: t, atLeast: 0.995, users: users{views: map[string]*view{"grow": {c.asked, c.good}}, last: "502 Bad Gateway"}}
			err := a.judge()
			if v, code := trial.Judge(err); v != c.verdict || code != c.code || v == probe.Failed && !strings.Contains(err.Error(), "502") {
				return trial.Fault("Test", "%s: it is %s %s: %v", c.reason, v, code, err)
			}
			return nil
		})
		if v, err := probe.Execute(t.Context(), run.Check(func(string) string { return "" })); v != probe.Passed || err != nil {
			t.Errorf("%s: it is not %s %s: %s, %v", c.reason, c.verdict, c.code, v, err)
		}
	}
}
