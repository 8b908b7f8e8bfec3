package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice.dev/sluice/internal/cli"
)

// page is what a command prints. It is safe for concurrent use.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// operator types commands in the state folder of the stack.
type operator struct {
	*testing.T
	dir string
}

func newOperator(t *testing.T) operator {
	t.Helper()
	s := stack(t)
	t.Setenv("KUBECONFIG", "")
	return operator{t, s.Dir}
}

// types runs a command of this program, and returns its exit code.
func (o operator) types(ctx context.Context, out *page, args ...string) int {
	f := cli.System()
	f.Out, f.Err, f.Terminal, f.Lively, f.Version = out, out, false, false, "test"
	return cli.Execute(ctx, append(args, "--dir", o.dir), f)
}

// serves starts the local server as a process, and returns what ends it by a signal. It is ended with the test at the latest.
func (o operator) serves(with ...string) (end func(syscall.Signal)) {
	o.Helper()
	self, err := os.Executable()
	if err != nil {
		o.Fatal(err)
	}
	said := &page{}
	cmd := exec.Command(self, append([]string{"server", "--local", "--dir", o.dir}, with...)...)
	cmd.Env, cmd.Stderr = append(os.Environ(), asSluice+"=1"), said
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		o.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		o.Fatal(err)
	}
	var once sync.Once
	end = func(by syscall.Signal) {
		once.Do(func() {
			_ = cmd.Process.Signal(by)
			if err := cmd.Wait(); err != nil && by == syscall.SIGTERM {
				o.Errorf("the server ended with %v:\n%s", err, said)
			}
			_ = lifeline.Close()
		})
	}
	o.Cleanup(func() { end(syscall.SIGKILL) })
	until(o.T, "the server is there", func() bool { return strings.Contains(said.String(), "serving http://") })
	return end
}

// until waits for something.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for: %s", what)
		}
	}
}
