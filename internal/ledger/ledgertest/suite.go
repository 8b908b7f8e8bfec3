// Package ledgertest is what every store of the ledger has to pass. It goes by the contract alone: what is a store's own - files,
// processes, schemas - is tested beside it.
package ledgertest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// Run holds a store against the contract. Open returns an empty ledger each time that it is called, and closes it when the test
// ends.
func Run(t *testing.T, open func(*testing.T) ledger.Ledger) {
	for name, test := range map[string]func(*testing.T, ledger.Ledger){
		"blobs":        testBlobs,
		"plans":        testPlans,
		"runs":         testRuns,
		"run names":    testRunNames,
		"deployments":  testDeployments,
		"writes":       testWrites,
		"pre-images":   testPreImages,
		"observations": testObservations,
		"beats":        testBeats,
		"audit":        testAudit,
		"texts":        testTexts,
		"fences":       testFences,
		"freezes":      testFreezes,
		"bypasses":     testBypasses,
		"kept":         testKept,
		"amended":      testAmend,
		"outcomes":     testOutcomes,
		"notices":      testNotices,
		"permits":      testPermits,
		"numbers":      testNumbers,
		"drills":       testDrills,
		"requests":     testRequests,
		"tokens":       testTokens,
		"agents":       testAgents,
		"pages":        testPages,
		"stands":       testStands,
		"what ran":     testProbeOutcomes,
		"programs":     testProbePrograms,
		"noise":        testProbeNoise,
		"turns":        testProbeTurns,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// at is a time with nanoseconds that end in zeros: they must neither be lost nor upset the order.
func at(minute int) time.Time {
	return time.Date(2026, 11, 21, 10, minute, 0, 120_000_000, time.FixedZone("CST", 8*3600))
}

func wantCode(t *testing.T, err error, want fault.Code, reason string) {
	t.Helper()
	if got := fault.CodeOf(err); got != want {
		t.Errorf("%s: got code %q (%v), want %q", reason, got, err, want)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want any, reason string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", reason, diff)
	}
}
