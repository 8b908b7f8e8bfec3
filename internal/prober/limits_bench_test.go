package prober_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/probing"
)

// BenchmarkProbeLimits runs probes on a real control plane: a prober and the watch for changes, wired and bounded in requests as in an
// agent, and pods that are processes of this machine.
func BenchmarkProbeLimits(b *testing.B) {
	b.Run("event", func(b *testing.B) {
		for range b.N {
			fromEvents(b)
		}
	})
	b.Run("residents", func(b *testing.B) {
		for range b.N {
			residentsOnly(b)
		}
	})
	b.Run("nodes", func(b *testing.B) {
		for range b.N {
			manyNodes(b)
		}
	})
	b.Run("at-once", func(b *testing.B) {
		for range b.N {
			allAtOnce(b)
		}
	})
}

func caseOf(i int) string { return fmt.Sprintf("case-%d", i) }

// residentsOnly has 50 resident cases, each of which reports every second, and a prober that is a process of its own. Their pods are on
// nodes that are simulated; this process reports for them. All is well, as it mostly is.
func residentsOnly(b *testing.B) {
	const cases, watched, coresLimit, writesLimit = 50, 2 * time.Minute, 0.05, 1.0
	g := newGround(b, 2)
	prober := g.child()
	var all []*probing.Config
	for i := range cases {
		c := onProcesses(caseOf(i), "resident:1")
		c.Spec.Mode, c.Spec.Pod.Profile, c.Spec.Pod.NodeSelector = probing.Resident, "", nil
		c.Spec.Schedule.Every.Duration, c.Spec.Freshness.Duration = time.Second, time.Minute
		all = append(all, c)
	}
	g.cases(all)
	var uids []string
	g.until("not all residents run", 2*time.Minute, func() bool {
		runs, pods := &probing.RunList{}, &corev1.PodList{}
		if err := g.api.List(b.Context(), runs); err != nil {
			b.Fatal(err)
		}
		if err := g.api.List(b.Context(), pods, client.InNamespace(namespace)); err != nil {
			b.Fatal(err)
		}
		running := 0
		for i := range pods.Items {
			if pods.Items[i].Status.Phase == corev1.PodRunning {
				running++
			}
		}
		uids = nil
		for i := range runs.Items {
			if r := &runs.Items[i]; r.Status.Phase == probing.RunRunning {
				uids = append(uids, string(r.UID))
			}
		}
		return running == cases && len(uids) == cases
	})
	var taken atomic.Int64
	var reporting sync.WaitGroup
	over := make(chan struct{})
	for i, uid := range uids {
		reporting.Go(func() {
			time.Sleep(time.Second * time.Duration(i) / cases)
			every := time.NewTicker(time.Second)
			defer every.Stop()
			for seq := 1; ; seq++ {
				select {
				case <-over:
					return
				case <-every.C:
				}
				body := fmt.Sprintf(`{"ok": true, "errors": [], "sluice": {"verdict": "Passed", "seq": %d, "observations": {"p99": 0.012}}}`, seq)
				if code := say(b, prober.url+"/check", uid, body); code == http.StatusOK {
					taken.Add(1)
				} else {
					b.Errorf("a report is answered with %d", code)
					return
				}
			}
		})
	}
	time.Sleep(time.Minute) // residents are taken up, and what that leads to is written
	if b.Failed() {
		close(over)
		reporting.Wait()
		return
	}
	prober.written()
	cpu, reports, began := prober.spent(b), taken.Load(), time.Now()
	time.Sleep(watched)
	cores := (prober.spent(b) - cpu).Seconds() / time.Since(began).Seconds()
	written, of := prober.written()
	signals := 0 // of the cluster, however many cases it has
	for line, some := range of {
		if strings.Contains(line, "/healthsignals/") {
			signals += some
		}
	}
	writes := float64(written-signals) / watched.Minutes() / cases
	rate := float64(taken.Load()-reports) / time.Since(began).Seconds()
	close(over)
	reporting.Wait()
	b.ReportMetric(cores, "cores-of-50-residents")
	b.ReportMetric(writes, "writes-a-minute-and-case")
	b.ReportMetric(float64(signals)/watched.Minutes(), "signal-writes-a-minute")
	b.ReportMetric(rate, "reports/s")
	if cores > coresLimit || writes > writesLimit || float64(signals) > watched.Minutes() {
		b.Errorf("the process takes %.3f of a core (limit %.2f) and writes %.2f times a minute for each case (limit %.0f), and a signal %d times: %v",
			cores, coresLimit, writes, writesLimit, signals, of)
	}
}

// say sends a report as a program does.
func say(b *testing.B, url, uid, body string) int {
	q, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		b.Error(err)
		return 0
	}
	q.Header.Set("kh-run-uuid", uid)
	q.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		b.Error(err)
		return 0
	}
	_, _ = io.Copy(io.Discard, a.Body)
	_ = a.Body.Close()
	return a.StatusCode
}

// allAtOnce has 100 cases that one event starts, each a process that ends after a second, and looks at how many pods are there that could
// still do something. A verdict is had of how a pod ends.
func allAtOnce(b *testing.B) {
	const cases, atOnce = 100, 20
	g := newGround(b, 2)
	g.stack.NeedProgram(b, "fixture")
	var mu sync.Mutex
	verdicts := map[string]api.Verdict{}
	p := &process{say: func(s probing.Said) {
		mu.Lock()
		defer mu.Unlock()
		for _, o := range s.Outcomes {
			verdicts[o.Case] = o.Verdict
		}
	}}
	_, end, err := p.start(g.stack.Kubeconfig)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(end)
	var all []*probing.Config
	for i := range cases {
		c := onProcesses(caseOf(i), "sluice.local/fixture:1.0")
		c.Spec.Pod.Env = []probing.Variable{{Name: "EXIT_AFTER", Value: "1s"}}
		c.Spec.Events = []probing.EventSpec{{On: probing.Posted}}
		all = append(all, c)
	}
	g.cases(all)
	crowd := g.watchPods()
	began := time.Now()
	p.prober.Happened(b.Context(), benched, probing.Event{Kind: probing.Posted, Name: "all", Key: "all", At: began})
	g.until("not all have a verdict", 5*time.Minute, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(verdicts) == cases
	})
	took := time.Since(began)
	passed := 0
	for _, v := range verdicts {
		if v == api.Passed {
			passed++
		}
	}
	b.ReportMetric(took.Seconds(), "s-until-100-verdicts")
	crowd.mu.Lock()
	defer crowd.mu.Unlock()
	b.ReportMetric(float64(crowd.most), "most-programs-at-once")
	b.ReportMetric(float64(crowd.mostPods), "most-pods-not-cleared-up")
	if made := len(crowd.made); passed != cases || made != cases || crowd.most > atOnce {
		b.Errorf("%d of %d cases passed, %d pods were made, %d ran at once (limit %d)", passed, cases, made, crowd.most, atOnce)
	}
}

// crowd is which pods of probes there are. What is left of one whose program has ended runs nothing, until its phase says so too.
type crowd struct {
	mu             sync.Mutex
	made           map[string]bool
	running, pods  map[string]bool
	most, mostPods int
}

func (g *ground) watchPods() *crowd {
	g.b.Helper()
	w, err := g.api.Watch(g.b.Context(), &corev1.PodList{}, client.InNamespace(namespace), client.HasLabels{probing.LabelRun})
	if err != nil {
		g.b.Fatal(err)
	}
	g.b.Cleanup(w.Stop)
	c := &crowd{made: map[string]bool{}, running: map[string]bool{}, pods: map[string]bool{}}
	go func() {
		for e := range w.ResultChan() {
			if p, ok := e.Object.(*corev1.Pod); ok {
				c.see(p, e.Type == watch.Deleted)
			}
		}
	}()
	return c
}

func (c *crowd) see(p *corev1.Pod, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made[p.Name], c.running[p.Name], c.pods[p.Name] = true, true, true
	if _, ended := pod.EndOf(p); ended || gone {
		delete(c.running, p.Name)
	}
	if gone || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		delete(c.pods, p.Name)
	}
	c.most, c.mostPods = max(c.most, len(c.running)), max(c.mostPods, len(c.pods))
}
