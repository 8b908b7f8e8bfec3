package main

import (
	"io"
	"os"
	"testing"

	"sluice.dev/sluice/internal/localtest"
)

// asSluice makes this binary the program itself. It ends with its standard input, so that it does not outlive the test.
const asSluice = "SLUICE_TEST_AS_SLUICE"

// stack is the local stack of this binary: one cluster.
var stack localtest.Get

func TestMain(m *testing.M) {
	if os.Getenv(asSluice) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
		main()
	}
	os.Exit(localtest.Main(m, []string{"a"}, 1, func(get localtest.Get) { stack = get }))
}
