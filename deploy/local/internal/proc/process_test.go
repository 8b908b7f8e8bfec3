package proc

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test program a part when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == PartArg {
		WatchLifeline()
		playPart(os.Args[2])
	}
	os.Exit(m.Run())
}

func playPart(part string) {
	switch part {
	case "obedient":
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	case "dying":
		os.Exit(7)
	case "parent":
		launcher, err := NewLauncher()
		if err != nil {
			panic(err)
		}
		cmd, err := launcher.launch("stubborn", nil, io.Discard)
		if err != nil {
			panic(err)
		}
		fmt.Println(cmd.Process.Pid)
	}
	time.Sleep(time.Minute)
	os.Exit(0)
}

func newProcess(t *testing.T, part string, out io.Writer) *Process {
	t.Helper()
	launcher, err := NewLauncher()
	if err != nil {
		t.Fatal(err)
	}
	p := New(launcher, slog.New(slog.DiscardHandler), part, part, nil, out)
	t.Cleanup(func() { p.Stop(0) })
	return p
}

func await(t *testing.T, what string, check func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !check() {
		if time.Now().After(deadline) {
			t.Fatalf("cannot wait any longer: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func exists(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !os.IsNotExist(err)
	}
	// A zombie is gone: it only waits for its parent to look.
	return !strings.Contains(string(data), ") Z ")
}

func TestStopEndsAProcess(t *testing.T) {
	tests := map[string]struct {
		part  string
		grace time.Duration
	}{
		"OneThatListens":  {"obedient", 10 * time.Second},
		"OneThatDoesNot":  {"stubborn", 200 * time.Millisecond},
		"OneThatIsKilled": {"stubborn", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, tc.part, io.Discard)
			p.Start()
			p.Start()
			await(t, "it runs", func() bool { return p.Status().State == Running })
			time.Sleep(100 * time.Millisecond)
			pid := p.Status().PID
			p.Stop(tc.grace)
			if s := p.Status(); s != (Status{State: Stopped}) || exists(pid) {
				t.Errorf("after Stop it is %+v, and its process exists: %v", s, exists(pid))
			}
			p.Start()
			await(t, "it runs again", func() bool { return p.Status().State == Running })
		})
	}
}

func TestAKilledProcessRunsAgain(t *testing.T) {
	p := newProcess(t, "obedient", io.Discard)
	p.Start()
	await(t, "it runs", func() bool { return p.Status().State == Running })
	before := p.Status().PID
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "it runs again", func() bool {
		s := p.Status()
		return s.State == Running && s.PID != before && s.Restarts == 1
	})
}

func TestADyingProcessCanBeStopped(t *testing.T) {
	p := newProcess(t, "dying", io.Discard)
	p.Start()
	await(t, "it died twice", func() bool { return p.Status().Restarts >= 2 })
	p.Stop(time.Second)
	restarts := p.Status().Restarts
	time.Sleep(3 * firstBackoff)
	if s := p.Status(); s.State != Stopped || s.Restarts != restarts {
		t.Errorf("after Stop it goes on: %+v", s)
	}
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func TestNoPartOutlivesItsSupervisor(t *testing.T) {
	var out buffer
	parent := newProcess(t, "parent", &out)
	parent.Start()
	await(t, "the child is there", func() bool { return strings.HasSuffix(out.text(), "\n") })
	child, err := strconv.Atoi(strings.TrimSpace(out.text()))
	if err != nil {
		t.Fatal(err)
	}
	if !exists(child) {
		t.Fatal("the child did not start")
	}
	parent.Stop(0)
	await(t, "the child is gone", func() bool { return !exists(child) })
}
