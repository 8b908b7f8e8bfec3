package localtest_test

import (
	"testing"

	"sluice.dev/sluice/internal/localtest"
)

func TestATurnIsHeldUntilTheEndOfItsTest(t *testing.T) {
	turns := make(localtest.Turns, 1)
	t.Cleanup(func() {
		if len(turns) != 0 {
			t.Error("the tests have ended, and a turn is still held")
		}
	})
	for _, name := range []string{"first", "second", "third"} {
		t.Run(name, func(t *testing.T) {
			turns.Take(t)
			t.Cleanup(func() {
				select {
				case turns <- struct{}{}:
					t.Error("while a test has the only turn there is another one")
				default:
				}
			})
		})
	}
}
