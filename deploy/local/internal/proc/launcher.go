package proc

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"
)

// runningImage is this very program on Linux, even when its file was replaced
// or removed since.
const runningImage = "/proc/self/exe"

// Launcher starts child processes of this same program.
type Launcher struct {
	binary   string
	image    string
	childEnd *os.File
	ownEnd   *os.File
	starts   chan start
}

type start struct {
	cmd  *exec.Cmd
	done chan error
}

// NewLauncher returns a launcher. Its children end when this process does.
func NewLauncher() (*Launcher, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find own program: %w", err)
	}
	childEnd, ownEnd, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot make lifeline: %w", err)
	}
	image := binary
	if _, err := os.Stat(runningImage); err == nil {
		image = runningImage
	}
	l := &Launcher{binary: binary, image: image, childEnd: childEnd, ownEnd: ownEnd, starts: make(chan start)}
	go l.serve()
	return l, nil
}

// serve starts children from one thread that lives as long as the process: on
// Linux the parent-death signal is tied to the thread that started the child.
func (l *Launcher) serve() {
	runtime.LockOSThread()
	for s := range l.starts {
		s.done <- s.cmd.Start()
	}
}

// launch starts a part. Its output goes to out.
func (l *Launcher) launch(part string, args []string, out io.Writer) (*exec.Cmd, error) {
	cmd := exec.Command(l.binary, append([]string{PartArg, part}, args...)...)
	cmd.Path = l.image
	cmd.Env = append(os.Environ(), lifelineEnv+"="+strconv.Itoa(lifelineFD))
	cmd.ExtraFiles = []*os.File{l.childEnd}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = childAttributes()
	s := start{cmd: cmd, done: make(chan error, 1)}
	l.starts <- s
	return cmd, <-s.done
}
