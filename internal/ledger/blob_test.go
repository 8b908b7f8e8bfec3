package ledger_test

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/ledger"
)

func TestDigestNamesItsAlgorithm(t *testing.T) {
	if got := ledger.Digest(nil); !strings.HasPrefix(got, "sha256:e3b0c442") {
		t.Errorf("got %s", got)
	}
}
