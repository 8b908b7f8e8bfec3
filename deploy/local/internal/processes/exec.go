package processes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	criclient "k8s.io/cri-client/pkg"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// maxOutput bounds what a command that is run for its output may say.
const maxOutput = 1 << 20

// dialLimit is how long a forwarded connection may take to be made.
const dialLimit = 5 * time.Second

// ExecSync runs a command beside a container's process and returns what it said, cut at a megabyte each. An exit code
// other than 0 is a utilexec.CodeExitError; one that takes too long is killed.
func (r *Runtime) ExecSync(ctx context.Context, id string, words []string, limit time.Duration) ([]byte, []byte, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	var stdout, stderr bounded
	err := r.exec(ctx, id, words, nil, &stdout, &stderr)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: after %s", criclient.ErrCommandTimedOut, limit)
	}
	return stdout.kept.Bytes(), stderr.kept.Bytes(), err
}

// exec runs a command with the environment of a container that runs. It ends with the context.
func (r *Runtime) exec(ctx context.Context, id string, words []string, in io.Reader, out, errOut io.Writer) error {
	c, err := r.container(id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	state := c.state()
	c.mu.Unlock()
	if state != runtimeapi.ContainerState_CONTAINER_RUNNING {
		return fmt.Errorf("cannot run a command in container %q: it does not run", id)
	}
	if len(words) == 0 {
		return errors.New("cannot run a command: none is given")
	}
	cmd, err := r.commandBeside(c, words)
	if err != nil {
		return utilexec.CodeExitError{Err: err, Code: 127}
	}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, errOut, outputDelay
	var stdin io.WriteCloser
	if in != nil {
		// Not cmd.Stdin: its end would be waited for after the command's.
		if stdin, err = cmd.StdinPipe(); err != nil {
			return fmt.Errorf("cannot run a command: %w", err)
		}
	}
	if err := r.starter.start(cmd); err != nil {
		return fmt.Errorf("cannot run a command: %w", err)
	}
	if in != nil {
		go func() {
			io.Copy(stdin, in)
			stdin.Close()
		}()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		waitForEnd(cmd)
	}()
	select {
	case <-ended:
	case <-c.gone:
		cmd.Process.Signal(syscall.SIGKILL)
		<-ended
	case <-ctx.Done():
		cmd.Process.Signal(syscall.SIGKILL)
		<-ended
		return ctx.Err()
	}
	if code := exitCode(cmd); code != 0 {
		return utilexec.CodeExitError{Err: fmt.Errorf("exit code %d", code), Code: code}
	}
	return nil
}

// commandBeside describes a process that shares a container's environment and folder.
func (r *Runtime) commandBeside(c *container, words []string) (*exec.Cmd, error) {
	beside := &container{id: c.id, sandbox: c.sandbox, config: &runtimeapi.ContainerConfig{
		Command: words, Image: c.config.Image, WorkingDir: c.config.WorkingDir,
		Envs: c.config.Envs, Mounts: c.config.Mounts, Annotations: c.config.Annotations,
	}}
	return r.command(beside, words)
}

// Exec prepares a stream for a command.
func (r *Runtime) Exec(_ context.Context, req *runtimeapi.ExecRequest) (*runtimeapi.ExecResponse, error) {
	return r.streams.GetExec(req)
}

// Attach is refused.
func (r *Runtime) Attach(context.Context, *runtimeapi.AttachRequest) (*runtimeapi.AttachResponse, error) {
	return nil, errCannot
}

// PortForward prepares a stream for connections to a pod.
func (r *Runtime) PortForward(_ context.Context, req *runtimeapi.PortForwardRequest) (*runtimeapi.PortForwardResponse, error) {
	return r.streams.GetPortForward(req)
}

// streams is what the server of streams runs.
type streams struct{ r *Runtime }

// Exec runs a command. There are no terminals: with one asked for, the command has pipes all the same.
func (s streams) Exec(
	ctx context.Context, id string, words []string, in io.Reader, out, errOut io.WriteCloser, tty bool, _ <-chan remotecommand.TerminalSize,
) error {
	stdout, stderr := io.Writer(io.Discard), io.Writer(io.Discard)
	if out != nil {
		stdout = out
	}
	switch {
	case errOut != nil:
		stderr = errOut
	case tty:
		stderr = stdout
	}
	return s.r.exec(ctx, id, words, in, stdout, stderr)
}

// Attach is refused.
func (s streams) Attach(
	context.Context, string, io.Reader, io.WriteCloser, io.WriteCloser, bool, <-chan remotecommand.TerminalSize,
) error {
	return errCannot
}

// PortForward joins a stream to a port of a pod.
func (s streams) PortForward(ctx context.Context, id string, port int32, stream io.ReadWriteCloser) error {
	s.r.mu.Lock()
	pod := s.r.sandboxes[id]
	s.r.mu.Unlock()
	if pod == nil {
		return notFound("pod sandbox", id)
	}
	dialer := net.Dialer{Timeout: dialLimit}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(pod.address, strconv.Itoa(int(port))))
	if err != nil {
		return fmt.Errorf("cannot forward port %d: %w", port, err)
	}
	defer conn.Close()
	go func() {
		io.Copy(conn, stream)
		conn.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, conn)
	return err
}

// bounded keeps the first bytes of what is written and takes the rest for nothing.
type bounded struct{ kept bytes.Buffer }

// Write never fails.
func (b *bounded) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(len(p), maxOutput-b.kept.Len())])
	return len(p), nil
}
