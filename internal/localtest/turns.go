package localtest

import (
	"flag"
	"strconv"
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
func ByTurns() { AtOnce(10_000) }

// AtOnce has so many parallel tests of a binary run at a time, whatever the number of cores: they wait more than they work. Call it from
// TestMain, before the tests run.
func AtOnce(tests int) {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(tests)); err != nil {
		panic(err)
	}
}
