package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"sluice.dev/sluice/deploy/local/internal/proc"
	"sluice.dev/sluice/deploy/local/internal/stack"
)

// report is one message from the background supervisor to the command that
// started it. Exactly one field is set.
type report struct {
	Line  string             `json:"line,omitempty"`
	Ready *stack.Description `json:"ready,omitempty"`
	Error string             `json:"error,omitempty"`
}

// reporter is the supervisor's end of the pipe. Nobody reads it after the
// start, so errors of writing do not matter.
type reporter struct {
	pipe *os.File
}

func newReporter(fd int) *reporter {
	syscall.CloseOnExec(fd)
	return &reporter{pipe: os.NewFile(uintptr(fd), "progress")}
}

func (r *reporter) send(m report) { json.NewEncoder(r.pipe).Encode(m) }

func (r *reporter) line(text string) { r.send(report{Line: text}) }

func (r *reporter) ready(d stack.Description) {
	r.send(report{Ready: &d})
	r.pipe.Close()
}

func (r *reporter) failed(err error) {
	if err != nil {
		r.send(report{Error: err.Error()})
	}
}

// upDetached starts a supervisor that outlives this command and waits until
// the stack is ready.
func upDetached(
	ctx context.Context, o upOptions, f stack.Folder, shape stack.Shape, progress func(string), ready func(stack.Description),
) error {
	reports, pipe, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot make pipe: %w", err)
	}
	defer reports.Close()
	cmd, err := startSupervisor(o, f, shape, pipe)
	pipe.Close()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()

	messages := json.NewDecoder(reports)
	for {
		var m report
		if err := messages.Decode(&m); err != nil {
			cmd.Wait()
			if ctx.Err() != nil {
				return errors.New("cannot start stack: interrupted")
			}
			return fmt.Errorf("cannot start stack: the supervisor ended; see %s", f.Log("supervisor"))
		}
		switch {
		case m.Ready != nil:
			ready(*m.Ready)
			return cmd.Process.Release()
		case m.Error != "":
			cmd.Wait()
			return errors.New(m.Error)
		default:
			progress(m.Line)
		}
	}
}

func startSupervisor(o upOptions, f stack.Folder, shape stack.Shape, pipe *os.File) (*exec.Cmd, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find own program: %w", err)
	}
	if err := f.Create(); err != nil {
		return nil, err
	}
	out, err := os.OpenFile(f.Log("supervisor.out"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open log: %w", err)
	}
	defer out.Close()
	const progressFD = 3 // the first of exec.Cmd's extra files
	args := append([]string{
		"up", "--dir=" + f.Root(), "--programs=" + o.programs, fmt.Sprintf("--progress-fd=%d", progressFD),
	}, shapeFlags(shape)...)
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{pipe}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := proc.KeepInherited(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start supervisor: %w", err)
	}
	return cmd, nil
}
