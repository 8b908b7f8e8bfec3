package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/localtest"
)

// stack is the local stack of this binary: one cluster.
var stack localtest.Get

func TestMain(m *testing.M) {
	os.Exit(localtest.Main(m, []string{"e2e-1"}, 2, func(get localtest.Get) { stack = get }))
}

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

// sees waits until something was printed.
func (p *page) sees(t *testing.T, word string) {
	t.Helper()
	until(t, word, func() bool { return strings.Contains(p.String(), word) })
}

// operator types commands in the state folder of a stack.
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
	f.Worker, f.Serve = work, serve
	return cli.Execute(ctx, append(args, "--dir", o.dir), f)
}

// serves starts the local server, and returns what ends it.
func (o operator) serves(with ...string) (end func()) {
	o.Helper()
	ctx, stop := context.WithCancel(o.Context())
	var serving sync.WaitGroup
	said := &page{}
	serving.Go(func() {
		if code := o.types(ctx, said, append([]string{"server", "--local"}, with...)...); code != 0 {
			o.Errorf("the server ended with %d:\n%s", code, said)
		}
	})
	end = sync.OnceFunc(func() { stop(); serving.Wait() })
	o.Cleanup(end)
	said.sees(o.T, "serving http://")
	return end
}

// until waits for something.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for: %s", what)
		}
	}
}
