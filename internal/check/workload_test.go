package check_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

// workloadBench is a cluster with a workload, and a clock.
type workloadBench struct {
	*logBench
	source  *check.Workload
	facts   rule.Facts
	objects []*unstructured.Unstructured
	broken  error
}

func newWorkloadBench(t *testing.T) *workloadBench {
	b := &workloadBench{logBench: newLogBench(t)}
	b.source = check.NewWorkload(b.clock, probe.New(b.clock, nil))
	b.facts.Workload = rule.Workload{Kind: "Deployment", Namespace: "default", Name: "agent"}
	b.place.Objects = func(context.Context) ([]*unstructured.Unstructured, error) { return b.objects, b.broken }
	return b
}

func (b *workloadBench) look(step *pipelines.Workload) check.Finding {
	b.t.Helper()
	f := b.source.Ask(b.t.Context(), check.Question{
		Step:  pipelines.ResolvedStep{Name: "w/s", StepKinds: pipelines.StepKinds{Workload: step}},
		Facts: b.facts, Place: b.place, Began: b.began, Kept: b.kept,
	})
	b.kept = f.Keep
	if len(f.Keep) > 16<<10 {
		b.t.Errorf("%d bytes are kept", len(f.Keep))
	}
	return f
}

// waits fails the test where a finding does not ask to be asked again.
func (b *workloadBench) waits(f check.Finding, says string) {
	b.t.Helper()
	b.wants(f, api.Inconclusive, says)
	if !f.Again.After(b.clock.Now()) {
		b.t.Errorf("it is asked again at %s", f.Again)
	}
}

// ready is a pod that is ready.
func ready(name string, restarts int32) *corev1.Pod {
	p := running(name, restarts)
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	return p
}

func unready(name string) *corev1.Pod {
	p := ready(name, 0)
	p.Status.Conditions[0].Status = corev1.ConditionFalse
	return p
}

func going(name string) *corev1.Pod {
	p := ready(name, 0)
	p.DeletionTimestamp = new(metav1.Now())
	return p
}

func waiting(name, reason string) *corev1.Pod {
	p := unready(name)
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
	return p
}

func TestWorkload(t *testing.T) {
	off, any, two := false, -1, 2
	deployment := func(fields string) []*unstructured.Unstructured {
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON([]byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"agent","generation":2},` + fields + `}`)); err != nil {
			t.Fatal(err)
		}
		return []*unstructured.Unstructured{o}
	}
	for _, c := range []struct {
		reason  string
		step    pipelines.Workload
		pods    []*corev1.Pod
		objects []*unstructured.Unstructured
		broken  error
		events  []rule.Event
		later   time.Duration // than when it was first measured
		want    api.Verdict
		again   bool
		says    string
	}{
		{reason: "all is well", pods: []*corev1.Pod{ready("a", 0), ready("b", 0)}, want: api.Passed, says: "2 pods of the new revision, 0 restarts"},
		{reason: "no pod yet", want: api.Inconclusive, again: true, says: "no pod of the new revision yet"},
		{reason: "no pod at all", later: time.Hour, want: api.Inconclusive, says: "no pod of the new revision"},
		{reason: "a pod that is not ready is waited for", pods: []*corev1.Pod{ready("a", 0), unready("b")}, want: api.Inconclusive, again: true, says: "default/b"},
		{reason: "pods that are all about to go are none", pods: []*corev1.Pod{going("a"), going("b")}, want: api.Inconclusive, again: true, says: "no pod of the new revision yet"},
		{reason: "and stay none", pods: []*corev1.Pod{going("a")}, later: time.Hour, want: api.Inconclusive, says: "no pod of the new revision"},
		{reason: "one that goes beside one that stays", pods: []*corev1.Pod{going("a"), ready("b", 0)}, want: api.Passed},
		{reason: "nobody asks whether it is", step: pipelines.Workload{Ready: &off}, pods: []*corev1.Pod{unready("b")}, want: api.Passed},
		{reason: "a restart", pods: []*corev1.Pod{ready("a", 1)}, want: api.Failed, says: "started again 1 times, 0 are borne: default/a 1x (main: ended, exit code 0)"},
		{reason: "as many as are borne", step: pipelines.Workload{MaxRestarts: &two}, pods: []*corev1.Pod{ready("a", 1), ready("b", 1)}, want: api.Passed},
		{reason: "over all pods", step: pipelines.Workload{MaxRestarts: &two}, pods: []*corev1.Pod{ready("a", 2), ready("b", 1)}, want: api.Failed, says: "3 times"},
		{reason: "any number", step: pipelines.Workload{MaxRestarts: &any}, pods: []*corev1.Pod{ready("a", 9)}, want: api.Passed},
		{reason: "a reason that does not pass", pods: []*corev1.Pod{waiting("a", "CrashLoopBackOff")}, want: api.Failed, says: "1 containers wait: CrashLoopBackOff in default/a/main"},
		{reason: "a reason that does", pods: []*corev1.Pod{waiting("a", "ContainerCreating")}, want: api.Inconclusive, again: true},
		{reason: "reasons of one's own", step: pipelines.Workload{WaitingReasons: []string{"PodInitializing"}}, pods: []*corev1.Pod{waiting("a", "PodInitializing")}, want: api.Failed},
		{reason: "a warning", step: pipelines.Workload{Events: []pipelines.EventLimit{{Reason: "BackOff", Max: 1}}}, pods: []*corev1.Pod{ready("a", 0)},
			events: []rule.Event{{Type: "Warning", Reason: "BackOff", Object: "Pod/a", Count: 2}}, want: api.Failed, says: "2 warnings BackOff, 1 are borne: Pod/a"},
		{reason: "another one", step: pipelines.Workload{Events: []pipelines.EventLimit{{Reason: "BackOff"}}}, pods: []*corev1.Pod{ready("a", 0)},
			events: []rule.Event{{Type: "Warning", Reason: "Unhealthy", Count: 2}}, want: api.Passed},
		{reason: "a workload that says it has failed", pods: []*corev1.Pod{ready("a", 0)}, objects: deployment(`"status":{"observedGeneration":2,` +
			`"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded"}]}`), want: api.Failed, says: "Deployment/agent has failed"},
		{reason: "one in the midst of a rollout", pods: []*corev1.Pod{ready("a", 0)}, objects: deployment(`"spec":{"replicas":5},"status":{"observedGeneration":2,"replicas":5}`),
			want: api.Passed},
		{reason: "one that its controller has not seen", pods: []*corev1.Pod{ready("a", 0)}, objects: deployment(`"status":{"observedGeneration":1}`),
			want: api.Inconclusive, again: true, says: "not been seen by its controller"},
		{reason: "and never sees", pods: []*corev1.Pod{ready("a", 0)}, objects: deployment(`"status":{"observedGeneration":1}`), later: time.Hour,
			want: api.Failed, says: "not been seen by its controller since it was changed, for 1h"},
		{reason: "a cluster that does not answer", pods: []*corev1.Pod{ready("a", 0)}, broken: errors.New("no route"), want: api.Error, says: "no route"},
		{reason: "what is wrong weighs more", pods: []*corev1.Pod{ready("a", 1)}, broken: errors.New("no route"), want: api.Failed},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newWorkloadBench(t)
			b.pods.New, b.objects, b.broken, b.facts.Workload.Events = c.pods, c.objects, c.broken, c.events
			b.clock.Step(c.later)
			f := b.look(&c.step)
			b.wants(f, c.want, c.says)
			if f.Again.IsZero() == c.again {
				t.Errorf("asked again at %s", f.Again)
			}
		})
	}
}

func TestReadinessIsLostAndComesBack(t *testing.T) {
	b := newWorkloadBench(t)
	within := pipelines.Duration(time.Minute)
	step := &pipelines.Workload{ReadyWithin: &within}
	b.pods.New = []*corev1.Pod{unready("a")}
	b.waits(b.look(step), "1 pods of the new revision are not ready: default/a")
	b.clock.Step(50 * time.Second)
	b.pods.New = []*corev1.Pod{ready("a", 0)}
	b.wants(b.look(step), api.Passed)
	b.clock.Step(50 * time.Second)
	b.pods.New = []*corev1.Pod{unready("a")}
	b.waits(b.look(step), "not ready")
	b.clock.Step(61 * time.Second)
	b.wants(b.look(step), api.Failed, "not ready, for 1m1s: default/a")
}

func TestRestartsOfPodsThatWereReplacedCount(t *testing.T) {
	b := newWorkloadBench(t)
	three := 3
	step := &pipelines.Workload{MaxRestarts: &three}
	b.pods.New = []*corev1.Pod{ready("a", 2), ready("b", 0)}
	b.wants(b.look(step), api.Passed, "2 restarts")
	b.wants(b.look(step), api.Passed, "2 restarts")
	again := ready("a", 0)
	again.UID = types.UID("another")
	b.pods.New = []*corev1.Pod{again, ready("b", 1)}
	f := b.look(step)
	b.wants(f, api.Passed, "3 restarts")
	if f.Seen["workload.restartsOfReplaced"] != int64(2) || f.Results["restarts"] != int64(3) {
		t.Errorf("seen: %v, %v", f.Seen, f.Results)
	}
	again.Status.ContainerStatuses[0].RestartCount = 1
	b.wants(b.look(step), api.Failed, "4 times", "pods that are gone 2x")
}

func TestRestartsOfVeryManyPods(t *testing.T) {
	b := newWorkloadBench(t)
	for i := range 1000 {
		p := unready(fmt.Sprint("p-", i))
		p.Status.ContainerStatuses[0].RestartCount = 1
		b.pods.New = append(b.pods.New, p)
	}
	for range 2 {
		b.wants(b.look(&pipelines.Workload{}), api.Failed, "started again 1000 times", "and 995 more")
	}
}

// lease is the Lease of a leader.
func lease(holder string, renewed time.Time) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": "agent", "namespace": "default"},
		"spec": map[string]any{"holderIdentity": holder, "leaseDurationSeconds": int64(15), "renewTime": renewed.UTC().Format("2006-01-02T15:04:05.000000Z07:00")},
	}}
}

// TestFailureMode_R38_ALeaderIsJudgedByWhatChanges: the clock of whoever renews the Lease may be anywhere.
func TestFailureMode_R38_ALeaderIsJudgedByWhatChanges(t *testing.T) {
	for name, apart := range map[string]time.Duration{"together": 0, "behind by a day": -24 * time.Hour, "ahead by a day": 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			b := newWorkloadBench(t)
			b.pods.Old = []*corev1.Pod{ready("old", 0)}
			b.pods.New = []*corev1.Pod{ready("a", 0)}
			step := &pipelines.Workload{Leader: &pipelines.LeaderElection{Lease: "agent"}}
			b.server.Put(lease("old_1234", b.clock.Now().Add(apart)))
			b.waits(b.look(step), "not seen yet that Lease default/agent is renewed")
			b.clock.Step(5 * time.Second)
			b.server.Put(lease("old_1234", b.clock.Now().Add(apart)))
			b.wants(b.look(step), api.Passed)
			b.clock.Step(15 * time.Second)
			b.wants(b.look(step), api.Passed)
			b.clock.Step(time.Second)
			b.wants(b.look(step), api.Failed, "has not been renewed for 16s, it lasts 15s")
		})
	}
}

func TestALeader(t *testing.T) {
	shared := ready("a", 0)
	shared.Spec.HostNetwork, shared.Spec.NodeName = true, "node-1"
	for _, c := range []struct {
		reason string
		holder string // "-" for no Lease
		after  time.Duration
		want   api.Verdict
		says   string
	}{
		{"a pod by its name", "a", 0, api.Passed, ""},
		{"a pod by its name and more", "a_5f3c", 0, api.Passed, ""},
		{"its node, which it shares", "node-1_5f3c", 0, api.Passed, ""},
		{"nobody, for a moment", "", 0, api.Inconclusive, "nobody holds Lease default/agent"},
		{"nobody, for long", "", 2 * time.Minute, api.Failed, "nobody holds Lease default/agent, for 2m"},
		{"a pod that is gone, for a moment", "ab_5f3c", 0, api.Inconclusive, `held by "ab_5f3c"`},
		{"somebody else, for long", "ab_5f3c", 2 * time.Minute, api.Failed, `is held by "ab_5f3c", which is no pod of the workload`},
		{"no Lease yet", "-", 0, api.Inconclusive, "there is no Lease default/agent"},
		{"no Lease at all", "-", 2 * time.Minute, api.Failed, "there is no Lease default/agent"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newWorkloadBench(t)
			b.pods.New = []*corev1.Pod{shared}
			step := &pipelines.Workload{Leader: &pipelines.LeaderElection{Lease: "agent"}}
			var f check.Finding
			for range 2 + int(c.after/(10*time.Second)) { // renewed all the time
				if c.holder != "-" {
					b.server.Put(lease(c.holder, b.clock.Now()))
				}
				f = b.look(step)
				b.clock.Step(10 * time.Second)
			}
			b.wants(f, c.want, c.says)
		})
	}
}

// configuration is a webhook configuration.
func configuration(clientConfig map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": map[string]any{"name": "policy"},
		"webhooks": []any{map[string]any{"name": "a.policy.test", "clientConfig": clientConfig}},
	}}
}

// reviewed answers a review as a webhook does.
func reviewed(body []byte) (int, string) {
	var sent struct {
		Request struct {
			UID    string
			DryRun bool
		}
	}
	if err := json.Unmarshal(body, &sent); err != nil || !sent.Request.DryRun {
		return http.StatusBadRequest, "no review"
	}
	return http.StatusOK, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"` + sent.Request.UID + `","allowed":false}}`
}

// anotherAuthority is the certificate of an authority that has signed nothing.
func anotherAuthority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

func TestWebhooksAnswer(t *testing.T) {
	hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		status, answer := reviewed(body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer hook.Close()
	bundle := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}))
	stranger := base64.StdEncoding.EncodeToString(anotherAuthority(t))
	service := map[string]any{"service": map[string]any{"namespace": "default", "name": "hook", "path": "/validate?timeout=1s"}}
	for _, c := range []struct {
		reason string
		config map[string]any // nil for no configuration
		answer func(name, path string, body []byte) (int, string)
		want   api.Verdict
		says   string
	}{
		{"by its URL", map[string]any{"url": hook.URL, "caBundle": bundle}, nil, api.Passed, ""},
		{"by authorities that have not signed for it", map[string]any{"url": hook.URL, "caBundle": stranger}, nil, api.Failed, "webhook a.policy.test does not answer"},
		{"at a URL where nobody is", map[string]any{"url": "https://127.0.0.1:1/", "caBundle": bundle}, nil, api.Failed, "webhook a.policy.test does not answer"},
		{"behind its Service; a denial is an answer", service, func(name, path string, body []byte) (int, string) {
			if name != "https:hook:443" || path != "/validate" {
				return http.StatusNotFound, name + path
			}
			return reviewed(body)
		}, api.Passed, ""},
		{"a Service without endpoints", service, nil, api.Failed, "no endpoints available"},
		{"another path", service, func(string, string, []byte) (int, string) { return http.StatusNotFound, "404" }, api.Failed, "does not answer"},
		{"an answer to something else", service, func(string, string, []byte) (int, string) {
			return http.StatusOK, `{"kind":"AdmissionReview","response":{"uid":"1"}}`
		}, api.Failed, "to another review"},
		{"no answer but a page", service, func(string, string, []byte) (int, string) { return http.StatusOK, "<html>" }, api.Failed, "no JSON"},
		{"an endless answer", service, func(string, string, []byte) (int, string) { return http.StatusOK, strings.Repeat("x", 2<<20) }, api.Failed, "more than 1048576 bytes"},
		{"no right to ask", service, func(string, string, []byte) (int, string) { return http.StatusForbidden, "no" }, api.Error, "webhook a.policy.test"},
		{"what may be the API server's own fault", service, func(string, string, []byte) (int, string) { return http.StatusInternalServerError, "no" }, api.Error, ""},
		{"a configuration that is not there", nil, nil, api.Failed, "there is no ValidatingWebhookConfiguration policy"},
		{"one that names nobody", map[string]any{}, nil, api.Failed, "neither a URL nor a Service"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			b := newWorkloadBench(t)
			b.clock = testclock.NewFakeClock(hook.Certificate().NotBefore.Add(time.Hour))
			b.source = check.NewWorkload(b.clock, probe.New(b.clock, nil))
			b.pods.New = []*corev1.Pod{ready("a", 0)}
			b.server.Service = c.answer
			if c.config != nil {
				b.server.Put(configuration(c.config))
			}
			b.wants(b.look(&pipelines.Workload{Webhooks: []pipelines.WebhookRef{{Kind: "ValidatingWebhookConfiguration", Name: "policy"}}}), c.want, c.says)
		})
	}
}

func TestALookThatIsCutShortIsNoVerdict(t *testing.T) {
	b := newWorkloadBench(t)
	b.pods.New = []*corev1.Pod{ready("a", 1)}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("it took longer than 30s"))
	q := check.Question{Step: pipelines.ResolvedStep{StepKinds: pipelines.StepKinds{Workload: &pipelines.Workload{}}}, Place: b.place}
	b.wants(b.source.Ask(ctx, q), api.Error, "it took longer than 30s")
	q.Place = nil
	b.wants(b.source.Ask(t.Context(), q), api.Error, "no cluster")
}

// TestReadinessThatFlapsIsTold: a pod that is ready at one look and not at the next never stays unready for long.
func TestReadinessThatFlapsIsTold(t *testing.T) {
	b := newWorkloadBench(t)
	step := &pipelines.Workload{}
	look := func(p *corev1.Pod) check.Finding {
		b.pods = check.Pods{New: b.put(p, ready("steady", 0))}
		b.clock.Step(15 * time.Second)
		return b.look(step)
	}
	look(unready("a")) // it starts
	f := look(ready("a", 0))
	b.wants(f, api.Passed, "2 pods of the new revision, 0 restarts")
	if f.Seen["workload.flaps"] != nil {
		t.Errorf("a pod that started is told as %v", f.Seen)
	}
	b.waits(look(unready("a")), "1 pods have lost their readiness again: default/a")
	look(unready("a")) // the same loss is counted once
	look(ready("a", 0))
	look(unready("a"))
	f = look(ready("a", 0))
	b.wants(f, api.Passed, "pods lost their readiness again, 2 times")
	if f.Seen["workload.flaps"] != int64(2) {
		t.Errorf("it saw %v", f.Seen)
	}
}
