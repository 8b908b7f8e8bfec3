// Package acceptance runs the cases as a cluster runs them: as pods, with the rights that their documents ask for, against a real
// control plane.
package acceptance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// namespace is where the cases run.
const namespace = "sluice-probes"

// processNode is the label of the node whose pods are real, and the key of its taint.
const processNode = "local.sluice.dev/process"

// stack is the local stack that all tests share; nil where its program is not built.
var stack *local

func TestMain(m *testing.M) {
	s, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	stack = s
	code := m.Run()
	if s != nil {
		s.stop()
	}
	os.Exit(code)
}

// local is a running stack of one cluster, a.
type local struct {
	binary, programs, dir string
	command               *exec.Cmd
	client                kubernetes.Interface
	etcd                  string
	reports               *reports
}

// need skips the test, or fails it where everything is required, if there is no stack.
func need(t *testing.T) *local {
	t.Helper()
	if stack == nil {
		if os.Getenv("SLUICE_REQUIRE") == "all" {
			t.Fatal("bin/sluice-local or bin/programs/probes is not there: build them with make stack")
		}
		t.Skip("skipped: bin/sluice-local or bin/programs/probes is not there: build them with make stack")
	}
	return stack
}

func start() (*local, error) {
	binary := os.Getenv("SLUICE_LOCAL_BIN")
	if binary == "" {
		binary = "../../../bin/sluice-local"
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	programs := filepath.Join(filepath.Dir(binary), "programs")
	for _, file := range []string{binary, filepath.Join(programs, "probes")} {
		if _, err := os.Stat(file); err != nil {
			return nil, nil
		}
	}
	s := &local{binary: binary, programs: programs}
	if s.dir, err = os.MkdirTemp("", "probes"); err != nil {
		return nil, err
	}
	s.dir = filepath.Join(s.dir, ".sluice")
	s.command = exec.Command(binary, "up", "--names", "a", "--nodes", "4", "--dir", s.dir)
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the local stack: %w", err)
	}
	if err := s.ready(); err != nil {
		s.stop()
		return nil, err
	}
	s.reports = listen()
	return s, nil
}

// ready waits until the stack is, and makes the namespace.
func (s *local) ready() error {
	deadline := time.Now().Add(3 * time.Minute)
	for exec.Command(s.binary, "status", "--dir", s.dir).Run() != nil {
		if time.Now().After(deadline) {
			return fmt.Errorf("cannot start the local stack: it is not ready after 3 minutes")
		}
		time.Sleep(300 * time.Millisecond)
	}
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig())
	if err != nil {
		return fmt.Errorf("cannot read kubeconfig: %w", err)
	}
	config.QPS = -1
	if s.client, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("cannot make client: %w", err)
	}
	// The first cluster's etcd has the port behind its API server's.
	var port int
	if _, err := fmt.Sscanf(config.Host[strings.LastIndex(config.Host, ":")+1:], "%d", &port); err != nil {
		return fmt.Errorf("cannot read port of %s: %w", config.Host, err)
	}
	s.etcd = fmt.Sprintf("http://127.0.0.1:%d", port+1)
	_, err = s.client.CoreV1().Namespaces().Create(context.Background(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	return err
}

func (s *local) kubeconfig() string { return filepath.Join(s.dir, "kubeconfig") }

func (s *local) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	_ = s.command.Wait()
	_ = os.RemoveAll(filepath.Dir(s.dir))
}

// part stops or starts a part of the cluster.
func (s *local) part(t *testing.T, does, part string) {
	t.Helper()
	if out, err := exec.Command(s.binary, does, part, "--cluster", "a", "--dir", s.dir).CombinedOutput(); err != nil {
		t.Fatalf("cannot %s %s: %v\n%s", does, part, err, out)
	}
}

// without runs something while a part of the cluster is down.
func (s *local) without(t *testing.T, part string, do func()) {
	t.Helper()
	s.part(t, "stop", part)
	defer s.part(t, "start", part)
	do()
}

func eventually(t *testing.T, within time.Duration, wrong func() string) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		text := wrong()
		if text == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %s", within, text)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
