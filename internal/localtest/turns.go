package localtest

import (
	"flag"
	"testing"
)

// Turns are how many tests of a binary may use something at a time, such as a control plane: its capacity is their number. Tests that wait
// more than they work have more turns than there are cores.
type Turns chan struct{}

// Take makes a test parallel and waits for a turn, which the test has until its end; the time that it is said to take
// begins before. A test that has subtests with turns of their own takes none itself.
func (turns Turns) Take(t *testing.T) {
	t.Helper()
	t.Parallel()
	turns <- struct{}{}
	t.Cleanup(func() { <-turns })
}

// ByTurns has only turns bound how many parallel tests of a binary run at a time. Call it from TestMain, before the tests run.
func ByTurns() error {
	flag.Parse()
	return flag.Set("test.parallel", "10000")
}
