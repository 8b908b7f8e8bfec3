// Package acceptance tests the built program the way a person uses it: real
// processes, a real control plane, a real Temporal server.
package acceptance

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"sluice.dev/sluice/deploy/local/internal/control"
	"sluice.dev/sluice/deploy/local/internal/stack"
)

// builtProgram is where the build puts the program, seen from this folder.
const builtProgram = "../../../../bin/sluice-local"

// program is the built program and a state folder for it.
type program struct {
	t      *testing.T
	binary string
	dir    string
}

// newProgram skips the test by name when the program was not built, and fails
// it instead if everything is required.
func newProgram(t *testing.T) *program {
	t.Helper()
	if testing.Short() {
		t.Skip("starts real control planes")
	}
	binary := os.Getenv("SLUICE_LOCAL_BIN")
	if binary == "" {
		var err error
		if binary, err = filepath.Abs(builtProgram); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(binary); err != nil {
		message := t.Name() + " needs the built program: run `cd deploy/local && go build -ldflags='-s -w' -o ../../bin/sluice-local .` or set SLUICE_LOCAL_BIN"
		if os.Getenv("SLUICE_REQUIRE") == "all" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	p := &program{t: t, binary: binary, dir: filepath.Join(t.TempDir(), stack.DefaultFolder)}
	t.Cleanup(func() {
		if t.Failed() {
			p.showLogs()
		}
		exec.Command(binary, "down", "--purge", "--dir", p.dir).Run()
	})
	return p
}

func (p *program) showLogs() {
	for _, name := range []string{"supervisor", "supervisor.out"} {
		if data, err := os.ReadFile(filepath.Join(p.dir, "logs", name+".log")); err == nil {
			p.t.Logf("%s.log:\n%s", name, data)
		}
	}
}

func (p *program) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.binary, append(args, "--dir", p.dir)...)
	cmd.Dir = filepath.Dir(p.dir)
	return cmd
}

// try runs a command and returns its output and exit code.
func (p *program) try(args ...string) (string, int) {
	p.t.Helper()
	out, err := p.command(args...).CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		p.t.Fatalf("%v: %v", args, err)
	}
	return string(out), 0
}

// run runs a command that must succeed.
func (p *program) run(args ...string) string {
	p.t.Helper()
	out, code := p.try(args...)
	if code != 0 {
		p.t.Fatalf("%v: exit code %d\n%s", args, code, out)
	}
	return out
}

func (p *program) description() stack.Description {
	p.t.Helper()
	f, err := stack.Open(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	d, err := f.ReadDescription()
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func (p *program) status() control.Status {
	p.t.Helper()
	out, _ := p.try("status", "-o", "json")
	var s control.Status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		p.t.Fatalf("status: %v\n%s", err, out)
	}
	return s
}

func (p *program) pid(cluster, part string) int {
	p.t.Helper()
	s := p.status()
	if part == stack.Temporal {
		return s.Temporal.PID
	}
	for _, c := range s.Clusters {
		for _, status := range c.Parts {
			if c.Name == cluster && status.Part == part {
				return status.PID
			}
		}
	}
	p.t.Fatalf("no part %s in cluster %s", part, cluster)
	return 0
}

// client reaches a cluster through the kubeconfig that people use.
func (p *program) client(cluster string) kubernetes.Interface {
	p.t.Helper()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: p.description().Kubeconfig},
		&clientcmd.ConfigOverrides{CurrentContext: cluster},
	).ClientConfig()
	if err != nil {
		p.t.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		p.t.Fatal(err)
	}
	return client
}

// processes lists the processes whose command line names the state folder, and those of pods.
func (p *program) processes() map[int]string {
	p.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		p.t.Skipf("%s looks for processes in /proc: %v", p.t.Name(), err)
	}
	found := map[int]string{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err != nil {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		pod := err == nil && bytes.Contains(env, []byte("SLUICE_LOCAL_NODE="+p.dir))
		if pod || bytes.Contains(line, []byte(p.dir)) {
			found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	return found
}

// eventually fails the test if the check does not pass in time. The check
// returns what is still wrong, "" for nothing.
func eventually(t *testing.T, limit time.Duration, check func() string) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		wrong := check()
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %s", limit, wrong)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
