package forgetest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/forge/forgetest"
	"sluice.dev/sluice/internal/hook"
)

// TestDeliveries has what the simulation sends be read as what a forge sends.
func TestDeliveries(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	commit := forgetest.Commit("a")
	for _, c := range []struct {
		reason string
		kind   forge.Kind
		secret string
	}{
		{"GitHub signs", forge.GitHub, "a secret"},
		{"GitLab shows the secret", forge.GitLab, "a secret"},
		{"GitLab signs", forge.GitLab, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
	} {
		seen := hook.NewSeen(10)
		var got hook.Event
		to := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			got, err = hook.Read(r.Header, body, hook.Secret{Forge: c.kind, Value: c.secret}, now)
			if err != nil || !seen.First(got.Once) {
				t.Errorf("%s: %+v, %v", c.reason, got, err)
			}
			w.WriteHeader(http.StatusAccepted)
		}))
		r := forgetest.New(t, c.kind, func() time.Time { return now }).Repository("acme/infra")
		for _, e := range []hook.Event{
			{Kind: hook.Push, Ref: "main", After: commit}, {Kind: hook.Request, Ref: "main", After: commit, Request: 7},
			{Kind: hook.Review, Ref: "main", After: commit, Request: 7},
		} {
			if status := r.Deliver(t.Context(), to.URL, c.secret, e); status != http.StatusAccepted {
				t.Errorf("%s: %d", c.reason, status)
			}
			e.Forge, e.Repository, e.Ref = c.kind, "acme/infra", "refs/heads/main"
			if diff := cmp.Diff(e, got, cmpopts.IgnoreFields(hook.Event{}, "Delivery", "Once")); diff != "" {
				t.Errorf("%s: -want +got\n%s", c.reason, diff)
			}
		}
		to.Close()
	}
}
