package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// stopWithin is how long a program may take to end when it is asked to.
const stopWithin = 10 * time.Second

// command is a program of Sluice that is asked to end when ctx does. It sees no settings of the person's own for Temporal
// and clusters, only the demo's.
func (p *play) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.o.Bin, program), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopWithin
	for _, setting := range os.Environ() {
		if strings.HasPrefix(setting, "TEMPORAL_") || strings.HasPrefix(setting, "SLUICE_") || strings.HasPrefix(setting, "KUBECONFIG=") {
			continue
		}
		cmd.Env = append(cmd.Env, setting)
	}
	cmd.Env = append(cmd.Env, "KUBECONFIG="+p.stack.Kubeconfig)
	return cmd
}

// sluice is the command line with the demo's state folder, in which whoever comes first makes the ledger.
func (p *play) sluice(ctx context.Context, args ...string) *exec.Cmd {
	return p.command(ctx, "sluice", append(args, "--init", "--dir", p.o.Dir)...)
}

// shown runs a program whose output people see as it is printed, and returns its exit code.
func (p *play) shown(cmd *exec.Cmd) (int, error) {
	cmd.Stdout, cmd.Stderr = p.o.Stdout, p.o.Stderr
	cmd.SysProcAttr = tied()
	return code(cmd)
}

// code runs a program to its end and returns its exit code. One that did not end by itself is an error.
func code(cmd *exec.Cmd) (int, error) {
	// The kernel takes the thread for the parent of a program that is tied to it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return -1, fmt.Errorf("cannot run %s: %w", strings.Join(cmd.Args, " "), err)
	}
	return 0, nil
}

// process is a program that runs beside the play.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // once done
}

// begin starts a program that writes to a log. On Linux it is killed when this process is gone, however that ended.
func begin(cmd *exec.Cmd, log io.Writer) (*process, error) {
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = apart()
	pr := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel takes the thread for the parent: it has to live as long as the program.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			pr.err = cmd.Wait()
		}
		close(pr.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", strings.Join(cmd.Args, " "), err)
	}
	return pr, nil
}

// stop ends the program, by force where asking is not enough, and returns once it is gone.
func (pr *process) stop() {
	if pr == nil {
		return
	}
	// An error means that it is gone already.
	_ = pr.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-pr.done:
		return
	case <-time.After(stopWithin):
	}
	_ = pr.cmd.Process.Kill()
	<-pr.done
}
