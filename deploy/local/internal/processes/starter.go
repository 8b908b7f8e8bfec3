package processes

import (
	"os/exec"
	"runtime"
)

// starter starts processes from one thread that lives as long as this process: on Linux the signal that ends them with
// this process is tied to the thread that started them.
type starter struct{ starts chan start }

type start struct {
	cmd  *exec.Cmd
	done chan error
}

func newStarter() *starter {
	s := &starter{starts: make(chan start)}
	go func() {
		runtime.LockOSThread()
		for next := range s.starts {
			next.done <- next.cmd.Start()
		}
	}()
	return s
}

func (s *starter) start(cmd *exec.Cmd) error {
	next := start{cmd: cmd, done: make(chan error, 1)}
	s.starts <- next
	return <-next.done
}
