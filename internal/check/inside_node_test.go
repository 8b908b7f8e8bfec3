package check

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/pipelines"
)

// TestProbesFromInsideOnANodeThatRunsThem: pods of this program ask, on a node that starts, ends and reports them as any does.
func TestProbesFromInsideOnANodeThatRunsThem(t *testing.T) {
	stack := localtest.Start(t, []string{"probes"}, 1)
	stack.NeedProgram(t, "sluice")
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{stack.Kubeconfig}})
	t.Cleanup(pool.Close)
	c, err := pool.Cluster(t.Context(), "probes")
	if err != nil {
		t.Fatal(err)
	}
	const image = "sluice.local/sluice:1"
	up, bad := serving(t, 200, "ok"), serving(t, 503, "broken")
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	identity := &pipelines.ProbeTLS{InsecureBecause: "a test"}
	gone := unused(t)
	for _, p := range []struct {
		reason string
		image  string
		kinds  pipelines.StepKinds
		want   api.Verdict
		says   string
	}{
		{"it answers", image, pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: "http://" + up}}, api.Passed, ""},
		{"it answers otherwise", image, pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: "http://" + bad}}, api.Failed, bad + ": status 503"},
		{"nobody listens", image, pipelines.StepKinds{TCP: &pipelines.TCP{Address: gone}}, api.Failed, "connection refused"},
		{"there is no such name", image, pipelines.StepKinds{DNS: &pipelines.DNS{Server: nameless(t), Name: "none.test"}}, api.Failed, "the name does not exist"},
		{"its certificate expires", image, pipelines.StepKinds{Certificate: &pipelines.Certificate{
			Address: secure.Listener.Addr().String(), TLS: identity, MinDays: 36500,
		}}, api.Failed, "in less than 36500 days"},
		{"there is no such image", "sluice.local/none:1", pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: "http://" + up}}, api.Error, "ImagePullBackOff"},
		{"the worker has no image", "", pipelines.StepKinds{HTTP: &pipelines.HTTP{URL: "http://" + up}}, api.Error, "--prober-image"},
	} {
		t.Run(p.reason, func(t *testing.T) {
			t.Parallel()
			q := jobAsked(c, p.reason, pipelines.Job{})
			q.Step.StepKinds = p.kinds
			aim := q.Step.Aim()
			aim.From = pipelines.FromCluster
			aim.Pod = &pipelines.ProbePod{Profile: pipelines.ProfileNode, NodeSelector: map[string]string{localtest.ProcessNode: "true"}}
			f := NewProbes(probe.New(clock.RealClock{}, nil), clock.RealClock{}, p.image)[q.Step.Kind()].Ask(t.Context(), q)
			if f.Verdict != p.want || !strings.Contains(f.Message, p.says) {
				t.Errorf("%s: %q; want %s: %q", f.Verdict, f.Message, p.want, p.says)
			}
			if p.want != api.Error && f.Seen["node"] != "probes-process" {
				t.Errorf("it was asked from %v", f.Seen)
			}
		})
	}
}

// unused is an address at which nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// nameless is a name server that knows no name.
func nameless(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buffer)
			var m dnsmessage.Message
			if err != nil || m.Unpack(buffer[:n]) != nil {
				return
			}
			m.Response, m.RCode, m.Additionals = true, dnsmessage.RCodeNameError, nil
			if text, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(text, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}
