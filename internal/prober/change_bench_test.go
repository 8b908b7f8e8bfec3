package prober_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// change is what is seen of one change, from when it is written to when its verdict is said.
type change struct {
	written, seen, run, pod, reported, said time.Time
	own                                     time.Duration // of the case: what its steps took
	verdict                                 api.Verdict
	message                                 string
}

// lanes are changes that are under way at the same time, one for each case.
type lanes struct {
	mu  sync.Mutex
	now map[string]*change   // by case
	at  map[string]time.Time // reports came, by the UID of a run
}

// fromEvents rolls Deployments, one after another in each of two lanes; each change has the pod-life case of its lane run.
//
// A case's own time is what its steps took, as it reports them. Beside that there is all from when the change was written to when the
// outcome is said to the agent: the watch, the run, its pod, the start of a process, the report. Of it Sluice's part is from when the
// change is seen to when the API server has the pod, and from when the report has come to when the outcome is said.
func fromEvents(b *testing.B) {
	const each, atATime = 50, 2
	const beyondLimit, partLimit = 5 * time.Second, 500 * time.Millisecond
	g := newGround(b, 2)
	for _, program := range []string{"probes", "fixture"} {
		g.stack.NeedProgram(b, program)
	}
	l := &lanes{now: map[string]*change{}, at: map[string]time.Time{}}
	g.follow(l)
	g.account("pod-life", rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"pods", "events"}, Verbs: []string{"create", "get", "list", "watch", "delete"},
	})
	var all []*probing.Config
	for i := range atATime {
		c := onProcesses(caseOf(i), "sluice.local/probes:1.0")
		c.Spec.Pod.Args, c.Spec.Pod.ServiceAccount = []string{"pod-life"}, "pod-life"
		c.Spec.Pod.Env = []probing.Variable{
			{Name: "IMAGE", Value: "sluice.local/fixture:1.0"}, {Name: "NODE_SELECTOR", Value: "local.sluice.dev/process=true"},
			{Name: "TOLERATE", Value: "everything"}, {Name: "WITHIN", Value: "30s"},
		}
		c.Spec.Events = []probing.EventSpec{{On: probing.Deployed, Names: []string{"Deployment/default/" + caseOf(i)}}}
		all = append(all, c)
	}
	g.cases(all)

	var done []*change
	var mu sync.Mutex
	var lanesDone sync.WaitGroup
	for i := range atATime {
		lanesDone.Go(func() {
			for n := range each + 1 {
				c := g.roll(l, caseOf(i), n)
				if c == nil {
					return
				}
				if n > 0 { // the first one is that the Deployment is there
					mu.Lock()
					done = append(done, c)
					mu.Unlock()
				}
			}
		})
	}
	lanesDone.Wait()
	if b.Failed() {
		return
	}
	of := func(f func(c *change) time.Duration) time.Duration {
		var times []time.Duration
		for _, c := range done {
			times = append(times, f(c))
		}
		slices.Sort(times)
		return times[(len(times)*99+99)/100-1]
	}
	beyond := of(func(c *change) time.Duration { return c.said.Sub(c.written) - c.own })
	part := of(func(c *change) time.Duration { return c.pod.Sub(c.seen) + c.said.Sub(c.reported) })
	b.ReportMetric(beyond.Seconds()*1000, "ms-beyond-the-case-p99")
	b.ReportMetric(part.Seconds()*1000, "ms-of-sluice-p99")
	for name, f := range map[string]func(c *change) time.Duration{
		"ms-of-the-case-p99":     func(c *change) time.Duration { return c.own },
		"ms-until-seen-p99":      func(c *change) time.Duration { return c.seen.Sub(c.written) },
		"ms-seen-to-run-p99":     func(c *change) time.Duration { return c.run.Sub(c.seen) },
		"ms-run-to-pod-p99":      func(c *change) time.Duration { return c.pod.Sub(c.run) },
		"ms-reported-to-say-p99": func(c *change) time.Duration { return c.said.Sub(c.reported) },
	} {
		b.ReportMetric(of(f).Seconds()*1000, name)
	}
	if beyond > beyondLimit || part > partLimit {
		b.Errorf("of %d changes, the verdict is there %s beyond the case's own time (limit %s), %s of it are Sluice's (limit %s)",
			len(done), beyond, beyondLimit, part, partLimit)
	}
}

// follow starts a prober whose steps are noted in the lanes.
func (g *ground) follow(l *lanes) {
	g.b.Helper()
	first := func(probeCase string, what func(c *change) *time.Time) {
		now := time.Now()
		l.mu.Lock()
		defer l.mu.Unlock()
		if c := l.now[probeCase]; c != nil && what(c).IsZero() {
			*what(c) = now
		}
	}
	p := &process{
		seen: func(e probing.Event) {
			if e.Kind == probing.Deployed {
				first(strings.TrimPrefix(e.Name, "Deployment/default/"), func(c *change) *time.Time { return &c.seen })
			}
		},
		asked: func(q *http.Request, body []byte) {
			if q.Method != http.MethodPost {
				return
			}
			name := string(runName.Find(body))
			probeCase := name[:max(0, strings.LastIndex(name, "-"))]
			switch q.URL.Path[strings.LastIndex(q.URL.Path, "/")+1:] {
			case "proberuns":
				first(probeCase, func(c *change) *time.Time { return &c.run })
			case "pods":
				first(probeCase, func(c *change) *time.Time { return &c.pod })
			}
		},
		reported: func(uuid string) {
			now := time.Now()
			l.mu.Lock()
			defer l.mu.Unlock()
			if _, there := l.at[uuid]; !there {
				l.at[uuid] = now
			}
		},
		say: func(s probing.Said) {
			now := time.Now()
			l.mu.Lock()
			defer l.mu.Unlock()
			for _, o := range s.Outcomes {
				if c := l.now[o.Case]; c != nil && c.said.IsZero() {
					c.said, c.reported, c.verdict, c.message = now, l.at[o.ID], o.Verdict, o.Message
					for _, p := range o.Parts {
						c.own += time.Duration(p.Millis) * time.Millisecond
					}
				}
			}
		},
	}
	_, end, err := p.start(g.stack.Kubeconfig)
	if err != nil {
		g.b.Fatal(err)
	}
	g.b.Cleanup(end)
}

// roll writes the Deployment of a lane, and waits for the verdict; nil where there is none.
func (g *ground) roll(l *lanes, name string, n int) *change {
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	d.Spec = appsv1.DeploymentSpec{Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels}}
	d.Spec.Template.Labels = labels
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "main", Image: "web:1"}}
	c := &change{written: time.Now()}
	l.mu.Lock()
	l.now[name] = c
	l.mu.Unlock()
	var err error
	if n == 0 {
		err = g.api.Create(g.b.Context(), d)
	} else {
		text := fmt.Sprintf(`{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:%d"}]}}}}`, n+1)
		err = g.api.Patch(g.b.Context(), d, client.RawPatch("application/strategic-merge-patch+json", []byte(text)))
	}
	if err != nil {
		g.b.Error(err)
		return nil
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		l.mu.Lock()
		got := *c
		l.mu.Unlock()
		if got.said.IsZero() {
			continue
		}
		if got.verdict != api.Passed || got.seen.IsZero() || got.run.IsZero() || got.pod.IsZero() || got.reported.IsZero() {
			g.b.Errorf("change %d of %s has come to %+v", n, name, got)
			return nil
		}
		return &got
	}
	g.b.Errorf("change %d of %s has no verdict within a minute: %+v", n, name, *c)
	return nil
}
