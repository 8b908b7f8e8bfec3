package pod_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/pod"
)

// laidOut is a pod's files as its node lays them out: the program that it starts, and where its termination message goes.
func laidOut(t *testing.T, script string, results ...string) (*exec.Cmd, string) {
	t.Helper()
	s := least()
	s.Key, s.Script, s.Results = t.Name(), script, results
	p, err := pod.Make(s)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, item := range p.Spec.Volumes[0].DownwardAPI.Items {
		annotation := strings.TrimSuffix(strings.TrimPrefix(item.FieldRef.FieldPath, "metadata.annotations['"), "']")
		if err := os.WriteFile(filepath.Join(dir, item.Path), []byte(p.Annotations[annotation]), os.FileMode(*item.Mode)); err != nil {
			t.Fatal(err)
		}
	}
	main := p.Spec.Containers[0]
	if mount := main.VolumeMounts[1].MountPath; mount != pod.ResultsDir(s.Purpose, s.Key) || p.Spec.Volumes[1].EmptyDir == nil {
		t.Errorf("results are left in %s, and %s is mounted", pod.ResultsDir(s.Purpose, s.Key), mount)
	}
	log := filepath.Join(t.TempDir(), "termination-log")
	cmd := exec.Command(filepath.Join(dir, filepath.Base(main.Command[0])), "-v")
	cmd.Env = append(os.Environ(), "TERMINATION_LOG="+log, "DIR="+pod.ResultsDir(s.Purpose, s.Key))
	return cmd, log
}

func TestAScriptLeavesResultsInFiles(t *testing.T) {
	for _, c := range []struct {
		reason, script string
		exit           int
		rest           string
		files          map[string]string
	}{
		{"each as it is", `printf '1' > $DIR/a; printf 'x\nsluice results\ny 3\n\n' > $DIR/b; echo "$1"`, 0, "", map[string]string{
			"a": "1", "b": "x\nsluice results\ny 3\n\n",
		}},
		{"beside what it says itself", `echo '{"message": "m"}' > $TERMINATION_LOG; : > $DIR/a`, 0, "{\"message\": \"m\"}\n", map[string]string{"a": ""}},
		{"none", "true", 0, "", nil},
		{"it ends at the first command that fails, as it does alone", "echo 1 > $DIR/a\nfalse\nexit 9", 1, "", nil},
		{"its status is its own", "echo 1 > $DIR/a; exit 75", 75, "", nil},
		{"so is a signal that ends it", "kill -KILL $$", 137, "", nil},
		{"any interpreter", "#!/usr/bin/env -S sh -e\necho 1 > $DIR/a", 0, "", map[string]string{"a": "1\n"}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			cmd, log := laidOut(t, c.script, "a", "b", "c")
			err := cmd.Run()
			if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != c.exit {
				t.Fatalf("%v, want exit status %d", err, c.exit)
			}
			said, err := os.ReadFile(log)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			rest, files, err := pod.Results(string(said))
			if diff := cmp.Diff(c.files, files); err != nil || diff != "" || rest != c.rest {
				t.Errorf("%q: %q, %v (-want +got):\n%s", said, rest, err, diff)
			}
			if _, err := os.Stat(pod.ResultsDir("job", t.Name())); err == nil {
				t.Errorf("the files stay")
			}
		})
	}
}

func TestWhatEndsAPodReachesItsScript(t *testing.T) {
	cmd, _ := laidOut(t, "trap 'exit 3' TERM\necho ready\nn=0\nwhile [ $n -lt 2000 ]; do n=$((n+1)); sleep 0.05; done", "a")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("%v, want the status that the script ends with", err)
	}
}

func TestResultsThatHaveNoRoom(t *testing.T) {
	cmd, log := laidOut(t, "head -c 5000 /dev/zero > $DIR/a", "a")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(said), "\nsluice results\na 5000\n" + strings.Repeat("x", 4073)} {
		if _, _, err := pod.Results(text); err == nil || err.Error() != "the result a has 5000 bytes, and all that a pod says has room for 4096" {
			t.Errorf("%q: %v", text[:20], err)
		}
	}
	if _, _, err := pod.Results("\nsluice results\na b\n"); err == nil {
		t.Errorf("a size that is none is read")
	}
	for _, name := range []string{"", "a b", "../a", "$(x)"} {
		s := least()
		s.Script, s.Results = "true", []string{name}
		if _, err := pod.Make(s); err == nil {
			t.Errorf("a result may be called %q", name)
		}
	}
}
