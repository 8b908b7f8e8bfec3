package prober_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/kubetest"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
)

const namespace = "sluice-probes"

type object = map[string]any

// site is a cluster in memory with a prober that serves it.
type site struct {
	*kubetest.Server
	t       *testing.T
	prober  *prober.Prober
	reports *httptest.Server
	stop    func()

	mu     sync.Mutex
	said   []probing.Said
	before func(kubetest.Write) int
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{Server: kubetest.New(t), t: t}
	s.Before = func(w kubetest.Write) int {
		s.mu.Lock()
		before := s.before
		s.mu.Unlock()
		if before == nil || ofSignal(w) {
			return 0
		}
		return before(w)
	}
	for _, name := range []string{namespace, "kube-system"} {
		s.put(&corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	return s
}

// start starts a prober, as a process of its own.
func (s *site) start(change ...func(*prober.Options)) {
	s.t.Helper()
	var handler http.Handler
	s.reports = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("PROBER_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	o := prober.Options{Settles: time.Nanosecond, Say: s.say, URL: s.reports.URL, Clock: clock.RealClock{}, Logger: logger}
	for _, c := range change {
		c(&o)
	}
	s.prober = prober.New(o)
	handler = s.prober.Reports()
	k := &control.Keeper{Controllers: []control.Controller{s.prober.Controller()}, Clock: clock.RealClock{}, Logger: logger}
	ctx, stop := context.WithCancel(context.Background())
	k.Want(ctx, []control.Cluster{{Name: "eu-1", Config: func() (*rest.Config, error) { return s.config(), nil }}})
	s.stop = sync.OnceFunc(func() {
		stop()
		k.Wait()
		s.reports.Close()
	})
	s.t.Cleanup(s.stop)
}

// ofSignal reports whether a write is of what the cluster says of itself, which comes by a clock of its own.
func ofSignal(w kubetest.Write) bool { return strings.HasPrefix(w.Object, probing.KindSignal+"/") }

// Writes are those since it was asked last, without those of signals.
func (s *site) Writes() []kubetest.Write { return slices.DeleteFunc(s.Server.Writes(), ofSignal) }

// setBefore has every write be refused for which it returns a status.
func (s *site) setBefore(before func(kubetest.Write) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

func (s *site) say(_ context.Context, said probing.Said) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, said)
	return nil
}

// outcomes are those that were said, each once.
func (s *site) outcomes() (all []probing.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	for _, one := range s.said {
		for _, o := range one.Outcomes {
			if !seen[o.ID] {
				seen[o.ID] = true
				all = append(all, o)
			}
		}
	}
	return all
}

// stand is the last one that was said of a case and a target.
func (s *site) stand(probeCase, target string) (last probing.Stand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.said {
		for _, st := range one.Stands {
			if st.Case == probeCase && st.Target == target {
				last = st
			}
		}
	}
	return last
}

func (s *site) put(o runtime.Object) {
	s.t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		s.t.Fatal(err)
	}
	delete(content, "status")
	s.Put(&unstructured.Unstructured{Object: content})
}

// probe is a case as it is written; it changes what it is given.
func (s *site) probe(name string, change ...func(*probing.Config)) {
	s.t.Helper()
	c := &probing.Config{
		TypeMeta:   metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindConfig},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: probing.ConfigSpec{
			Probe: name, Version: "v1", Severity: "P2", Pod: probing.PodSpec{Image: "registry.example/probes:1"},
			Timeout: metav1.Duration{Duration: 30 * time.Second}, Freshness: metav1.Duration{Duration: 15 * time.Minute},
		},
	}
	for _, f := range change {
		f(c)
	}
	s.put(c)
}

// run writes a run by hand.
func (s *site) run(probeCase, target, key string) *probing.Run {
	s.t.Helper()
	cause := probing.Cause{Kind: probing.ByHand, Key: key}
	r := &probing.Run{
		TypeMeta:   metav1.TypeMeta{APIVersion: probing.GroupVersion.String(), Kind: probing.KindRun},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: probing.RunName(probeCase, target, cause)},
		Spec:       probing.RunSpec{Case: probeCase, Target: target, Cause: cause},
	}
	s.put(r)
	return r
}

func read[T any](s *site, kind string) (all []T) {
	s.t.Helper()
	for _, o := range s.All(kind) {
		one := new(T)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, one); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, *one)
	}
	return all
}

func (s *site) runs() []probing.Run       { return read[probing.Run](s, probing.KindRun) }
func (s *site) configs() []probing.Config { return read[probing.Config](s, probing.KindConfig) }
func (s *site) pods() []corev1.Pod        { return read[corev1.Pod](s, "Pod") }

// done waits for a run to be over, and told.
func (s *site) done(of *probing.Run) (r probing.Run) {
	s.t.Helper()
	s.until("run "+of.Name+" is not over", func() bool {
		for _, one := range s.runs() {
			if one.Name == of.Name && one.Status.Phase == probing.RunDone && one.Status.Told {
				r = one
				return true
			}
		}
		return false
	})
	return r
}

func (s *site) until(what string, met func() bool) {
	s.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			runs, _ := json.MarshalIndent(s.runs(), "", " ")
			s.t.Fatalf("%s\n%s", what, runs)
		}
	}
}

// becomes gives a pod another status.
func (s *site) becomes(p corev1.Pod, status object) {
	s.t.Helper()
	live := s.Object(&unstructured.Unstructured{Object: object{
		"apiVersion": "v1", "kind": "Pod", "metadata": object{"namespace": p.Namespace, "name": p.Name},
	}})
	if live == nil {
		s.t.Fatalf("there is no pod %s", p.Name)
	}
	live.Object["status"] = status
	s.Put(live)
}

func state(phase, kind string, fields object) object {
	return object{"phase": phase, "containerStatuses": []any{object{"name": "main", "state": object{kind: fields}}}}
}

func running() object {
	return state("Running", "running", object{"startedAt": time.Now().UTC().Format(time.RFC3339)})
}

func exits(code int64, message string) object {
	phase, at := "Succeeded", time.Now().UTC().Format(time.RFC3339)
	if code != 0 {
		phase = "Failed"
	}
	return state(phase, "terminated", object{"exitCode": code, "message": message, "startedAt": at, "finishedAt": at})
}

// env is a variable of a pod.
func env(p corev1.Pod, name string) string {
	i := slices.IndexFunc(p.Spec.Containers[0].Env, func(v corev1.EnvVar) bool { return v.Name == name })
	if i < 0 {
		return ""
	}
	return p.Spec.Containers[0].Env[i].Value
}

// report reports as the program of a pod does.
func (s *site) report(p corev1.Pod, body string) int {
	s.t.Helper()
	return s.reportAs(env(p, "KH_RUN_UUID"), s.reports.URL+strings.TrimPrefix(env(p, "KH_REPORTING_URL"), s.urlOf(p)), body)
}

func (s *site) urlOf(p corev1.Pod) string {
	url := env(p, "KH_REPORTING_URL")
	return url[:strings.LastIndex(url, "/")]
}

func (s *site) reportAs(uuid, url, body string) int {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("kh-run-uuid", uuid)
	q.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, a.Body)
	_ = a.Body.Close()
	return a.StatusCode
}

// config has clients speak JSON, which is all that the cluster understands.
func (s *site) config() *rest.Config {
	c := s.Config()
	c.ContentType, c.QPS = runtime.ContentTypeJSON, -1 // Sluice asks as fast as it may: the server is fair to all
	return c
}
func (s *site) node(name string, ready bool) {
	status := "False"
	if ready {
		status = "True"
	}
	s.Put(&unstructured.Unstructured{Object: object{
		"apiVersion": "v1", "kind": "Node", "metadata": object{"name": name, "labels": object{"kubernetes.io/hostname": name}},
		"status": object{"conditions": []any{object{"type": "Ready", "status": status, "reason": "Kubelet", "message": fmt.Sprintf("said of %s", name)}}},
	}})
}
