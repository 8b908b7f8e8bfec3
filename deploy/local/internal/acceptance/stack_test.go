package acceptance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// TestStack goes through the life of one stack. The steps build on each other.
func TestStack(t *testing.T) {
	p := newProgram(t)
	const nodes = 4
	began := time.Now()
	p.run("up", "--names", "east,west", "--nodes", "4", "--pools", "canary=1,edge=1", "--detach")
	t.Logf("up after %s", time.Since(began).Round(time.Millisecond))
	step := func(name string, f func(*testing.T)) {
		if t.Failed() {
			return
		}
		t.Run(name, f)
	}
	step("describes itself", func(t *testing.T) { testDescription(t, p) })
	step("labels its nodes", func(t *testing.T) { testNodes(t, p) })
	step("runs workloads", func(t *testing.T) { testWorkloads(t, p.client("east"), nodes) })
	step("changes an image in place", func(t *testing.T) { testImageInPlace(t, p.client("east")) })
	step("serves logs", func(t *testing.T) { testLogs(t, p.client("east")) })
	step("plays bad versions", func(t *testing.T) { testMisbehaviour(t, p.client("east")) })
	step("runs processes", func(t *testing.T) { testProcesses(t, p) })
	step("restarts pods with their node", func(t *testing.T) { testNodeKilled(t, p) })
	step("logs requests", func(t *testing.T) { testAuditLog(t, p) })
	step("runs kubectl", func(t *testing.T) { testKubectl(t, p) })
	step("knows that it is up", func(t *testing.T) { testAlreadyUp(t, p) })
	step("plays outages", func(t *testing.T) { testOutages(t, p) })
	step("starts killed parts again", func(t *testing.T) { testKilledParts(t, p) })
	step("keeps its state", func(t *testing.T) { testKeepsState(t, p) })
	step("leaves nothing when killed", func(t *testing.T) { testKilledSupervisor(t, p) })
	step("comes up after being killed", func(t *testing.T) {
		p.run("up", "--detach")
		testNodes(t, p)
	})
	step("purges", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(p.dir, "ledger.db"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.run("down", "--purge")
		if _, err := os.Stat(p.dir); !os.IsNotExist(err) {
			t.Errorf("the folder is still there: %v", err)
		}
		noProcesses(t, p)
	})
}

func noProcesses(t *testing.T, p *program) {
	t.Helper()
	if left := p.processes(); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

func testDescription(t *testing.T, p *program) {
	d := p.description()
	if d.PID == 0 || d.Kubeconfig != filepath.Join(p.dir, "kubeconfig") || len(d.Clusters) != 2 {
		t.Errorf("description %+v", d)
	}
	s := p.status()
	if !s.Running || !s.Ready || s.PID != d.PID || len(s.Clusters) != 2 || s.Clusters[0].NodesReady != 4 {
		t.Errorf("status %+v", s)
	}
	res, err := http.Get(d.Temporal.UI)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the Web UI answers %s", res.Status)
	}
	for _, file := range []string{"kubeconfig", "control.json", "stack.json", "clusters/east/certs/tokens.csv", "temporal/temporal.db"} {
		info, err := os.Stat(filepath.Join(p.dir, file))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", file, info.Mode())
		}
	}
}

func testNodes(t *testing.T, p *program) {
	for _, cluster := range []string{"east", "west"} {
		list, err := p.client(cluster).CoreV1().Nodes().List(context.Background(), metav1.ListOptions{LabelSelector: "!" + stack.ProcessLabel})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range list.Items {
			got = append(got, n.Name+" "+n.Labels["pool"]+" "+n.Labels[corev1.LabelTopologyZone])
		}
		slices.Sort(got)
		want := []string{
			cluster + "-node-01 canary a", cluster + "-node-02 edge b",
			cluster + "-node-03 general c", cluster + "-node-04 general a",
		}
		if !slices.Equal(got, want) {
			t.Errorf("nodes of %s are %v, want %v", cluster, got, want)
		}
	}
}

func testAuditLog(t *testing.T, p *program) {
	file, err := os.Open(p.description().Clusters[0].AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	requests, watches := 0, 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			Stage, Verb string
			User        struct{ Username string }
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		switch {
		case e.User.Username == "sluice-admin" && e.Stage == "ResponseComplete":
			requests++
		case e.Verb == "watch" && e.Stage == "ResponseStarted":
			watches++
		case e.Stage == "RequestReceived":
			t.Fatalf("a request is logged when it is received: %s", lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if requests == 0 || watches == 0 {
		t.Errorf("the log has %d requests of ours and %d watches", requests, watches)
	}
}

func testKubectl(t *testing.T, p *program) {
	cmd := p.command("kubectl")
	cmd.Args = append(cmd.Args, "--cluster", "west", "get", "nodes", "-o", "name")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "node/west-node-") != 4 || !strings.Contains(string(out), "node/west-process") {
		t.Errorf("kubectl: %v\n%s", err, out)
	}
	cmd = p.command("kubectl")
	cmd.Args = append(cmd.Args, "--cluster", "nowhere", "get", "nodes")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "east, west") {
		t.Errorf("kubectl on a cluster that is not there: %v\n%s", err, out)
	}
}

func testAlreadyUp(t *testing.T, p *program) {
	before := p.description()
	out := p.run("up", "--detach")
	if !strings.Contains(out, "already running") || p.description().PID != before.PID {
		t.Errorf("a second up says:\n%s", out)
	}
	out, code := p.try("up", "--nodes", "7", "--detach")
	if code != 1 || !strings.Contains(out, "sluice local down") {
		t.Errorf("an up of another shape ends with %d:\n%s", code, out)
	}
}

func testOutages(t *testing.T, p *program) {
	p.run("stop", stack.APIServer, "--cluster", "west")
	if _, err := p.client("west").CoreV1().Nodes().List(context.Background(), metav1.ListOptions{}); err == nil {
		t.Error("a stopped API server answers")
	}
	s := p.status()
	if s.Ready || !s.Clusters[0].Ready || s.Clusters[1].Ready {
		t.Errorf("status during an outage: %+v", s)
	}
	p.run("start", stack.APIServer, "--cluster", "west")
	if _, err := p.client("west").CoreV1().Nodes().List(context.Background(), metav1.ListOptions{}); err != nil {
		t.Errorf("a started API server does not answer: %v", err)
	}
	p.run("stop", stack.Temporal)
	if _, err := http.Get(p.description().Temporal.UI); err == nil {
		t.Error("a stopped Temporal server answers")
	}
	p.run("start", stack.Temporal)
	p.run("restart", stack.Scheduler)
	if out, code := p.try("stop", "nonsense"); code != 2 {
		t.Errorf("stopping a part that is not there ends with %d: %s", code, out)
	}
	eventually(t, 60*time.Second, func() string {
		if s := p.status(); !s.Ready {
			return fmt.Sprintf("not ready: %+v", s)
		}
		return ""
	})
}

func testKilledParts(t *testing.T, p *program) {
	parts := append(slices.Clone(stack.ClusterParts[:]), stack.Temporal)
	before := map[string]int{}
	for _, part := range parts {
		before[part] = p.pid("east", part)
		if err := syscall.Kill(before[part], syscall.SIGKILL); err != nil {
			t.Fatalf("cannot kill %s: %v", part, err)
		}
	}
	eventually(t, 90*time.Second, func() string {
		if s := p.status(); !s.Ready {
			return fmt.Sprintf("not ready: %+v", s)
		}
		return ""
	})
	for _, part := range parts {
		if now := p.pid("east", part); now == before[part] {
			t.Errorf("%s still is process %d", part, now)
		}
	}
	createDeployment(t, p.client("east"), "after-kill", "app:1", 2)
	waitRolledOut(t, p.client("east"), "after-kill")
}

func testKeepsState(t *testing.T, p *program) {
	before := p.description()
	startWorkflow(t, before.Temporal, "kept")
	p.run("down")
	noProcesses(t, p)
	if d := p.description(); d.PID != 0 {
		t.Errorf("the stack is down and has process %d", d.PID)
	}
	if out, code := p.try("status"); code != 1 || !strings.Contains(out, "no stack is running") {
		t.Errorf("status of a stack that is down ends with %d: %s", code, out)
	}
	p.run("up", "--detach")
	after := p.description()
	if after.Temporal != before.Temporal || !slices.Equal(after.Clusters, before.Clusters) {
		t.Errorf("the stack moved from %+v to %+v", before, after)
	}
	waitRolledOut(t, p.client("east"), "web")
	expectWorkflow(t, after.Temporal, "kept")
	expectNamespace(t, after.Temporal)
}

func testKilledSupervisor(t *testing.T, p *program) {
	eventually(t, 20*time.Second, func() string {
		for _, line := range p.processes() {
			if strings.Contains(line, "programs/fixture") {
				return ""
			}
		}
		return "no pod runs on the process node"
	})
	if err := syscall.Kill(p.description().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 8*time.Second, func() string {
		if left := p.processes(); len(left) > 0 {
			return fmt.Sprintf("processes are left: %v", left)
		}
		return ""
	})
}
