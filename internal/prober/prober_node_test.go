package prober_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kuberuntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
)

// real is a cluster with an API server and a node that runs processes.
type real struct {
	t      *testing.T
	api    client.Client
	config *rest.Config
	heard  *site // what is said
}

// TestProbesOnANodeThatRunsThem asks an API server and a kubelet what the other tests only play.
func TestProbesOnANodeThatRunsThem(t *testing.T) {
	stack := localtest.Start(t, []string{"probes"}, 1)
	stack.NeedProgram(t, "fixture")
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: stack.Kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: "probes"},
	).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1 // as Sluice's own clients: the server is fair to all
	scheme := kuberuntime.NewScheme()
	for _, add := range []func(*kuberuntime.Scheme) error{probing.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c := &real{t: t, config: config, heard: &site{t: t}}
	if c.api, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	c.make(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	conf := metav1.ObjectMeta{Namespace: namespace, Name: "conf"}
	c.make(&corev1.ConfigMap{ObjectMeta: conf, Data: map[string]string{"mode": "quick"}})
	c.make(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "cert"}, Data: map[string][]byte{"token": []byte("secret")}})
	c.start()
	// The kinds are there once the prober has defined them.
	c.until("the kinds are not defined", func() bool { return c.api.List(t.Context(), &probing.ConfigList{}) == nil })
	before := c.grows()
	t.Run("definitions are upgraded", c.definitionsAreUpgraded)
	t.Run("how they end", c.howTheyEnd)
	grown := before()
	if t.Logf("the prober took %d MB more", grown>>20); grown > 64<<20 {
		t.Error("it takes memory for what programs print")
	}
	t.Run("a resident goes on without a gap", c.aResident)
	t.Run("what is executed never changes", c.nothingChanges)
}

func (c *real) start() {
	var handler http.Handler
	reports := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	c.t.Cleanup(reports.Close)
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("PROBER_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	p := prober.New(prober.Options{Say: c.heard.say, URL: reports.URL, Clock: clock.RealClock{}, Logger: logger})
	handler = p.Reports()
	k := &control.Keeper{Controllers: []control.Controller{p.Controller()}, Clock: clock.RealClock{}, Logger: logger}
	ctx, stop := context.WithCancel(context.Background())
	k.Want(ctx, []control.Cluster{{Name: "probes", Config: func() (*rest.Config, error) { return c.config, nil }}})
	c.t.Cleanup(func() { stop(); k.Wait() })
}

// grows begins to look how much memory this process has, and returns what says by how much it was more at most.
func (c *real) grows() (by func() uint64) {
	has := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	runtime.GC()
	first, most, done := has(), uint64(0), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				most = max(most, has())
			}
		}
	})
	return func() uint64 {
		close(done)
		all.Wait()
		return most - min(most, first)
	}
}

func (c *real) make(o client.Object) {
	c.t.Helper()
	if err := c.api.Create(c.t.Context(), o); err != nil {
		c.t.Fatal(err)
	}
}

func (c *real) until(what string, met func() bool) {
	c.t.Helper()
	for end := time.Now().Add(time.Minute); !met(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatal(what)
		}
	}
}

// probe writes a case whose program is a script.
func (c *real) probe(name, script string, change ...func(*probing.Config)) *probing.Config {
	p := &probing.Config{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: probing.ConfigSpec{
			Probe: "script", Version: "v1", Timeout: metav1.Duration{Duration: 20 * time.Second},
			Freshness: metav1.Duration{Duration: 15 * time.Minute},
			Pod: probing.PodSpec{
				Image: "sluice.local/fixture:1", Command: []string{"/bin/sh", "-c", script}, Profile: "node",
				NodeSelector: map[string]string{localtest.ProcessNode: "true"},
			},
		},
	}
	for _, f := range change {
		f(p)
	}
	c.make(p)
	return p
}

// report is a line of a script that reports as any program does.
func report(body string) string {
	return `curl -sS -f -X POST -H "kh-run-uuid: $KH_RUN_UUID" -H "Content-Type: application/json" -d '` + body + `' "$KH_REPORTING_URL"`
}

func (c *real) howTheyEnd(t *testing.T) {
	for _, p := range []struct {
		reason, script string
		change         func(*probing.Config)
		verdict        api.Verdict
		code, says     string
	}{
		{"it reports that all is well", report(`{"OK": true, "Errors": []}`), nil, api.Passed, "", ""},
		{"it reports a fault, and ends well", report(`{"OK": false, "Errors": ["gone"]}`), nil, api.Failed, "", "gone"},
		{"it is a check of version 2", report(`{"OK": false, "Errors": ["gone"]}`), func(p *probing.Config) { p.Spec.Pod.Contract = probing.ContractV2 },
			api.Failed, "", "gone"},
		{"it knows what it is about", `[ "$SLUICE_PROBE" = knows ] && [ "$SLUICE_CLUSTER" = probes ] && [ "$PRICE" = '$''(KH_RUN_UUID)' ]`,
			func(p *probing.Config) {
				p.Name, p.Spec.Pod.Env = "knows", []probing.Variable{{Name: "PRICE", Value: "$(KH_RUN_UUID)"}}
			}, api.Passed, "", ""},
		{"it is told of its pod, and reads what is mounted",
			`[ "$NODE_NAME" = "$NODE" ] && [ -n "$POD_IP" ] && [ "$POD_NAMESPACE" = "$KH_POD_NAMESPACE" ] &&
			[ "$(cat "$VOLUMES/etc/probe/tls/token")" = secret ] && [ "$(cat "$VOLUMES/etc/probe/conf/mode")" = quick ]`,
			func(p *probing.Config) {
				p.Spec.Pod.Env = []probing.Variable{
					{Name: "NODE_NAME", Field: "spec.nodeName"}, {Name: "POD_IP", Field: "status.podIP"}, {Name: "POD_NAMESPACE", Field: "metadata.namespace"},
					{Name: "NODE", Value: c.processNode()},
				}
				p.Spec.Pod.Mounts = []probing.Mount{{Secret: "cert", At: "/etc/probe/tls"}, {ConfigMap: "conf", At: "/etc/probe/conf"}}
			}, api.Passed, "", ""},
		{"it fails by its exit status", "echo looking; exit 3", nil, api.Failed, "ExitStatus", "exit status 3: looking"},
		{"it never ends, and forks", "sleep 300 & sleep 300 & wait", func(p *probing.Config) { p.Spec.Timeout.Duration = 2 * time.Second },
			api.Failed, "Timeout", "within 2s"},
		{"its image is not there", "exit 0", func(p *probing.Config) { p.Spec.Pod.Image = "sluice.local/none:1" }, api.Error, "ImagePullBackOff", ""},
		{"no API server takes its pod", "exit 0", func(p *probing.Config) { p.Spec.Pod.NodeSelector = map[string]string{"a": "not so!"} },
			api.Error, "PodRefused", "not so!"},
		{"it prints a gigabyte, and says as much at last", `lots() { head -c 1000000000 /dev/zero | tr '\0' x; }
			lots & lots > "$TERMINATION_LOG"; wait; exit 3`, nil, api.Failed, "ExitStatus", "exit status 3: xxxx"},
		{"it reports a gigabyte", `{ printf '{"OK": false, "Errors": ["'; head -c 1000000000 /dev/zero | tr '\0' x; } |
			curl -sS -o /dev/null -X POST -H "kh-run-uuid: $KH_RUN_UUID" -H "Content-Type: application/json" -T - "$KH_REPORTING_URL"; exit 1`,
			nil, api.Failed, "", ""},
		{"ten megabytes of errors", `{ printf '{"OK": false, "Errors": ["'; head -c 10000000 /dev/zero | tr '\0' x; printf '"]}'; } > "/tmp/$KH_RUN_UUID"
			curl -sS -o /dev/null -X POST -H "kh-run-uuid: $KH_RUN_UUID" -H "Content-Type: application/json" --data-binary "@/tmp/$KH_RUN_UUID" "$KH_REPORTING_URL"
			rm "/tmp/$KH_RUN_UUID"; exit 1`, nil, api.Failed, "", ""},
	} {
		t.Run(p.reason, func(t *testing.T) {
			t.Parallel()
			name := strings.ToLower(strings.NewReplacer(" ", "-", ",", "").Replace(p.reason))
			made := c.probe(name, p.script, func(k *probing.Config) {
				k.Annotations = map[string]string{probing.AnnotationRunNow: "1"}
				if p.change != nil {
					p.change(k)
				}
			})
			cause := probing.Cause{Kind: probing.ByHand, Key: "1"}
			r := &probing.Run{}
			r.Namespace, r.Name = namespace, probing.RunName(made.Name, "", cause)
			c.until(p.reason+": it is not over", func() bool {
				return c.api.Get(t.Context(), client.ObjectKeyFromObject(r), r) == nil && r.Status.Told
			})
			got := r.Status.Result
			if got.Verdict != p.verdict || got.Code != p.code || !strings.Contains(got.Message, p.says) {
				t.Errorf("%s %s: %.200q; want %s %s: %q", got.Verdict, got.Code, got.Message, p.verdict, p.code, p.says)
			}
			if body, err := json.Marshal(r); err != nil || len(body) > 100<<10 {
				t.Errorf("its ProbeRun has %d bytes, %v", len(body), err)
			}
		})
	}
}

// processNode is the name of the node that runs processes.
func (c *real) processNode() string {
	all := &corev1.NodeList{}
	if err := c.api.List(c.t.Context(), all, client.MatchingLabels{localtest.ProcessNode: "true"}); err != nil || len(all.Items) != 1 {
		c.t.Fatalf("%d nodes run processes, %v", len(all.Items), err)
	}
	return all.Items[0].Name
}

// aResident has a resident's case change, and its pod be taken away, while it reports.
func (c *real) aResident(t *testing.T) {
	script := "n=0; while true; do n=$((n+1)); " + report(`{"OK": true, "Errors": []}`) + " > /dev/null; sleep 0.2; done"
	made := c.probe("resident", script, func(p *probing.Config) {
		p.Spec.Mode, p.Spec.Schedule.Every.Duration = probing.Resident, time.Second
	})
	running := func() (all []probing.Run) {
		list := &probing.RunList{}
		if err := c.api.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		for _, r := range list.Items {
			if r.Spec.Case == "resident" && r.Status.Phase == probing.RunRunning && r.Status.Pod != "" {
				all = append(all, r)
			}
		}
		return all
	}
	passes := func() bool { return c.heard.stand("resident", "").State == probing.Passing }
	c.until("it does not report", func() bool { return len(running()) == 1 && passes() })
	first := running()[0]
	for try := 0; ; try++ {
		if err := c.api.Get(t.Context(), client.ObjectKeyFromObject(made), made); err != nil {
			t.Fatal(err)
		}
		made.Spec.Version, made.Spec.Pod.Env = "v2", []probing.Variable{{Name: "A", Value: "b"}}
		err := c.api.Update(t.Context(), made)
		if err == nil {
			break
		}
		if try == 5 {
			t.Fatal(err)
		}
	}
	most := 0
	c.until("the next one does not take its place", func() bool {
		all := running()
		most = max(most, len(all))
		if len(all) == 0 {
			t.Error("there is a gap")
		}
		return len(all) == 1 && all[0].UID != first.UID
	})
	if most != 2 {
		t.Errorf("%d ran at a time, and there was to be no gap", most)
	}
	second := running()[0]
	p := &corev1.Pod{}
	p.Namespace, p.Name = namespace, second.Status.Pod
	if err := c.api.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	c.until("nobody takes the place of what was taken away", func() bool {
		all := running()
		return len(all) == 1 && all[0].UID != second.UID
	})
}

func (c *real) nothingChanges(t *testing.T) {
	all := &probing.RunList{}
	if err := c.api.List(t.Context(), all, client.InNamespace(namespace)); err != nil || len(all.Items) == 0 {
		t.Fatalf("%d runs, %v", len(all.Items), err)
	}
	r := &all.Items[0]
	r.Spec.Cause.Key = "another"
	if err := c.api.Update(t.Context(), r); err == nil || !strings.Contains(err.Error(), "what is executed never changes") {
		t.Errorf("it is changed: %v", err)
	}
}
