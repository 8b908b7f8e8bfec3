package cluster

import (
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
)

// TestFailureMode_R37_APersonSaysWhichToTrust: ledger or cluster was restored from a backup.
func TestFailureMode_R37_APersonSaysWhichToTrust(t *testing.T) {
	says := func(digest, state, fence string) func(w *world) {
		return func(w *world) {
			for _, lease := range w.server.All("Lease") {
				lease.SetAnnotations(map[string]string{
					"sluice.dev/run": "agent-9", "sluice.dev/fence": fence, "sluice.dev/state": state, "sluice.dev/digest": digest,
				})
				w.server.Put(lease)
			}
		}
	}
	nothing := api.Recorded{}
	for name, c := range map[string]struct {
		reason string
		set    func(w *world)
		trust  api.Trust
		now    api.Recorded // of which the run is not compared
		agreed bool
		code   fault.Code
	}{
		"they agree": {
			reason: "there is nothing to say", trust: api.TrustCluster, set: func(*world) {},
			agreed: true, now: api.Recorded{Version: "2.0.0", Target: "target-2.0.0"},
		},
		"the ledger is right": {
			reason: "the cluster was restored", trust: api.TrustLedger, set: says("target-1.0.0", "free", "1"),
			now: api.Recorded{Version: "2.0.0", Target: "target-2.0.0"},
		},
		"the cluster is right, and the ledger knows what it has": {
			reason: "it ran there before", trust: api.TrustCluster, set: says("target-1.0.0", "free", "1"),
			now: api.Recorded{Version: "1.0.0", Target: "target-1.0.0"},
		},
		"the cluster is right, and the ledger has never heard of it": {
			reason: "the ledger was restored: what is found is what was there before", trust: api.TrustCluster, set: says("target-9.0.0", "free", "40"),
			now: nothing,
		},
		"the cluster is right that nothing runs": {
			reason: "it was taken back after the backup", trust: api.TrustCluster, set: says("", "free", "40"), now: nothing,
		},
		"a run holds it": {
			reason: "it says what is brought, not what runs", trust: api.TrustCluster, set: says("target-9.0.0", "held", "40"),
			agreed: true, now: api.Recorded{Version: "2.0.0", Target: "target-2.0.0"},
		},
		"another installation's": {
			reason: "it is not ours to write", trust: api.TrustLedger, code: fault.Conflict,
			set: func(w *world) {
				for _, lease := range w.server.All("Lease") {
					lease.Object["spec"].(map[string]any)["holderIdentity"] = "theirs"
					w.server.Put(lease)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, v := range []string{"1.0.0", "2.0.0"} {
				w.planned(v, []string{configMap("a", v)})
				w.rollout()
			}
			c.set(w)
			for range 2 { // a worker may die before it answers
				got, err := w.acts.Reconcile(t.Context(), step.ReconcileRequest{Ref: w.ref, Trust: c.trust})
				if fault.CodeOf(err) != c.code {
					t.Fatalf("%s: %v", c.reason, err)
				}
				if c.code != "" {
					return
				}
				got.Now.Run = ""
				if got.Now != c.now {
					t.Errorf("both say %+v now, want %+v: %s", got.Now, c.now, c.reason)
				}
				if got.Agreed != c.agreed {
					t.Errorf("that they agreed is %v: %s", got.Agreed, c.reason)
				}
				c.agreed = true
			}
			w.planned("3.0.0", []string{configMap("a", "3.0.0")})
			if _, err := w.acts.Acquire(t.Context(), w.ref); err != nil {
				t.Errorf("the next run cannot begin: %v", err)
			}
		})
	}
}
