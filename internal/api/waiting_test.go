package api_test

import (
	"testing"

	"sluice.dev/sluice/internal/api"
)

func TestWhoCanAct(t *testing.T) {
	for _, c := range []struct {
		reason string
		w      api.Waiting
		want   string
	}{
		{"she has paused it, and knows why", api.Waiting{Kind: api.WaitPerson, Name: "resume", Owner: "ann"}, "ann"},
		{"what follows a repository decides nothing", api.Waiting{Kind: api.WaitPerson, Name: "resume", Owner: "source:infra [ci]"}, "whoever may resume it"},
		{"nor does what acts by itself", api.Waiting{Kind: api.WaitPerson, Name: "resume", Owner: "sluice"}, "whoever may resume it"},
		{"who may lift a freeze, it says", api.Waiting{Kind: api.WaitFreeze, Name: "freeze-1", Owner: "whoever may lift freeze-1"}, "whoever may lift freeze-1"},
		{"it ends by itself", api.Waiting{Kind: api.WaitLock}, ""},
	} {
		if got := c.w.Actor(); got != c.want {
			t.Errorf("%s: %q", c.reason, got)
		}
	}
}
