package prober_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"sluice.dev/sluice/internal/probing"
)

// manyNodes has a prober, in a process of its own, of a cluster that says that it has 5,000 nodes, each with the 50 images and the conditions
// of a real one. It watches them twice: for whether they are well, and for what changes. They are sent as JSON, which takes more memory to
// read than what a real API server sends. Of pods it watches those of probes and of the control plane alone, however many there are.
func manyNodes(b *testing.B) {
	const nodes, megabytesLimit = 5000, 512 // half of what the chart lets an agent have
	g := newGround(b, 1)
	crowded, listed := g.crowded(nodes)
	g.stack.Kubeconfig = crowded
	p := g.child()
	g.until("nodes are not listed twice", 2*time.Minute, func() bool { return len(listed) >= 2 })
	c := onProcesses(caseOf(0), "none:1")
	c.Spec.Target, c.Annotations = probing.TargetSpec{Kind: probing.OfNodes, Sample: 3}, map[string]string{probing.AnnotationRunNow: "1"}
	g.cases([]*probing.Config{c})
	g.until("no nodes are chosen", time.Minute, func() bool {
		runs := &probing.RunList{}
		if err := g.api.List(b.Context(), runs); err != nil {
			b.Fatal(err)
		}
		return len(runs.Items) == 3
	})
	time.Sleep(30 * time.Second)
	now, most := p.memory(b)
	b.ReportMetric(now, "MB-with-5000-nodes")
	b.ReportMetric(most, "MB-at-most")
	if most > megabytesLimit {
		b.Errorf("the process has had %.0f MB (limit %d)", most, megabytesLimit)
	}
}

// crowded is a kubeconfig of the same cluster by a way on which it has other nodes, and a channel that has something for each time that all
// of them were sent.
func (g *ground) crowded(nodes int) (kubeconfig string, listed chan struct{}) {
	g.b.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", g.stack.Kubeconfig)
	if err != nil {
		g.b.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		g.b.Fatal(err)
	}
	to, err := url.Parse(config.Host)
	if err != nil {
		g.b.Fatal(err)
	}
	on := httputil.NewSingleHostReverseProxy(to)
	on.Transport, on.FlushInterval = transport, -1
	listed = make(chan struct{}, 100)
	way := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/api/v1/nodes" {
			on.ServeHTTP(w, q)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if q.URL.Query().Get("watch") == "" {
			http.Error(w, "nodes are streamed here", http.StatusNotAcceptable)
			return
		}
		if q.URL.Query().Get("sendInitialEvents") == "true" {
			streamNodes(w, nodes)
			listed <- struct{}{}
		}
		<-q.Context().Done()
	}))
	g.b.Cleanup(func() { way.CloseClientConnections(); way.Close() })
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: "%s"}}], users: [{name: a, user: {}}], `+
		`contexts: [{name: %s, context: {cluster: a, user: a}}]}`, way.URL, benched)
	kubeconfig = filepath.Join(g.b.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		g.b.Fatal(err)
	}
	return kubeconfig, listed
}

// streamNodes sends nodes as a watch does that begins with what is there.
func streamNodes(w http.ResponseWriter, nodes int) {
	to := json.NewEncoder(w)
	send := func(kind string, n *corev1.Node) {
		n.TypeMeta, n.ResourceVersion = metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, "1"
		_ = to.Encode(map[string]any{"type": kind, "object": n}) // who is gone has no need of it
	}
	for i := range nodes {
		send("ADDED", nodeLike(i))
	}
	send("BOOKMARK", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}})
	_ = http.NewResponseController(w).Flush()
}

// nodeLike is a node as a kubelet keeps it.
func nodeLike(i int) *corev1.Node {
	name := fmt.Sprintf("node-%05d", i)
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(time.Now().Add(-240 * time.Hour)),
		Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelTopologyZone: "eu-1", corev1.LabelOSStable: "linux"},
	}}
	n.Spec.PodCIDR, n.Spec.ProviderID = fmt.Sprintf("10.%d.%d.0/24", i/256, i%256), "cloud:///"+name
	n.Status.NodeInfo.BootID = name
	for _, kind := range []corev1.NodeConditionType{"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"} {
		c := corev1.NodeCondition{Type: kind, Status: corev1.ConditionFalse, Reason: "Kubelet" + string(kind), Message: "as the kubelet says"}
		if kind == corev1.NodeReady {
			c.Status = corev1.ConditionTrue
		}
		n.Status.Conditions = append(n.Status.Conditions, c)
	}
	for j := range 50 {
		image := fmt.Sprintf("registry.example/team-%d/image-%d", j%7, j)
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{
			Names: []string{image + "@sha256:" + strings.Repeat(strconv.Itoa(j%10), 64), image + ":1.0"}, SizeBytes: 1 << 26,
		})
	}
	return n
}

// inMemory are the lines of a process's status that say how much memory it has, and had at most.
var inMemory = regexp.MustCompile(`(?m)^(VmRSS|VmHWM):\s+(\d+) kB$`)

// memory is how much the child has and had at most, in megabytes.
func (c *child) memory(b *testing.B) (now, most float64) {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		b.Skip("this machine does not say what a process takes: ", err)
	}
	for _, m := range inMemory.FindAllStringSubmatch(string(status), -1) {
		kilobytes, _ := strconv.ParseFloat(m[2], 64)
		if m[1] == "VmRSS" {
			now = kilobytes / 1024
		} else {
			most = kilobytes / 1024
		}
	}
	return now, most
}
