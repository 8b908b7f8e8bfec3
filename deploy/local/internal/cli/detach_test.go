package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// TestMain plays the supervisor where it is started as one: it reports which files it has open, and ends.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "up" {
		r := newReporter(3)
		open, _ := filepath.Glob("/proc/self/fd/*")
		for _, fd := range open {
			file, _ := os.Readlink(fd)
			r.line(filepath.Base(fd) + " " + file)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestTheStackInTheBackgroundHoldsNothingOfItsCaller: a lock that a shell has open would be held for as long as the stack is up.
func TestTheStackInTheBackgroundHoldsNothingOfItsCaller(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	fd, err := syscall.Open(lock, syscall.O_CREAT|syscall.O_RDWR, 0o600) // as a shell does: children inherit it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	folder, err := stack.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	progress := func(line string) { open = append(open, line) }
	err = upDetached(t.Context(), upOptions{}, folder, stack.Shape{}, progress, func(stack.Description) {})
	if err == nil || !strings.Contains(err.Error(), "the supervisor ended") || len(open) == 0 {
		t.Fatalf("it told of %q, and ended with %v", open, err)
	}
	if slices.ContainsFunc(open, func(file string) bool { return strings.HasSuffix(file, " "+lock) }) {
		t.Errorf("it has the caller's lock open: %q", open)
	}
}
