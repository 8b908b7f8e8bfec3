package localtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Node is a process node beside the one that each cluster has.
type Node struct {
	Name string
	Dir  string // what its kubelet and its runtime keep; the runtime has the sandboxes of pods in runtime/sandboxes
	Port int    // of its kubelet: its Node object has to say it
}

// AddProcessNode starts one more kubelet of a cluster, until the end of the test. API is the address of the cluster's API server, as a
// kubeconfig has it. The Node object is for the caller to make, with the label and the taint of ProcessNode.
func (s *Stack) AddProcessNode(t testing.TB, cluster, api, name string) *Node {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(api, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{Name: name, Dir: filepath.Join(s.Dir, "clusters", cluster, name), Port: freePort(t)}
	at := func(file string) string { return filepath.Join(s.Dir, "clusters", cluster, file) }
	var high, low int
	if _, err := fmt.Sscanf(port, "%d", &high); err != nil {
		t.Fatal(err)
	}
	high, low = high>>8, high&0xff
	cmd := exec.Command(s.binary, "__part", "node",
		"--kubeconfig="+at("node.kubeconfig"), "--name="+name, "--dir="+n.Dir, "--programs="+filepath.Join(filepath.Dir(s.binary), "programs"),
		// No stack gives out these, and no other has the port of this API server.
		fmt.Sprintf("--pod-addresses=127.%d.%d.0/24", 200+high%50, low), "--api-server=127.0.0.1:"+port,
		"--tls-cert-file="+at("certs/apiserver.crt"), "--tls-private-key-file="+at("certs/apiserver.key"),
		"--client-ca-file="+at("certs/kubelet-client.crt"), fmt.Sprintf("--port=%d", n.Port),
	)
	// It ends with this process, however that ends: the system closes the pipe.
	child, own, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(s.Dir, "logs", cluster+"-"+name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env, cmd.ExtraFiles = append(os.Environ(), "SLUICE_LOCAL_LIFELINE=3"), []*os.File{child}
	cmd.Stdout, cmd.Stderr = log, log
	err = cmd.Start()
	_, _ = child.Close(), log.Close()
	if err != nil {
		t.Fatalf("cannot start node %s: %v", name, err)
	}
	t.Cleanup(func() {
		defer own.Close()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		late.Stop()
	})
	return n
}

// freePort is one that nobody has at the moment.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
