package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines/rule"
)

// atOnce is how many evictions are under way at the API server at one time. A budget that refused one is asked again
// after retryFirst, then twice as long, up to retryMost.
const (
	atOnce     = 8
	retryFirst = 2 * time.Second
	retryMost  = 30 * time.Second
)

// eviction moves the pods of a DaemonSet by evicting them.
type eviction struct {
	*session
	aim    aim
	looker looker

	refused map[types.UID]*refusal
}

// refusal is an eviction that a PodDisruptionBudget did not allow.
type refusal struct {
	cause string
	again time.Time
	pause time.Duration
}

func (m *eviction) run(ctx context.Context) (rule.Facts, error) {
	m.refused = map[types.UID]*refusal{}
	for {
		t := m.turn()
		seen, err := daemonSet{}.shot(ctx, m.session, m.aim)
		if err != nil {
			return rule.Facts{}, err
		}
		live, err := m.present(ctx)
		if err != nil {
			return rule.Facts{}, err
		}
		if err := m.intact(live); err != nil {
			return seen.facts, err
		}
		m.explain(&seen)
		if err := m.looker.see(ctx, seen.facts); err != nil {
			return seen.facts, err
		}
		least := time.Duration(number(live, 0, "spec", "minReadySeconds")) * time.Second
		if seen.done(m.aim, least, time.Now()) {
			return seen.facts, nil
		}
		if err := m.move(ctx, seen.choose(m.aim, least, time.Now(), m.mustWait)); err != nil {
			return seen.facts, err
		}
		if err := t.sleep(ctx, m.pause(seen.next)); err != nil {
			return seen.facts, err
		}
	}
}

// intact checks that the DaemonSet is as this run left it: another template or strategy would move pods that no batch
// allows. A DaemonSet that nobody had to take hold of is at its goal already.
func (m *eviction) intact(live *unstructured.Unstructured) error {
	hold, err := HoldOf(live)
	if err != nil {
		return err
	}
	if hold == nil && m.aim.back {
		return m.templateIs(live, m.aim.template)
	}
	if hold, err = m.held(live); err != nil {
		return err
	}
	if hold.Back != m.aim.back {
		return fault.New(fault.Refused, "cannot move %s in cluster %s: it is on its way back", nameOf(live), m.c.Context())
	}
	if !hold.Armed {
		return fault.New(fault.Refused, "cannot move %s in cluster %s: it is disarmed", nameOf(live), m.c.Context())
	}
	if strategy := text(live, "spec", "updateStrategy", "type"); strategy != string(appsv1.OnDeleteDaemonSetStrategyType) {
		return fault.New(fault.Conflict, "cannot move %s in cluster %s: somebody else changed its update strategy to %s", nameOf(live), m.c.Context(), strategy)
	}
	return m.templateIs(live, m.aim.template)
}

// move evicts the ready pods and deletes the others, which no budget may protect. It comes back when all are under way.
func (m *eviction) move(ctx context.Context, pods []pod) error {
	errs := make([]error, len(pods))
	limit := make(chan struct{}, atOnce)
	var wait sync.WaitGroup
	for i, p := range pods {
		limit <- struct{}{}
		if errs[i] = ctx.Err(); errs[i] != nil {
			break
		}
		wait.Go(func() {
			defer func() { <-limit }()
			errs[i] = m.remove(ctx, p)
		})
	}
	wait.Wait()
	for i, err := range errs {
		switch fault.CodeOf(err) {
		case "":
			delete(m.refused, pods[i].uid)
		case fault.Refused:
			m.refuse(pods[i], err)
		case fault.NotFound, fault.Conflict: // it went by itself; the watch will show what came after it
		default:
			return err
		}
	}
	return nil
}

func (m *eviction) remove(ctx context.Context, p pod) error {
	namespace := m.spec.Target.GetNamespace()
	if p.ready {
		return m.c.Evict(ctx, namespace, p.name, p.uid)
	}
	return m.c.Delete(ctx, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, namespace, p.name, p.uid)
}

// mustWait reports whether a budget has refused the pod's eviction so lately that it is not asked again.
func (m *eviction) mustWait(uid types.UID) bool {
	r := m.refused[uid]
	return r != nil && time.Now().Before(r.again)
}

func (m *eviction) refuse(p pod, err error) {
	r := m.refused[p.uid]
	if r == nil {
		r = &refusal{pause: retryFirst / 2}
		m.refused[p.uid] = r
	}
	r.pause = min(2*r.pause, retryMost)
	r.again, r.cause = time.Now().Add(r.pause), budgetOf(err)
}

// explain adds to what containers wait for what the rollout itself waits for, in words.
func (m *eviction) explain(seen *shot) {
	there := map[types.UID]bool{}
	others := 0 // pods that are down and that this batch did not take down
	var dead []string
	for _, at := range seen.slots {
		if at.dead {
			dead = append(dead, at.node)
		}
		if at.pod == nil {
			continue
		}
		there[at.pod.uid] = true
		others += int(one(!at.pod.ready && at.pod.hash != m.aim.revision))
	}
	w := &seen.facts.Workload
	for uid, r := range m.refused {
		if !there[uid] {
			delete(m.refused, uid)
			continue
		}
		w.Waiting = append(w.Waiting, "DisruptionBudget: "+r.cause)
	}
	if len(dead) > 0 {
		w.Waiting = append(w.Waiting, "NodeLost: "+nodesLost(dead))
	}
	if most := m.aim.goal.MaxUnavailable.Of(len(seen.slots)); others >= most && seen.moved+seen.going < seen.allowed {
		w.Waiting = append(w.Waiting, fmt.Sprintf("MaxUnavailable: %d pods are down that this batch did not take down, maxUnavailable is %d", others, most))
	}
	if seen.moved+seen.going > seen.allowed {
		w.Waiting = append(w.Waiting, fmt.Sprintf("BatchExceeded: %d pods are at the revision or about to be, the open batches allow %d; others were made anew meanwhile", seen.moved+seen.going, seen.allowed))
	}
	slices.Sort(w.Waiting)
	w.Waiting = slices.Compact(w.Waiting)
}

// nodesLost names nodes that died since the unit began, a few of them.
func nodesLost(names []string) string {
	const most = 5
	verb := "is"
	if len(names) > 1 {
		verb = "are"
	}
	text := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + " " + verb + " not ready any more, which counts against maxUnavailable"
}

func (m *eviction) pause(next time.Duration) time.Duration {
	for _, r := range m.refused {
		next = min(next, max(time.Until(r.again), settle))
	}
	return next
}

// budgetOf is what the API server says about the budget that refused an eviction.
func budgetOf(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			if cause.Message != "" {
				return cause.Message
			}
		}
	}
	return err.Error()
}
