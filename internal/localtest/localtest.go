// Package localtest gives integration tests real Kubernetes control planes: it starts the local stack for a test binary
// and ends it with it. It is for tests only.
package localtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Stack is a running local stack.
type Stack struct {
	Dir        string   // its state folder
	Kubeconfig string   // with one context for each cluster, named after it
	Names      []string // of its clusters

	binary  string
	command *exec.Cmd
	output  bytes.Buffer
	ended   chan struct{}
	stop    sync.Once
}

// readyWithin is how long a stack may take to start.
const readyWithin = 3 * time.Minute

// Start starts a stack with these clusters and simulated nodes in each, and waits until it is ready; it is stopped at the
// end of the test. Where the stack's program is missing - bin/sluice-local, or what SLUICE_LOCAL_BIN names - the test is
// skipped, or fails where SLUICE_REQUIRE is "all". Tests of one binary that can share a stack use Main.
func Start(t testing.TB, names []string, nodes int) *Stack {
	t.Helper()
	stack, err := start(names, nodes)
	if errors.Is(err, errMissing) && os.Getenv("SLUICE_REQUIRE") != "all" {
		t.Skipf("skipped: %v", err)
	}
	if err != nil {
		t.Fatalf("cannot start the local stack: %v", err)
	}
	t.Cleanup(stack.Stop)
	return stack
}

// Main runs the tests of a binary with one stack, which starts when the first test asks for it with the function that use
// is given, and is stopped after the last. Call it from TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(localtest.Main(m, []string{"a"}, 10, func(get localtest.Get) { stack = get })) }
func Main(m *testing.M, names []string, nodes int, use func(Get)) int {
	var once sync.Once
	var stack *Stack
	var failure error
	use(func(t testing.TB) *Stack {
		t.Helper()
		once.Do(func() { stack, failure = start(names, nodes) })
		if errors.Is(failure, errMissing) && os.Getenv("SLUICE_REQUIRE") != "all" {
			t.Skipf("skipped: %v", failure)
		}
		if failure != nil {
			t.Fatalf("cannot start the local stack: %v", failure)
		}
		return stack
	})
	code := m.Run()
	if stack != nil {
		stack.Stop()
	}
	return code
}

// Get returns the stack of a test binary; it skips or fails the test where there is none.
type Get func(t testing.TB) *Stack

// Command is a command of the stack's program on this stack, to be run by the caller.
func (s *Stack) Command(ctx context.Context, args ...string) *exec.Cmd {
	// Right behind the command: what follows may be another program's flags, as with kubectl.
	return exec.CommandContext(ctx, s.binary, append([]string{args[0], "--dir", s.Dir}, args[1:]...)...)
}

// ProcessNode is the label of each cluster's process node and the key of its taint: a pod that is to run there, as a process of
// this machine, selects nodes where it is "true" and tolerates it.
const ProcessNode = "local.sluice.dev/process"

// NeedProgram skips the test, or fails it where SLUICE_REQUIRE is "all", if the process nodes have no such program to run as an
// image: `make stack` builds them beside the stack's program.
func (s *Stack) NeedProgram(t testing.TB, name string) {
	t.Helper()
	file := filepath.Join(filepath.Dir(s.binary), "programs", name)
	if _, err := os.Stat(file); err == nil {
		return
	}
	if os.Getenv("SLUICE_REQUIRE") != "all" {
		t.Skipf("skipped: %s is not there; build it with make stack", file)
	}
	t.Fatalf("cannot run pods of %s: %s is not there; build it with make stack", name, file)
}

// Run runs a command of the stack's program on this stack, as in Run(t, "stop", "apiserver", "--cluster", "a").
func (s *Stack) Run(t testing.TB, args ...string) string {
	t.Helper()
	// Not the context of the test: it has ended where a test cleans up.
	output, err := s.Command(context.Background(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("cannot run sluice-local %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

// Stop ends the stack and removes its state.
func (s *Stack) Stop() {
	s.stop.Do(func() {
		_ = s.command.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.ended:
		case <-time.After(30 * time.Second):
			_ = s.command.Process.Kill()
			<-s.ended
		}
		_ = os.RemoveAll(s.Dir)
	})
}

var errMissing = errors.New("bin/sluice-local is not there; build it or name it in SLUICE_LOCAL_BIN")

func start(names []string, nodes int) (*Stack, error) {
	binary, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-test-")
	if err != nil {
		return nil, err
	}
	s := &Stack{Dir: dir, Kubeconfig: filepath.Join(dir, "kubeconfig"), Names: names, binary: binary, ended: make(chan struct{})}
	s.command = exec.Command(binary, "up", "--dir", dir, "--names", strings.Join(names, ","), "--nodes", strconv.Itoa(nodes))
	s.command.Stdout, s.command.Stderr = &s.output, &s.output
	// The stack ends with the test's process, also where that is killed: its parts have a lifeline to their supervisor.
	s.command.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		// The signal is sent when the thread that started the stack ends: it has to stay.
		runtime.LockOSThread()
		defer close(s.ended)
		err := s.command.Start()
		started <- err
		if err == nil {
			_ = s.command.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// ready waits until every part of the stack is.
func (s *Stack) ready() error {
	end := time.Now().Add(readyWithin)
	for time.Now().Before(end) {
		select {
		case <-s.ended:
			return fmt.Errorf("sluice-local ended: %s", s.output.String())
		case <-time.After(200 * time.Millisecond):
		}
		if exec.Command(s.binary, "status", "--dir", s.Dir).Run() == nil { // 0 only if everything is ready
			return nil
		}
	}
	return fmt.Errorf("sluice-local is not ready after %s", readyWithin)
}

// find returns the stack's program.
func find() (string, error) {
	if binary := os.Getenv("SLUICE_LOCAL_BIN"); binary != "" {
		if _, err := os.Stat(binary); err != nil {
			return "", fmt.Errorf("%w: %s", errMissing, binary)
		}
		return binary, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		binary := filepath.Join(dir, "bin", "sluice-local")
		if _, err := os.Stat(binary); err == nil {
			return binary, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errMissing
		}
	}
}
