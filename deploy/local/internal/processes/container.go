package processes

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Reasons of an end, as container runtimes give them.
const (
	completed  = "Completed"
	failed     = "Error"
	startError = "StartError"
)

// startFailed is the exit code of a container whose command could not be started.
const startFailed = 128

// outputDelay is how long the output of a container's offspring is waited for after its end.
const outputDelay = time.Second

// container is one run of a container: it is started once. Fields below mu are guarded by it.
type container struct {
	id      string
	sandbox *sandbox
	config  *runtimeapi.ContainerConfig
	created time.Time
	gone    chan struct{} // closed when there is no process, and none will be
	save    func(*container) error

	mu       sync.Mutex
	cmd      *exec.Cmd
	log      *logFile
	started  time.Time
	finished time.Time
	exitCode int
	reason   string
	message  string
}

func newID() string {
	raw := make([]byte, 16)
	rand.Read(raw)
	return hex.EncodeToString(raw)
}

func notFound(kind, id string) error {
	return status.Errorf(codes.NotFound, "cannot find %s %q", kind, id)
}

// state tells what a container does. It is called with mu held.
func (c *container) state() runtimeapi.ContainerState {
	switch {
	case !c.finished.IsZero():
		return runtimeapi.ContainerState_CONTAINER_EXITED
	case !c.started.IsZero():
		return runtimeapi.ContainerState_CONTAINER_RUNNING
	default:
		return runtimeapi.ContainerState_CONTAINER_CREATED
	}
}

// logPath is where the kubelet looks for the container's output.
func (c *container) logPath() string {
	return filepath.Join(c.sandbox.config.LogDirectory, c.config.LogPath)
}

// CreateContainer describes a container. Nothing runs yet.
func (r *Runtime) CreateContainer(
	_ context.Context, sandboxID string, config *runtimeapi.ContainerConfig, _ *runtimeapi.PodSandboxConfig,
) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[sandboxID]
	if s == nil {
		return "", notFound("pod sandbox", sandboxID)
	}
	c := &container{id: newID(), sandbox: s, config: config, created: time.Now(), gone: make(chan struct{}), save: r.saveContainer}
	if err := r.saveContainer(c); err != nil {
		return "", err
	}
	r.containers[c.id] = c
	return c.id, nil
}

// StartContainer starts a container's process. One whose command cannot be started has ended.
func (r *Runtime) StartContainer(_ context.Context, id string) error {
	c, err := r.container(id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state() != runtimeapi.ContainerState_CONTAINER_CREATED {
		return status.Errorf(codes.FailedPrecondition, "cannot start container %q: it was started before", id)
	}
	// Who closes the runtime waits for mu before it kills: nothing is started behind its back.
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return errClosed
	}
	c.started = time.Now()
	if err = r.start(c); err != nil {
		c.end(startFailed, startError, err.Error())
		close(c.gone)
		return fmt.Errorf("cannot start container: %w", err)
	}
	return c.save(c)
}

// start makes the process. It is called with the container's mu held.
func (r *Runtime) start(c *container) error {
	cmd, err := r.command(c, slices.Concat(c.config.Command, c.config.Args))
	if err != nil {
		return err
	}
	if c.log, err = openLog(c.logPath()); err != nil {
		return err
	}
	stdout, stderr := c.log.stream("stdout"), c.log.stream("stderr")
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stdout, stderr, outputDelay
	if err := r.starter.start(cmd); err != nil {
		c.log.close()
		return err
	}
	c.cmd = cmd
	go func() {
		defer close(c.gone)
		waitForEnd(cmd)
		stdout.flush()
		stderr.flush()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.log.close()
		code := exitCode(cmd)
		reason := failed
		if code == 0 {
			reason = completed
		}
		c.end(code, reason, "")
	}()
	return nil
}

// end notes how the container ended. It is called with mu held.
func (c *container) end(code int, reason, message string) {
	c.finished, c.exitCode, c.reason, c.message = time.Now(), code, reason, message
	// What cannot be kept is found out after the next start: the container then counts as killed.
	_ = c.save(c)
}

// exitCode is 128 and the signal for a process that a signal ended.
func exitCode(cmd *exec.Cmd) int {
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return cmd.ProcessState.ExitCode()
}

// StopContainer asks a container to end and kills it after some seconds. It returns when it is gone.
func (r *Runtime) StopContainer(_ context.Context, id string, seconds int64) error {
	c, err := r.container(id)
	if status.Code(err) == codes.NotFound {
		return nil
	}
	if seconds > 0 {
		c.signal(syscall.SIGTERM)
		if c.wait(time.Duration(seconds) * time.Second) {
			return nil
		}
	}
	c.kill()
	if !c.wait(time.Minute) {
		return fmt.Errorf("cannot stop container %q: its process does not end though it was killed", id)
	}
	return nil
}

// signal reaches the container's first process only, as it does in a container.
func (c *container) signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd != nil && c.finished.IsZero() {
		c.cmd.Process.Signal(s)
	}
}

// kill ends the container's first process; its offspring goes with it.
func (c *container) kill() { c.signal(syscall.SIGKILL) }

// wait tells whether the container has no process, after a while at most.
func (c *container) wait(limit time.Duration) bool {
	c.mu.Lock()
	none := c.cmd == nil
	c.mu.Unlock()
	if none {
		return true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.gone:
		return true
	case <-timer.C:
		return false
	}
}

// RemoveContainer forgets a container. It is no error if there is none.
func (r *Runtime) RemoveContainer(ctx context.Context, id string) error {
	if err := r.StopContainer(ctx, id, 0); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.containers, id)
	if err := os.RemoveAll(r.containerDir(id)); err != nil {
		return fmt.Errorf("cannot remove container: %w", err)
	}
	return nil
}

func (r *Runtime) container(id string) (*container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.containers[id]
	if c == nil {
		return nil, notFound("container", id)
	}
	return c, nil
}

// ListContainers lists containers, the latest first.
func (r *Runtime) ListContainers(_ context.Context, filter *runtimeapi.ContainerFilter) ([]*runtimeapi.Container, error) {
	r.mu.Lock()
	all := slices.SortedFunc(maps.Values(r.containers), func(a, b *container) int { return b.created.Compare(a.created) })
	r.mu.Unlock()
	var list []*runtimeapi.Container
	for _, c := range all {
		c.mu.Lock()
		state := c.state()
		c.mu.Unlock()
		if filter.GetId() != "" && filter.GetId() != c.id ||
			filter.GetPodSandboxId() != "" && filter.GetPodSandboxId() != c.sandbox.id ||
			filter.GetState() != nil && filter.GetState().State != state ||
			!hasLabels(c.config.Labels, filter.GetLabelSelector()) {
			continue
		}
		image := imageID(c.config.GetImage().GetImage())
		list = append(list, &runtimeapi.Container{
			Id: c.id, PodSandboxId: c.sandbox.id, Metadata: c.config.Metadata, Image: c.config.Image, ImageRef: image, ImageId: image,
			State: state, CreatedAt: c.created.UnixNano(), Labels: c.config.Labels, Annotations: c.config.Annotations,
		})
	}
	return list, nil
}

// ContainerStatus tells of one container.
func (r *Runtime) ContainerStatus(_ context.Context, id string, _ bool) (*runtimeapi.ContainerStatusResponse, error) {
	c, err := r.container(id)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	image := c.config.GetImage().GetImage()
	return &runtimeapi.ContainerStatusResponse{Status: &runtimeapi.ContainerStatus{
		Id: c.id, Metadata: c.config.Metadata, State: c.state(),
		CreatedAt: c.created.UnixNano(), StartedAt: nanoseconds(c.started), FinishedAt: nanoseconds(c.finished),
		ExitCode: int32(c.exitCode), Reason: c.reason, Message: c.message,
		Image:    &runtimeapi.ImageSpec{Image: c.config.GetImage().GetUserSpecifiedImage(), UserSpecifiedImage: image},
		ImageRef: imageID(image), ImageId: imageID(image),
		Labels: c.config.Labels, Annotations: c.config.Annotations, Mounts: c.config.Mounts, LogPath: c.logPath(),
	}}, nil
}

// nanoseconds is 0 for a moment that has not come.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// ReopenContainerLog begins a new file after the kubelet has moved the old one aside.
func (r *Runtime) ReopenContainerLog(_ context.Context, id string) error {
	c, err := r.container(id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state() != runtimeapi.ContainerState_CONTAINER_RUNNING {
		return fmt.Errorf("cannot reopen log of container %q: it does not run", id)
	}
	return c.log.reopen()
}
