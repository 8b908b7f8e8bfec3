package cluster

import (
	"os"
	"runtime"
	"testing"

	"sluice.dev/sluice/internal/localtest"
)

var (
	// turns are of lives on a control plane, which wait more than they work.
	turns = make(localtest.Turns, 6)
	// working are the turns of tests that wait for nobody.
	working = make(localtest.Turns, runtime.GOMAXPROCS(0))
)

func TestMain(m *testing.M) {
	localtest.ByTurns()
	os.Exit(m.Run())
}
