package proc

import (
	"context"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// State is what a process is doing.
type State string

// The states of a process.
const (
	// Stopped means that it is not meant to run.
	Stopped State = "stopped"
	// Running means that it runs; it need not be ready.
	Running State = "running"
	// Restarting means that it died and will be started again.
	Restarting State = "restarting"
)

const (
	firstBackoff = 300 * time.Millisecond
	maxBackoff   = 10 * time.Second
	// calmAfter is how long a process must run for its next death to count as
	// the first again.
	calmAfter = 30 * time.Second
)

// Process keeps one part running.
type Process struct {
	name     string
	part     string
	args     []string
	out      io.Writer
	launcher *Launcher
	log      *slog.Logger

	mu       sync.Mutex
	wanted   bool
	cmd      *exec.Cmd
	started  time.Time
	restarts int
	changed  chan struct{}
}

// New describes a process without starting it. The name is for logs; part and
// args are what the program is run with.
func New(launcher *Launcher, log *slog.Logger, name, part string, args []string, out io.Writer) *Process {
	return &Process{
		name: name, part: part, args: args, out: out,
		launcher: launcher, log: log, changed: make(chan struct{}),
	}
}

// Status is a moment in the life of a process.
type Status struct {
	State    State `json:"state"`
	PID      int   `json:"pid"`
	Restarts int   `json:"restarts"`
}

// Status tells what the process is doing now.
func (p *Process) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{State: Stopped, Restarts: p.restarts}
	switch {
	case p.cmd != nil:
		s.State, s.PID = Running, p.cmd.Process.Pid
	case p.wanted:
		s.State = Restarting
	}
	return s
}

// Start makes the process run, and run again whenever it dies, until Stop. It
// does not wait.
func (p *Process) Start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted {
		return
	}
	p.wanted = true
	p.notify()
	go p.keep()
}

// Stop ends the process and waits until it is gone. It gets grace to end by
// itself; with no grace it is killed at once.
func (p *Process) Stop(grace time.Duration) {
	p.mu.Lock()
	p.wanted = false
	cmd := p.cmd
	p.notify()
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	if grace > 0 {
		cmd.Process.Signal(syscall.SIGTERM)
		if p.waitGone(cmd, grace) {
			return
		}
		p.log.Warn("part did not end in time, killing it", "part", p.name)
	}
	cmd.Process.Kill()
	p.waitGone(cmd, time.Minute)
}

func (p *Process) waitGone(cmd *exec.Cmd, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		p.mu.Lock()
		gone, changed := p.cmd != cmd, p.changed
		p.mu.Unlock()
		if gone {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// notify wakes everybody who waits for a change. It is called with mu held.
func (p *Process) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// keep runs the process until it is no longer wanted.
func (p *Process) keep() {
	backoff := firstBackoff
	for {
		cmd, err := p.startOnce()
		if err != nil {
			p.log.Error("cannot start part", "part", p.name, "error", err)
		}
		if cmd == nil && err == nil {
			return
		}
		if cmd != nil {
			err = cmd.Wait()
			if !p.ended() {
				return
			}
			if time.Since(p.started) > calmAfter {
				backoff = firstBackoff
			}
			p.log.Warn("part ended, starting it again", "part", p.name, "exit", exitText(cmd, err), "after", backoff)
		}
		if !p.pause(backoff) {
			return
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// startOnce starts the process if it is still wanted; without that it returns
// nothing.
func (p *Process) startOnce() (*exec.Cmd, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.wanted || p.cmd != nil {
		return nil, nil
	}
	cmd, err := p.launcher.launch(p.part, p.args, p.out)
	if err != nil {
		return nil, err
	}
	p.cmd, p.started = cmd, time.Now()
	p.notify()
	return cmd, nil
}

// ended notes the end of the process and tells whether it should run again.
func (p *Process) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = nil
	if p.wanted {
		p.restarts++
	}
	p.notify()
	return p.wanted
}

// pause waits before the next start. It returns false as soon as the process
// is no longer wanted.
func (p *Process) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		p.mu.Lock()
		wanted, changed := p.wanted, p.changed
		p.mu.Unlock()
		if !wanted {
			return false
		}
		select {
		case <-changed:
		case <-timer.C:
			return true
		}
	}
}

func exitText(cmd *exec.Cmd, err error) string {
	if cmd.ProcessState != nil {
		return cmd.ProcessState.String()
	}
	return err.Error()
}
