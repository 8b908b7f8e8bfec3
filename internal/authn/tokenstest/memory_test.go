package tokenstest_test

import (
	"testing"

	"sluice.dev/sluice/internal/authn/tokenstest"
	"sluice.dev/sluice/internal/ledger/ledgertest"
)

func TestMemory(t *testing.T) { ledgertest.Tokens(t, tokenstest.NewMemory()) }
