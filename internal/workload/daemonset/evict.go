package daemonset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/field"
	"sluice.dev/sluice/internal/workload/kit"
)

// atOnce is how many evictions are under way at the API server at one time. A budget that refused one is asked again
// after retryFirst, then twice as long, up to retryMost, and never before soon.
const (
	atOnce     = 8
	soon       = 30 * time.Millisecond
	retryFirst = 2 * time.Second
	retryMost  = 30 * time.Second
)

// eviction moves the pods of a DaemonSet by evicting them.
type eviction struct {
	*kit.Session
	aim     kit.Aim
	seen    shot
	refused map[types.UID]*refusal
}

// refusal is an eviction that a PodDisruptionBudget did not allow.
type refusal struct {
	cause string
	again time.Time
	pause time.Duration
}

func newEviction(s *kit.Session, to kit.Aim) *eviction {
	return &eviction{Session: s, aim: to, refused: map[types.UID]*refusal{}}
}

// Look takes a shot, and forgets refusals about pods that are gone.
func (m *eviction) Look(ctx context.Context) (kit.Seen, error) {
	var err error
	if m.seen, err = shoot(ctx, m.Session, m.aim); err != nil {
		return kit.Seen{}, err
	}
	there := map[types.UID]bool{}
	for _, at := range m.seen.slots {
		if at.pod != nil {
			there[at.pod.UID] = true
		}
	}
	maps.DeleteFunc(m.refused, func(uid types.UID, _ *refusal) bool { return !there[uid] })
	return kit.Seen{Live: m.seen.live, Facts: m.seen.facts, Next: m.seen.next}, nil
}

// Intact checks that the controller moves no pod by itself.
func (m *eviction) Intact(*workload.Hold) error {
	if live := m.seen.live; !isOnDelete(live) {
		return m.Cannot("move", fault.Conflict, "somebody else changed its update strategy to %s",
			field.Text(live, "spec", "updateStrategy", "type"))
	}
	return nil
}

// Step removes the pods that are to go now. It is worth another look when a budget may be asked again.
func (m *eviction) Step(ctx context.Context) (bool, time.Duration, error) {
	now := m.Clock.Now()
	if m.seen.done(m.aim, m.seen.least, now) {
		return true, 0, nil
	}
	if err := m.move(ctx, m.seen.choose(m.aim, m.seen.least, now, m.mustWait)); err != nil {
		return false, 0, err
	}
	next := m.seen.next
	for _, r := range m.refused {
		next = min(next, max(r.again.Sub(m.Clock.Now()), soon))
	}
	return false, next, nil
}

// move evicts the ready pods and deletes the others, which no budget may protect. It comes back when all are under way.
func (m *eviction) move(ctx context.Context, pods []kit.Pod) error {
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
			delete(m.refused, pods[i].UID)
		case fault.Refused:
			m.refuse(pods[i], err)
		case fault.NotFound, fault.Conflict: // it went by itself; the watch will show what came after it
		default:
			return err
		}
	}
	return nil
}

func (m *eviction) remove(ctx context.Context, p kit.Pod) error {
	namespace := m.Spec.Target.GetNamespace()
	if p.Ready {
		return m.Cluster.Evict(ctx, namespace, p.Name, p.UID)
	}
	return m.Cluster.Delete(ctx, schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, namespace, p.Name, p.UID)
}

// mustWait reports whether a budget has refused the pod's eviction so lately that it is not asked again.
func (m *eviction) mustWait(uid types.UID) bool {
	r := m.refused[uid]
	return r != nil && m.Clock.Now().Before(r.again)
}

func (m *eviction) refuse(p kit.Pod, err error) {
	r := m.refused[p.UID]
	if r == nil {
		r = &refusal{pause: retryFirst / 2}
		m.refused[p.UID] = r
	}
	r.pause = min(2*r.pause, retryMost)
	r.again, r.cause = m.Clock.Now().Add(r.pause), budgetOf(err)
}

// Waiting tells of budgets, of dead nodes, of pods that are down by themselves, and of a batch that is exceeded.
func (m *eviction) Waiting() []string {
	seen, words := m.seen, []string{}
	others := 0 // pods that are down and that this batch did not take down
	var dead []string
	for _, at := range seen.slots {
		if at.dead {
			dead = append(dead, at.node)
		}
		others += int(kit.One(at.pod != nil && !at.pod.Ready && at.pod.Hash != m.aim.Revision))
	}
	for _, r := range m.refused {
		words = append(words, "DisruptionBudget: "+r.cause)
	}
	if len(dead) > 0 {
		words = append(words, "NodeLost: "+nodesLost(dead))
	}
	if most := m.aim.Goal.MaxUnavailable.Of(len(seen.slots)); others >= most && seen.moved+seen.going < seen.allowed {
		words = append(words, kit.UsedUp(others, most))
	}
	if here := seen.moved + seen.going; here > seen.allowed && !m.aim.Retreats {
		words = append(words, fmt.Sprintf("BatchExceeded: %d pods are at the revision or about to be, the open batches allow %d; "+
			"others were made anew meanwhile", here, seen.allowed))
	}
	return words
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
