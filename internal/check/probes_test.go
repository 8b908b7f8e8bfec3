package check

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/pipelines"
)

// portKey is the annotation that has the port of the pods of these tests, which all live at one address.
const portKey = "test.sluice.dev/port"

// aPod is a pod that is ready at an address.
func aPod(name, address string, change ...func(*corev1.Pod)) *corev1.Pod {
	host, port, _ := net.SplitHostPort(address)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{portKey: port}},
		Spec:       corev1.PodSpec{NodeName: "node-" + name},
		Status: corev1.PodStatus{
			PodIP: host, HostIP: host, Phase: corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func notReady(p *corev1.Pod) { p.Status.Conditions = nil }

func placed(pods Pods) *Place {
	return &Place{Cluster: "c1", Pods: func(context.Context) (Pods, error) { return pods, nil }}
}

func asked(t *testing.T, q Question) Finding {
	t.Helper()
	sources := NewProbes(probe.New(clock.RealClock{}, nil), clock.RealClock{}, "")
	return sources[q.Step.Kind()].Ask(t.Context(), q)
}

// alike reports whether a message is as wanted, however long something took.
func alike(message, want string) bool {
	before, after, _ := strings.Cut(want, "MS")
	return strings.HasPrefix(message, before) && strings.HasSuffix(message, after)
}

func serving(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TestWhatAnotherHostAnswersIsNoAnswerOfAPod: a pod that sends everybody on to where the old version answers has not answered itself.
func TestWhatAnotherHostAnswersIsNoAnswerOfAPod(t *testing.T) {
	t.Parallel()
	old := serving(t, 200, "ok")
	server := httptest.NewServer(http.RedirectHandler("http://"+old+"/", http.StatusFound))
	t.Cleanup(server.Close)
	step := pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{HTTP: &pipelines.HTTP{
		ProbeAim: pipelines.ProbeAim{Target: pipelines.NewPods, Port: portKey}, Redirects: "Any",
	}}}
	pods := Pods{New: []*corev1.Pod{aPod("a", server.Listener.Addr().String())}}
	if f := asked(t, Question{Step: step, Point: pipelines.AfterBatch, Place: placed(pods)}); f.Verdict != api.Failed || !strings.Contains(f.Message, "not followed") {
		t.Errorf("got %s: %s", f.Verdict, f.Message)
	}
}

func TestAProbeIsAimedAtWhatTheBatchMade(t *testing.T) {
	t.Parallel()
	good, bad := serving(t, 200, "ok"), serving(t, 500, "broken")
	aim := pipelines.ProbeAim{Target: pipelines.NewPods, Port: portKey, Within: new(pipelines.Duration(time.Second))}
	atNodes := pipelines.ProbeAim{Target: pipelines.NewNodes, Port: portKey}
	leaving := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Now()} }
	onNode := func(name string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.NodeName = name } }
	for _, c := range []struct {
		reason  string
		aim     pipelines.ProbeAim
		pods    Pods
		point   pipelines.Point
		want    api.Verdict
		message string
		seen    map[string]any
		again   bool
	}{
		{"every new pod answers, an old one need not", aim, Pods{New: []*corev1.Pod{aPod("a", good), aPod("b", good)}, Old: []*corev1.Pod{aPod("c", bad)}},
			pipelines.AfterBatch, api.Passed, "all 2 answered as they are to, within ", map[string]any{"asked": int64(2), "targets": int64(2), "notPassed": int64(0)}, false},
		{"each that does not answer is named", aim, Pods{New: []*corev1.Pod{aPod("b", bad), aPod("a", good), aPod("c", bad)}}, pipelines.AfterBatch,
			api.Failed, "2 of 3 did not pass: b: status 500; c: status 500",
			map[string]any{"asked": int64(3), "targets": int64(3), "notPassed": int64(2), "who": []string{"b", "c"}}, false},
		{"those that are going, have ended or are not ready are not asked", aim, Pods{New: []*corev1.Pod{
			aPod("a", good), aPod("b", good), aPod("c", bad, leaving), aPod("d", bad, notReady),
			aPod("e", bad, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }),
		}}, pipelines.AfterBatch, api.Passed, "all 2 answered as they are to, within MS; 1 pods are not ready, and were not asked",
			map[string]any{"asked": int64(2), "targets": int64(2), "notPassed": int64(0), "notReady": int64(1)}, false},
		{"a node is asked once", atNodes, Pods{New: []*corev1.Pod{aPod("a", bad, onNode("n1")), aPod("b", bad, onNode("n1")), aPod("c", good, onNode("n2"))}},
			pipelines.AfterBatch, api.Failed, "1 of 2 did not pass: n1: status 500",
			map[string]any{"asked": int64(2), "targets": int64(2), "notPassed": int64(1), "who": []string{"n1"}}, false},
		{"nobody is there", aim, Pods{}, pipelines.AfterBatch, api.Inconclusive, "there is no pod of the new revision", nil, false},
		{"nobody is ready", aim, Pods{New: []*corev1.Pod{aPod("a", good, notReady)}}, pipelines.AfterBatch, api.Inconclusive,
			"none of the 1 pods of the new revision is ready", nil, false},
		{"in the background they are waited for", aim, Pods{New: []*corev1.Pod{aPod("a", good, notReady)}}, pipelines.During, api.Inconclusive,
			"none of the 1 pods of the new revision is ready", nil, true},
		{"a port that is none", aim, Pods{New: []*corev1.Pod{aPod("a", "127.0.0.1:none")}}, pipelines.AfterBatch, api.Error,
			`annotation test.sluice.dev/port of pod a is no port: "none"`, nil, false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			step := pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{HTTP: &pipelines.HTTP{ProbeAim: c.aim}}}
			got := asked(t, Question{Step: step, Point: c.point, Place: placed(c.pods)})
			delete(got.Seen, "millis")
			if got.Verdict != c.want || !alike(got.Message, c.message) || got.Again.IsZero() == c.again {
				t.Errorf("got %s: %s, again at %s", got.Verdict, got.Message, got.Again)
			}
			if diff := cmp.Diff(c.seen, got.Seen); diff != "" {
				t.Errorf("seen (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAWayThatIsBrokenIsNoFailureOfTheChange: that nobody answers says nothing about the change where nobody of the old revision does.
func TestAWayThatIsBrokenIsNoFailureOfTheChange(t *testing.T) {
	late := probe.Result{Verdict: api.Failed, Layer: probe.Connect, Message: "no connection within 5s", Late: true}
	refused := probe.Result{Verdict: api.Failed, Layer: probe.Connect, Message: "connection refused"}
	answered := probe.Result{Verdict: api.Passed}
	fresh := []*corev1.Pod{aPod("new-1", "10.0.0.1:80"), aPod("new-2", "10.0.0.2:80")}
	old := []*corev1.Pod{aPod("old-1", "10.0.1.1:80"), aPod("old-2", "10.0.1.2:80"), aPod("old-3", "10.0.1.3:80"), aPod("old-4", "10.0.1.4:80")}
	for _, c := range []struct {
		reason  string
		old     []*corev1.Pod
		results map[string]probe.Result // by name of the endpoint
		want    api.Verdict
		message string
		asked   int
	}{
		{"the old ones answer: it is the change", old, map[string]probe.Result{"new-1": late, "new-2": late, "old-1": late, "old-2": answered, "old-3": late},
			api.Failed, "2 of 2 did not pass", 5},
		{"the old ones refuse: the way is there", old, map[string]probe.Result{"new-1": late, "new-2": late, "old-1": refused, "old-2": refused, "old-3": refused},
			api.Failed, "2 of 2 did not pass", 5},
		{"nor do the old ones: the way is broken", old, map[string]probe.Result{"new-1": late, "new-2": late, "old-1": late, "old-2": late, "old-3": late},
			api.Error, "the worker has no way there: 2 of 2", 5},
		{"there are no old ones: it cannot be told", nil, map[string]probe.Result{"new-1": late, "new-2": late}, api.Inconclusive, "none of the old revision", 2},
		{"one of the new ones refuses: the way is there", old, map[string]probe.Result{"new-1": late, "new-2": refused}, api.Failed, "2 of 2 did not pass", 2},
		{"one of the new ones answers", old, map[string]probe.Result{"new-1": late, "new-2": answered}, api.Failed, "1 of 2 did not pass: new-1", 2},
	} {
		t.Run(c.reason, func(t *testing.T) {
			p := &Probes{here: "the worker"}
			names := make(chan string, 10)
			q := Question{Point: pipelines.AfterBatch, Place: placed(Pods{New: fresh, Old: c.old})}
			aim := pipelines.ProbeAim{Target: pipelines.NewPods, Port: "80"}
			q.targets, _ = targetsOf(t.Context(), q, aim, testingclock.NewFakePassiveClock(time.Now()))
			got := p.ask(t.Context(), q, aim, endpoint{}, func(_ context.Context, e endpoint) probe.Result {
				names <- e.Name
				return c.results[e.Name]
			})
			if got.Verdict != c.want || !strings.Contains(got.Message, c.message) || len(names) != c.asked {
				t.Errorf("got %s after %d questions: %s", got.Verdict, len(names), got.Message)
			}
		})
	}
}

func TestPortsOfTargets(t *testing.T) {
	p := aPod("a", "10.0.0.1:80")
	p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9090, HostPort: 19090}, {Name: "inner", ContainerPort: 7000}}}}
	own := p.DeepCopy()
	own.Spec.HostNetwork = true
	for _, c := range []struct {
		reason string
		pod    *corev1.Pod
		port   string
		ofNode bool
		want   string
	}{
		{"a number", p, "8080", false, "8080"},
		{"a name", p, "metrics", false, "9090"},
		{"a name, at the node", p, "metrics", true, "19090"},
		{"a name, where the pod has its node's network", own, "inner", true, "7000"},
		{"an annotation", p, portKey, false, "80"},
		{"a name that no container has", p, "web", false, "pod a has no port of the name web"},
		{"a port that the node does not hand over", p, "inner", true, "port inner of pod a is none of its node"},
		{"no such annotation", p, "a.test/port", false, `annotation a.test/port of pod a is no port: ""`},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got, err := portOf(c.pod, c.port, c.ofNode)
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAtMostSoManyTargetsAreAskedTheYoungest(t *testing.T) {
	var pods []*corev1.Pod
	for i := range maxTargets + 10 {
		pods = append(pods, aPod(fmt.Sprintf("p-%03d", i), "10.0.0.1:80", func(p *corev1.Pod) {
			p.CreationTimestamp = metav1.NewTime(time.Unix(int64(i), 0))
		}))
	}
	r, err := endpoints(pods, pipelines.ProbeAim{Target: pipelines.NewPods, Port: "80"}, maxTargets)
	all := r.all
	if err != nil || len(all) != maxTargets || all[0].Name != "p-010" || all[maxTargets-1].Name != "p-509" {
		t.Errorf("%d of %d are asked, from %s: %v", len(all), r.there, all[0].Name, err)
	}
}

// TestAVerdictAboutAPartSaysSo: that all of so many answered is not that all did.
func TestAVerdictAboutAPartSaysSo(t *testing.T) {
	t.Parallel()
	good, bad := serving(t, 200, "ok"), serving(t, 500, "broken")
	for _, c := range []struct {
		reason  string
		aim     pipelines.ProbeAim
		address string
		pods    int
		want    string
	}{
		{"all of them", pipelines.ProbeAim{Target: pipelines.NewPods}, good, maxTargets, "all 500 answered as they are to, within MS"},
		{"a part of the pods", pipelines.ProbeAim{Target: pipelines.NewPods}, good, maxTargets + 10,
			"aimed at 500 of 510 pods, the youngest: all 500 answered as they are to, within MS"},
		{"a part of the nodes", pipelines.ProbeAim{Target: pipelines.NewNodes}, good, maxTargets + 10,
			"aimed at 500 of 510 nodes, the youngest: all 500 answered as they are to, within MS"},
		{"and it is bad", pipelines.ProbeAim{Target: pipelines.NewPods}, bad, maxTargets + 10, "aimed at 500 of 510 pods, the youngest: MS more"},
		{"from inside", pipelines.ProbeAim{Target: pipelines.NewPods, From: pipelines.FromCluster}, good, maxTargets,
			"aimed at 200 of 500 pods, the youngest: MS--prober-image"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			var pods []*corev1.Pod
			for i := range c.pods {
				pods = append(pods, aPod(fmt.Sprint("p-", i), c.address))
			}
			c.aim.Port = portKey
			step := pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{HTTP: &pipelines.HTTP{ProbeAim: c.aim}}}
			if got := asked(t, Question{Step: step, Point: pipelines.AfterBatch, Place: placed(Pods{New: pods})}); !alike(got.Message, c.want) {
				t.Errorf("got %s: %s", got.Verdict, got.Message)
			}
		})
	}
}

func TestAnswersByHTTPThatAreJudged(t *testing.T) {
	t.Parallel()
	where := serving(t, 200, `{"status": "ok", "ready": true, "checks": [{"lag": 3}], "a/b": null}`)
	plain := serving(t, 200, "ok")
	pointer := func(p string, v any) []pipelines.JSONValue { return []pipelines.JSONValue{{Pointer: p, Equals: v}} }
	for _, c := range []struct {
		reason  string
		ask     pipelines.HTTP
		want    api.Verdict
		message string
	}{
		{"what is asked for is there", pipelines.HTTP{URL: "http://" + where, Expect: &pipelines.HTTPExpect{
			Status: []pipelines.IntOrText{"2xx"}, Match: "status", Avoid: "panic", Headers: map[string]string{"Content-Type": "^text/"},
			JSON: []pipelines.JSONValue{{Pointer: "/status", Equals: "ok"}, {Pointer: "/ready", Equals: true}, {Pointer: "/checks/0/lag", Equals: int64(3)}},
		}}, api.Passed, ""},
		{"another value", pipelines.HTTP{URL: "http://" + where, Expect: &pipelines.HTTPExpect{JSON: pointer("/status", "up")}},
			api.Failed, "/status of the body is not up"},
		{"a value of another type", pipelines.HTTP{URL: "http://" + where, Expect: &pipelines.HTTPExpect{JSON: pointer("/ready", "true")}},
			api.Failed, "/ready of the body is not true"},
		{"nothing there", pipelines.HTTP{URL: "http://" + where, Expect: &pipelines.HTTPExpect{JSON: pointer("/checks/1/lag", 3.0)}},
			api.Failed, "the body has no /checks/1/lag"},
		{"more than a value there", pipelines.HTTP{URL: "http://" + where, Expect: &pipelines.HTTPExpect{JSON: pointer("/checks", "")}},
			api.Failed, "the body has no /checks"},
		{"null is no value", pipelines.HTTP{URL: "http://" + where, Expect: &pipelines.HTTPExpect{JSON: pointer("/a~1b", "")}},
			api.Failed, "/a~1b of the body is not "},
		{"no JSON", pipelines.HTTP{URL: "http://" + plain, Expect: &pipelines.HTTPExpect{JSON: pointer("/status", "ok")}},
			api.Failed, "the body is no JSON"},
		{"a pattern that was made none by what stands for a name", pipelines.HTTP{URL: "http://" + plain, Expect: &pipelines.HTTPExpect{Match: "("}},
			api.Error, "match: "},
		{"a status that was made none", pipelines.HTTP{URL: "http://" + plain, Expect: &pipelines.HTTPExpect{Status: []pipelines.IntOrText{"x"}}},
			api.Error, `"x" is no status`},
		{"pods, and no cluster", pipelines.HTTP{ProbeAim: pipelines.ProbeAim{Target: pipelines.NewPods, Port: "80"}}, api.Error, "about no cluster"},
		{"every address of a name", pipelines.HTTP{URL: "http://" + plain, ProbeAim: pipelines.ProbeAim{EveryAddress: true}}, api.Passed, ""},
		{"a reserved address", pipelines.HTTP{URL: "http://169.254.169.254/latest"}, api.Error, "metadata"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got := asked(t, Question{Step: pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{HTTP: &c.ask}}})
			if got.Verdict != c.want || !strings.Contains(got.Message, c.message) || strings.Contains(got.Message, "lag\": 3") {
				t.Errorf("got %s: %s", got.Verdict, got.Message)
			}
			if got.Verdict == api.Passed && got.Results["millis"] == nil {
				t.Errorf("the results are %v", got.Results)
			}
		})
	}
}

func TestTCPAndDNSAreAsked(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	_ = l.Close()
	up := serving(t, 200, "ok")
	aim := pipelines.ProbeAim{Target: pipelines.NewPods, Port: portKey}
	place := placed(Pods{New: []*corev1.Pod{aPod("a", up), aPod("b", gone)}})
	for _, c := range []struct {
		reason  string
		kinds   pipelines.StepKinds
		want    api.Verdict
		message string
	}{
		{"a port", pipelines.StepKinds{TCP: &pipelines.TCP{Address: up, Send: "GET / HTTP/1.0\r\n\r\n", Expect: "^HTTP/1.0 200"}}, api.Passed, ""},
		{"a port of pods", pipelines.StepKinds{TCP: &pipelines.TCP{ProbeAim: aim}}, api.Failed, "1 of 2 did not pass: b: cannot connect to " + gone},
		{"no TLS", pipelines.StepKinds{TCP: &pipelines.TCP{Address: up, TLS: &pipelines.ProbeTLS{InsecureBecause: "a test"}}}, api.Failed, "TLS handshake"},
		{"pods as name servers", pipelines.StepKinds{DNS: &pipelines.DNS{ProbeAim: aim, Name: "a.test"}}, api.Failed, "2 of 2 did not pass: a: cannot connect"},
		{"no name server", pipelines.StepKinds{DNS: &pipelines.DNS{Server: gone, Name: "a.test"}}, api.Failed, "cannot connect to " + gone},
		{"no certificate", pipelines.StepKinds{Certificate: &pipelines.Certificate{Address: up}}, api.Failed, "TLS handshake"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got := asked(t, Question{Step: pipelines.ResolvedStep{StepKinds: c.kinds}, Point: pipelines.AfterBatch, Place: place})
			if got.Verdict != c.want || !strings.Contains(got.Message, c.message) {
				t.Errorf("got %s: %s", got.Verdict, got.Message)
			}
		})
	}
}

// selfSigned is a certificate for a name that has signed itself, in PEM.
func selfSigned(t *testing.T, name string, lasts time.Duration) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lasts), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCertificatesThatTheClusterKeeps(t *testing.T) {
	t.Parallel()
	coded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	long, short := selfSigned(t, "hook.test", 100*day), selfSigned(t, "hook.test", 10*day)
	server := kubetest.New(t)
	secret := func(name string, data map[string]any) {
		server.Put(&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"namespace": "system", "name": name}, "data": data,
		}})
	}
	secret("good", map[string]any{"tls.crt": coded(long), "ca.crt": coded(long), "tls.key": coded("hidden")})
	secret("stranger", map[string]any{"tls.crt": coded(long), "ca.crt": coded(short)})
	secret("empty", map[string]any{"tls.key": coded("hidden")})
	secret("garbled", map[string]any{"tls.crt": "%"})
	hooks := func(name string, all ...map[string]any) {
		var list []any
		for i, config := range all {
			list = append(list, map[string]any{"name": fmt.Sprintf("hook-%d", i+1), "clientConfig": config})
		}
		server.Put(&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
			"metadata": map[string]any{"name": name}, "webhooks": list,
		}})
	}
	at := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(at.Close)
	shown := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: at.Certificate().Raw})) // until 2084
	gone := httptest.NewTLSServer(http.NotFoundHandler())
	gone.Close()
	hooks("good", map[string]any{"caBundle": coded(long)}, map[string]any{"url": at.URL, "caBundle": coded(shown)})
	hooks("short", map[string]any{"caBundle": coded(long)}, map[string]any{"caBundle": coded(short)})
	hooks("none", map[string]any{"service": map[string]any{"name": "a"}})
	hooks("public", map[string]any{"url": at.URL})
	hooks("strange", map[string]any{"url": at.URL, "caBundle": coded(long)})
	hooks("garbled", map[string]any{"url": at.URL, "caBundle": "%"})
	hooks("elsewhere", map[string]any{"caBundle": coded(long)}, map[string]any{"url": gone.URL, "caBundle": coded(shown)})
	hooks("metadata", map[string]any{"url": "https://169.254.169.254/validate"})
	hooks("nowhere", map[string]any{"url": "https://"})
	ofSecret := func(name string, days int, names ...string) *pipelines.Certificate {
		return &pipelines.Certificate{Secret: &pipelines.SecretRef{Namespace: "system", Name: name}, MinDays: days, Names: names}
	}
	ofHook := func(name string, days int) *pipelines.Certificate {
		return &pipelines.Certificate{Webhook: &pipelines.WebhookRef{Kind: "ValidatingWebhookConfiguration", Name: name}, MinDays: days}
	}
	place := &Place{Cluster: "c1", API: server.Cluster()}
	for _, c := range []struct {
		reason  string
		ask     *pipelines.Certificate
		want    api.Verdict
		message string
	}{
		{"valid for long enough", ofSecret("good", 30, "hook.test"), api.Passed, ""},
		{"not for long enough", ofSecret("good", 200), api.Failed, "tls.crt of Secret system/good: CN=hook.test expires on"},
		{"for another name", ofSecret("good", 0, "down.test"), api.Failed, "not down.test"},
		{"for clients", &pipelines.Certificate{Secret: ofSecret("good", 0).Secret, Usage: "Client"}, api.Failed, "incompatible key usage"},
		{"of another authority", ofSecret("stranger", 0), api.Failed, "unknown authority"},
		{"no certificate in it", ofSecret("empty", 0), api.Failed, "there is no tls.crt"},
		{"garbled", ofSecret("garbled", 0), api.Failed, "tls.crt is no base64"},
		{"no such Secret", ofSecret("gone", 0), api.Failed, "there is no Secret gone"},
		{"authorities of webhooks", ofHook("good", 30), api.Passed, ""},
		{"one of them ends too soon", ofHook("short", 30), api.Failed, "1 of 2 did not pass: hook-2: CN=hook.test expires on"},
		{"a webhook without", ofHook("none", 0), api.Failed, "there is no caBundle"},
		{"one at a URL, by the authorities of this machine", ofHook("public", 0), api.Failed, "unknown authority"},
		{"one at a URL, by others", ofHook("strange", 0), api.Failed, "unknown authority"},
		{"one at a URL that ends too soon", &pipelines.Certificate{Webhook: ofHook("good", 0).Webhook, MinDays: 90 * 365}, api.Failed,
			"2 of 2 did not pass: hook-1: CN=hook.test expires on"},
		{"one at a URL with a bundle that is none", ofHook("garbled", 0), api.Failed, "caBundle is no base64"},
		{"one at a URL that cannot be reached from here", ofHook("elsewhere", 0), api.Inconclusive,
			"1 of 2 did not pass: hook-2: its certificate was not seen: cannot connect to"},
		{"one at a URL that is not asked", ofHook("metadata", 0), api.Error, "metadata service"},
		{"one at a URL that is none", ofHook("nowhere", 0), api.Error, "no host:port"},
		{"no such configuration", ofHook("gone", 0), api.Failed, "there is no ValidatingWebhookConfiguration gone"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got := asked(t, Question{Step: pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{Certificate: c.ask}}, Place: place})
			if got.Verdict != c.want || !strings.Contains(got.Message, c.message) || strings.Contains(got.Message, "hidden") {
				t.Errorf("got %s: %s", got.Verdict, got.Message)
			}
		})
	}
}

func TestAClusterThatDoesNotAnswerIsAnError(t *testing.T) {
	place := &Place{Pods: func(context.Context) (Pods, error) {
		return Pods{}, errors.New("cannot list pods: cluster c1 is unreachable")
	}}
	step := pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{TCP: &pipelines.TCP{ProbeAim: pipelines.ProbeAim{Target: pipelines.NewPods, Port: "80"}}}}
	if got := asked(t, Question{Step: step, Place: place}); got.Verdict != api.Error || !strings.Contains(got.Message, "unreachable") {
		t.Errorf("got %s: %s", got.Verdict, got.Message)
	}
}

func TestEachAddressIsAskedForTheNameThatWasGiven(t *testing.T) {
	ask := probe.HTTP{URL: "https://a.test:8443/x?y=1", Headers: map[string]string{"X-Ask": "yes"}}
	to, err := url.Parse(ask.URL)
	if err != nil {
		t.Fatal(err)
	}
	got := aimed(ask, *to, endpoint{"2001:db8::1", "2001:db8::1", "8443"})
	if got.URL != "https://[2001:db8::1]:8443/x?y=1" || got.Headers["Host"] != "a.test:8443" || got.Headers["X-Ask"] != "yes" ||
		got.TLS.ServerName != "a.test" {
		t.Errorf("got %+v", got)
	}
	if len(ask.Headers) != 1 {
		t.Errorf("the step's own headers were changed: %v", ask.Headers)
	}
}
