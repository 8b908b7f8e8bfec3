package processes

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	criclient "k8s.io/cri-client/pkg"
	utilexec "k8s.io/utils/exec"
)

// bench is a runtime with one pod and a program "sh".
type bench struct {
	*Runtime
	t       *testing.T
	dir     string
	sandbox string
	count   int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	programs := filepath.Join(dir, "programs")
	if err := os.Mkdir(programs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/bin/sh", filepath.Join(programs, "sh")); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: dir, Runtime: open(t, dir)}
	var err error
	b.sandbox, err = b.RunPodSandbox(context.Background(), &runtimeapi.PodSandboxConfig{
		Hostname: "pod", LogDirectory: filepath.Join(dir, "logs"),
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func open(t *testing.T, dir string) *Runtime {
	t.Helper()
	r, err := New(Options{
		Dir: filepath.Join(dir, "state"), Programs: Programs(filepath.Join(dir, "programs")),
		Addresses: netip.MustParsePrefix("127.64.0.0/30"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(context.Background()) })
	return r
}

// create makes a container that runs a script; change may say more.
func (b *bench) create(script string, change func(*runtimeapi.ContainerConfig)) string {
	b.t.Helper()
	config := &runtimeapi.ContainerConfig{
		Image: &runtimeapi.ImageSpec{Image: "program/sh:1.2", UserSpecifiedImage: "local/sh:1.2"},
		Args:  []string{"-c", script}, LogPath: "c" + string(rune('0'+b.count)) + ".log",
		Annotations: map[string]string{},
	}
	b.count++
	if change != nil {
		change(config)
	}
	id, err := b.CreateContainer(context.Background(), b.sandbox, config, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *bench) start(script string, change func(*runtimeapi.ContainerConfig)) string {
	b.t.Helper()
	id := b.create(script, change)
	if err := b.StartContainer(context.Background(), id); err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *bench) status(id string) *runtimeapi.ContainerStatus {
	b.t.Helper()
	s, err := b.ContainerStatus(context.Background(), id, false)
	if err != nil {
		b.t.Fatal(err)
	}
	return s.Status
}

// ended waits for a container's end and returns its status and its log without times.
func (b *bench) ended(id string) (*runtimeapi.ContainerStatus, string) {
	b.t.Helper()
	c, err := b.container(id)
	if err != nil {
		b.t.Fatal(err)
	}
	select {
	case <-c.gone:
	case <-time.After(20 * time.Second):
		b.t.Fatal("the container does not end")
	}
	return b.status(id), b.log(id)
}

func (b *bench) log(id string) string {
	b.t.Helper()
	data, err := os.ReadFile(b.status(id).LogPath)
	if err != nil {
		b.t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(data)) {
		at, rest, _ := strings.Cut(line, " ")
		if _, err := time.Parse(time.RFC3339Nano, at); err != nil {
			b.t.Errorf("a line has no time: %s", line)
		}
		text.WriteString(rest)
	}
	return text.String()
}

// says waits until a container has logged a word.
func (b *bench) says(id, word string) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if data, err := os.ReadFile(b.status(id).LogPath); err == nil && strings.Contains(string(data), word) {
			return
		}
	}
	b.t.Fatalf("the container does not say %q: %s", word, b.log(id))
}

func TestContainersRun(t *testing.T) {
	message := filepath.Join(t.TempDir(), "message")
	tests := map[string]struct {
		script string
		change func(*runtimeapi.ContainerConfig)
		code   int32
		reason string
		log    string
		why    string
	}{
		"Output":  {script: "echo a; echo b >&2; printf c", reason: "Completed", log: "stdout F a\nstderr F b\nstdout F c\n", why: "both streams, also without an end of line"},
		"Code":    {script: "exit 7", code: 7, reason: "Error", why: "the exit code is the program's"},
		"Signal":  {script: "kill -TERM $$", code: 143, reason: "Error", why: "a signal counts as 128 and its number"},
		"Tag":     {script: "echo $IMAGE_TAG", reason: "Completed", log: "stdout F 1.2\n", why: "one program stands for every version"},
		"Address": {script: "echo $POD_IP:$PORT", reason: "Completed", log: "stdout F 127.64.0.1:8080\n", why: "a port that nobody declared is 8080"},
		"Port": {
			script: "echo $PORT", change: func(c *runtimeapi.ContainerConfig) {
				c.Annotations["io.kubernetes.container.ports"] = `[{"containerPort":9443},{"containerPort":80}]`
			}, reason: "Completed", log: "stdout F 9443\n", why: "the first declared port",
		},
		"Environment": {
			script: "echo $PORT $A", change: func(c *runtimeapi.ContainerConfig) {
				c.Envs = []*runtimeapi.KeyValue{{Key: "PORT", Value: []byte("1")}, {Key: "A", Value: []byte("x y")}}
			}, reason: "Completed", log: "stdout F 1 x y\n", why: "the pod's own variables win",
		},
		"Clean": {script: "echo [$SLUICE_SECRET]", reason: "Completed", log: "stdout F []\n", why: "the stack's own environment is nobody's business"},
		"Mounts": {
			script: "cat etc/conf/a $VOLUMES/etc/conf/a", change: func(c *runtimeapi.ContainerConfig) {
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "a"), []byte("x\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				c.Mounts = []*runtimeapi.Mount{{ContainerPath: "/etc/conf", HostPath: dir}}
			}, reason: "Completed", log: "stdout F x\nstdout F x\n", why: "mounts are found in the first folder by their path",
		},
		"Message": {
			script: "printf done > $TERMINATION_LOG", change: func(c *runtimeapi.ContainerConfig) {
				c.Mounts = []*runtimeapi.Mount{{ContainerPath: "/dev/termination-log", HostPath: message}}
				c.Annotations["io.kubernetes.container.terminationMessagePath"] = "/dev/termination-log"
			}, reason: "Completed", why: "the kubelet reads the message there",
		},
		"Command": {
			change: func(c *runtimeapi.ContainerConfig) { c.Command, c.Args = []string{"printf"}, []string{"%s", "x"} },
			reason: "Completed", log: "stdout F x\n", why: "a command may be one of the machine's",
		},
		"CommandIsAProgram": {
			change: func(c *runtimeapi.ContainerConfig) { c.Command, c.Args = []string{"/app/sh", "-c"}, []string{"echo x"} },
			reason: "Completed", log: "stdout F x\n", why: "a path that is not here names a program by its last element",
		},
	}
	t.Setenv("SLUICE_SECRET", "x")
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			status, log := b.ended(b.start(tc.script, tc.change))
			if status.ExitCode != tc.code || status.Reason != tc.reason || sorted(log) != sorted(tc.log) {
				t.Errorf("%s: it ended with %d, %s and said\n%s", tc.why, status.ExitCode, status.Reason, log)
			}
			if status.FinishedAt < status.StartedAt || status.StartedAt < status.CreatedAt || status.CreatedAt == 0 {
				t.Errorf("%s: times are out of order: %v", tc.why, status)
			}
		})
	}
	if text, err := os.ReadFile(message); err != nil || string(text) != "done" {
		t.Errorf("the termination message is %q, %v", text, err)
	}
}

// sorted is for streams that are read one beside the other: their order is not certain.
func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i := range lines {
		for j := range lines[:i] {
			if lines[i] < lines[j] {
				lines[i], lines[j] = lines[j], lines[i]
			}
		}
	}
	return strings.Join(lines, "")
}

func TestStartThatFails(t *testing.T) {
	b := newBench(t)
	id := b.create("", func(c *runtimeapi.ContainerConfig) { c.Command = []string{"no-such-command"} })
	err := b.StartContainer(context.Background(), id)
	if err == nil || !strings.Contains(err.Error(), `"no-such-command"`) {
		t.Errorf("the command is not there, and the error is %v", err)
	}
	status := b.status(id)
	if status.State != runtimeapi.ContainerState_CONTAINER_EXITED || status.ExitCode != 128 || status.Reason != "StartError" {
		t.Errorf("a container that could not be started is %v", status)
	}
	if err := b.StartContainer(context.Background(), id); err == nil {
		t.Error("it was started a second time")
	}
}

func TestStop(t *testing.T) {
	tests := map[string]struct {
		script  string
		seconds int64
		code    int32
		reason  string
	}{
		"AskedToEnd": {"trap 'exit 5' TERM; echo up; while :; do sleep 0.02; done", 20, 5, "it may end in its own way"},
		"Deaf":       {"trap '' TERM; echo up; while :; do sleep 0.02; done", 1, 137, "it is killed after its time"},
		"NoGrace":    {"trap 'exit 5' TERM; echo up; while :; do sleep 0.02; done", 0, 137, "it is killed at once"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			id := b.start(tc.script, nil)
			b.says(id, "up")
			if err := b.StopContainer(context.Background(), id, tc.seconds); err != nil {
				t.Fatal(err)
			}
			if status := b.status(id); status.ExitCode != tc.code {
				t.Errorf("%s: exit code %d, want %d", tc.reason, status.ExitCode, tc.code)
			}
			if err := b.StopContainer(context.Background(), id, 1); err != nil {
				t.Errorf("stopping it twice: %v", err)
			}
		})
	}
	if err := newBench(t).StopContainer(context.Background(), "nobody", 1); err != nil {
		t.Errorf("stopping what is not there: %v", err)
	}
}

func TestNothingOutlivesTheFirstProcess(t *testing.T) {
	b := newBench(t)
	pids := filepath.Join(t.TempDir(), "pids")
	id := b.start("sleep 1000 & echo $! > "+pids+"; exit 0", nil)
	b.ended(id)
	expectGone(t, pids)
}

// expectGone waits until the process is gone whose number is in a file.
func expectGone(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid := 0
	for _, digit := range strings.TrimSpace(string(data)) {
		pid = pid*10 + int(digit-'0')
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(data)) + "/stat"); err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
	syscall.Kill(pid, syscall.SIGKILL)
}

func TestARuntimeTakesUpWhatAnotherLeft(t *testing.T) {
	b := newBench(t)
	pids := filepath.Join(t.TempDir(), "pids")
	// The second process has a session of its own: it is not in the container's group any more.
	running := b.start("setsid sleep 1000 & echo $! > "+pids+"; echo up; while :; do sleep 0.02; done", nil)
	b.says(running, "up")
	ended := b.start("exit 3", nil)
	b.ended(ended)
	b.mu.Lock()
	c := b.containers[running]
	b.mu.Unlock()
	c.mu.Lock()
	c.save = func(*container) error { return nil } // a runtime that was killed writes nothing down when its processes end
	c.mu.Unlock()

	again := &bench{t: t, dir: b.dir, Runtime: open(t, b.dir), sandbox: b.sandbox}
	if s := again.status(running); s.State != runtimeapi.ContainerState_CONTAINER_EXITED || s.ExitCode != 137 || s.Message != lost {
		t.Errorf("a container that ran is now %v", s)
	}
	if s := again.status(ended); s.ExitCode != 3 || s.Message != "" {
		t.Errorf("a container that had ended is now %v", s)
	}
	list, err := again.ListPodSandbox(context.Background(), nil)
	if err != nil || len(list) != 1 || list[0].State != runtimeapi.PodSandboxState_SANDBOX_NOTREADY {
		t.Errorf("pods are %v, %v", list, err)
	}
	expectGone(t, pids)
	if err := again.RemovePodSandbox(context.Background(), b.sandbox); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(b.dir, "state", "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("a removed pod leaves %v, %v", left, err)
	}
}

func TestAddresses(t *testing.T) {
	b := newBench(t) // of its four addresses one is the network's
	seen := map[string]bool{}
	for range 2 {
		id, err := b.RunPodSandbox(context.Background(), &runtimeapi.PodSandboxConfig{}, "")
		if err != nil {
			t.Fatal(err)
		}
		status, err := b.PodSandboxStatus(context.Background(), id, false)
		if err != nil {
			t.Fatal(err)
		}
		seen[status.Status.Network.Ip] = true
	}
	if !seen["127.64.0.2"] || !seen["127.64.0.3"] {
		t.Errorf("pods got %v", seen)
	}
	if _, err := b.RunPodSandbox(context.Background(), &runtimeapi.PodSandboxConfig{}, ""); err == nil {
		t.Error("a fourth pod got an address")
	}
	if err := b.RemovePodSandbox(context.Background(), b.sandbox); err != nil {
		t.Fatal(err)
	}
	if _, err := b.RunPodSandbox(context.Background(), &runtimeapi.PodSandboxConfig{}, ""); err != nil {
		t.Errorf("an address was not given back: %v", err)
	}
}

func TestExecSync(t *testing.T) {
	b := newBench(t)
	id := b.start("echo up; while :; do sleep 0.02; done", nil)
	b.says(id, "up")
	ctx := context.Background()
	if out, _, err := b.ExecSync(ctx, id, []string{"sh", "-c", "echo $IMAGE_TAG"}, 0); err != nil || string(out) != "1.2\n" {
		t.Errorf("a command says %q, %v", out, err)
	}
	var code utilexec.CodeExitError
	if _, errOut, err := b.ExecSync(ctx, id, []string{"sh", "-c", "echo bad >&2; exit 4"}, 0); !errors.As(err, &code) || code.Code != 4 || string(errOut) != "bad\n" {
		t.Errorf("a command that fails: %v, %q", err, errOut)
	}
	if _, _, err := b.ExecSync(ctx, id, []string{"nothing"}, 0); !errors.As(err, &code) || code.Code != 127 {
		t.Errorf("a command that is not there: %v", err)
	}
	if _, _, err := b.ExecSync(ctx, id, []string{"sleep", "1000"}, 20*time.Millisecond); !errors.Is(err, criclient.ErrCommandTimedOut) {
		t.Errorf("a command that takes too long: %v", err)
	}
	if out, _, err := b.ExecSync(ctx, id, []string{"head", "-c", "3000000", "/dev/zero"}, 0); err != nil || len(out) != maxOutput {
		t.Errorf("of three million bytes %d are kept, %v", len(out), err)
	}
	if err := b.StopContainer(ctx, id, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.ExecSync(ctx, id, []string{"true"}, 0); err == nil {
		t.Error("a command ran in a container that has ended")
	}
}

func TestImages(t *testing.T) {
	b := newBench(t)
	tests := map[string]struct {
		image string
		there bool
		why   string
	}{
		"Known":    {"registry.example:5000/team/sh:1.2@sha256:00", true, "the last element of the repository counts"},
		"NoTag":    {"sh", true, "a tag is not needed"},
		"Unknown":  {"local/nothing:1", false, "there is no such program"},
		"Traverse": {"local/..:1", false, "a folder is no program"},
		"Empty":    {"local/:1", false, "no name is no program"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			spec := &runtimeapi.ImageSpec{Image: tc.image}
			status, err := b.Programs.ImageStatus(context.Background(), spec, false)
			if err != nil || (status.Image != nil) != tc.there {
				t.Errorf("%s: status %v, %v", tc.why, status, err)
			}
			if _, err := b.Programs.PullImage(context.Background(), spec, nil, nil); (err == nil) != tc.there {
				t.Errorf("%s: pulling says %v", tc.why, err)
			}
		})
	}
}

func TestLongLinesAreCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l", "0.log")
	log, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	stream := log.stream("stdout")
	for range 3 {
		stream.Write([]byte(strings.Repeat("x", maxPart/2+1)))
	}
	stream.Write([]byte("\n\nend"))
	if cap(stream.part) > 2*maxPart {
		t.Errorf("%d bytes are kept of a line", cap(stream.part))
	}
	stream.flush()
	log.close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		got = append(got, fields[2]+" "+string(rune('0'+len(fields[3])/(maxPart/2))))
	}
	if want := "P 2,F 1,F 0,F 0"; strings.Join(got, ",") != want {
		t.Errorf("parts are %v, want %s", got, want)
	}
}

func TestLogIsReopened(t *testing.T) {
	b := newBench(t)
	id := b.start("echo first; while [ ! -e go ]; do sleep 0.02; done; echo second; sleep 1000", nil)
	b.says(id, "first")
	path := b.status(id).LogPath
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := b.ReopenContainerLog(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.ExecSync(context.Background(), id, []string{"touch", "go"}, 0); err != nil {
		t.Fatal(err)
	}
	b.says(id, "second")
	if strings.Contains(b.log(id), "first") {
		t.Error("the new file has the old lines")
	}
}

func TestNothingRunsAfterClose(t *testing.T) {
	b := newBench(t)
	pids := filepath.Join(t.TempDir(), "pids")
	running := b.start("setsid sleep 1000 & echo $! > "+pids+"; echo up; while :; do sleep 0.02; done", nil)
	b.says(running, "up")
	later := b.create("exit 0", nil)
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := b.status(running); s.ExitCode != 137 {
		t.Errorf("what ran ended with %d", s.ExitCode)
	}
	expectGone(t, pids)
	if err := b.StartContainer(context.Background(), later); !errors.Is(err, errClosed) {
		t.Errorf("a container was started: %v", err)
	}
}
