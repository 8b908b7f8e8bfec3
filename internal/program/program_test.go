//go:build unix

package program_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice.dev/sluice/internal/program"
)

// script is an executable of these lines.
func script(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+strings.Join(lines, "\n")+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAProgramRunsToItsEnd(t *testing.T) {
	t.Setenv("SECRET_OF_THE_WORKER", "hidden")
	for _, c := range []struct {
		reason string
		lines  []string
		exit   int
		last   string
		tail   string
	}{
		{"it succeeds", []string{"echo one", "echo two"}, 0, "two", "one\ntwo"},
		{"it fails, and says why on standard error", []string{"echo seen", "echo why >&2", "exit 3"}, 3, "seen", "why"},
		{"it prints nothing", []string{"exit 75"}, 75, "", ""},
		{"empty lines at the end are none", []string{`printf 'x\n\n \n'`}, 0, "x", "x"},
		{"a signal ends it", []string{"kill -SEGV $$"}, 128 + int(syscall.SIGSEGV), "", ""},
		{"a command is not there", []string{"no-such-command 2>/dev/null"}, 127, "", ""},
		{"nothing of the worker's environment gets in", []string{"env | grep -c SECRET"}, 1, "0", "0"},
		{"it gets its own variables, and arguments as they are", []string{`echo "$PARAM_A|$1|$2"`}, 0, "a b|$(id)|*", "a b|$(id)|*"},
		{"it has no input", []string{"cat"}, 0, "", ""},
		{"it starts in an empty folder", []string{"ls -A | wc -l | tr -d ' '", `[ "$PWD" = "$HOME" ]`}, 0, "0", "0"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			end, err := program.Run(t.Context(), program.Program{
				Path: script(t, c.lines...), Args: []string{"$(id)", "*"}, Env: []string{"PARAM_A=a b"},
			})
			last, cut := end.LastLine()
			if err != nil || end.Exit != c.exit || last != c.last || cut || end.Tail() != c.tail {
				t.Errorf("exit status %d, %v; the last line is %q, the end %q", end.Exit, err, last, end.Tail())
			}
		})
	}
}

func TestOutputWithoutEnd(t *testing.T) {
	for _, c := range []struct {
		reason string
		lines  []string
		last   string
		cut    bool
	}{
		{"the end of many lines is kept", []string{"yes | head -c 10000000", "echo", "echo end"}, "end", false},
		{"a line that is too long is not taken for its end", []string{"head -c 10000000 /dev/zero | tr '\\0' x"}, "", true},
	} {
		t.Run(c.reason, func(t *testing.T) {
			end, err := program.Run(t.Context(), program.Program{Path: script(t, c.lines...)})
			last, cut := end.LastLine()
			if err != nil || cut != c.cut || !cut && last != c.last || len(end.Tail()) > program.Most {
				t.Errorf("%v; %d bytes are kept, the last line is cut: %t", err, len(end.Tail()), cut)
			}
		})
	}
}

func TestNothingOutlivesTheQuestion(t *testing.T) {
	for _, c := range []struct {
		reason string
		lines  []string
		ends   bool // by itself
	}{
		{"it hangs, with a child that ignores what it is told", []string{"trap '' TERM INT", "(trap '' TERM INT; sleep 300) &", `echo $! > "$1"`, "sleep 300"}, false},
		{"it ends, and leaves a child behind that holds its output", []string{"sleep 300 &", `echo $! > "$1"`}, true},
	} {
		t.Run(c.reason, func(t *testing.T) {
			child := filepath.Join(t.TempDir(), "child")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			done := make(chan error, 1)
			go func() {
				_, err := program.Run(ctx, program.Program{Path: script(t, c.lines...), Args: []string{child}})
				done <- err
			}()
			pid := 0
			for end := time.Now().Add(20 * time.Second); pid == 0; time.Sleep(time.Millisecond) {
				if text, err := os.ReadFile(child); err == nil {
					pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
				}
				if time.Now().After(end) {
					t.Fatal("it never began")
				}
			}
			late := errors.New("it took longer than 30s")
			if !c.ends {
				cancel(late)
			}
			if err := <-done; c.ends && err != nil || !c.ends && !errors.Is(err, late) {
				t.Errorf("it ended with %v", err)
			}
			for end := time.Now().Add(20 * time.Second); alive(pid); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("process %d is still there", pid)
				}
			}
		})
	}
}

// alive reports whether a process runs. One that nobody has waited for yet does not.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

func TestWhatCannotBeStarted(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("no program"), 0o644); err != nil {
		t.Fatal(err)
	}
	for reason, path := range map[string]string{
		"it is not there":   filepath.Join(t.TempDir(), "gone"),
		"it is no program":  plain,
		"it is a directory": t.TempDir(),
	} {
		if _, err := program.Run(t.Context(), program.Program{Path: path}); err == nil || !strings.HasPrefix(err.Error(), "cannot start "+path) {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
