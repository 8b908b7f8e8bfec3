package occasion

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/sluice/internal/probing"
)

// steady is how long a condition that has been told of is left alone: one that comes and goes is told of so often, and where it then is.
const steady = 30 * time.Second

// gone is the status of a condition that a node has no more.
const gone corev1.ConditionStatus = "Gone"

// nodes tells of nodes that are new, were rebooted or have another condition.
type nodes struct {
	*view
	*loop
	mu   sync.Mutex
	seen map[string]*node
}

// node is what was seen of a node. One looker has it at a time.
type node struct {
	uid        types.UID
	boot       string
	isNew      bool // and not ready yet
	rebooted   bool // and not ready yet
	conditions map[corev1.NodeConditionType]*condition
}

// condition is what was told of a condition of a node.
type condition struct {
	told corev1.ConditionStatus
	at   time.Time // zero: never
	last time.Time // its last transition, by the node
}

func newNodes(v *view) *nodes {
	n := &nodes{view: v, seen: map[string]*node{}}
	n.loop = newLoop(n.look, v.Clock, v.logger)
	return n
}

func (n *nodes) look(ctx context.Context, of ref) (time.Duration, error) {
	now := &corev1.Node{}
	switch err := n.cache.Get(ctx, client.ObjectKey{Name: of.name}, now); {
	case apierrors.IsNotFound(err):
		n.mu.Lock()
		delete(n.seen, of.name)
		n.mu.Unlock()
		return 0, nil
	case err != nil:
		return 0, err
	}
	n.mu.Lock()
	was := n.seen[of.name]
	if was == nil || was.uid != now.UID {
		was = n.first(now, n.wasThere(of, now.UID))
		n.seen[of.name] = was
	}
	n.mu.Unlock()
	n.compare(was, now)
	return n.conditions(was, now), nil
}

// first is a node as if it had been seen when this began: what is different now is told.
func (n *nodes) first(now *corev1.Node, wasThere bool) *node {
	was := &node{
		uid: now.UID, boot: now.Status.NodeInfo.BootID, conditions: map[corev1.NodeConditionType]*condition{},
		isNew: !wasThere || now.CreationTimestamp.After(n.since()),
	}
	for _, c := range now.Status.Conditions {
		told := c.Status
		if !was.isNew && c.LastTransitionTime.After(n.since()) {
			told = "" // it came to be so a short while ago, and it may be that nobody was told
		}
		was.conditions[c.Type] = &condition{told: told, last: c.LastTransitionTime.Time}
	}
	return was
}

// compare tells of a node that is new or was rebooted, once it is ready: before that nothing could run there.
func (n *nodes) compare(was *node, now *corev1.Node) {
	if boot := now.Status.NodeInfo.BootID; boot != was.boot {
		was.rebooted = was.rebooted || was.boot != "" && !was.isNew
		was.boot = boot
	}
	if !ready(now) {
		return
	}
	switch {
	case was.isNew:
		n.tell(probing.NodeNew, now, now.Name, "node "+now.Name+" is new", n.when(now.CreationTimestamp.Time), string(now.UID))
		for _, c := range now.Status.Conditions { // that it came to with that is no change
			was.conditions[c.Type] = &condition{told: c.Status, last: c.LastTransitionTime.Time}
		}
	case was.rebooted:
		n.tell(probing.NodeRebooted, now, now.Name, "node "+now.Name+" was rebooted", n.Clock.Now(), string(now.UID), was.boot)
	}
	was.isNew, was.rebooted = false, false
}

// conditions tells of the conditions of a node that are not as they were told to be. It returns when to look again.
func (n *nodes) conditions(was *node, now *corev1.Node) (again time.Duration) {
	if was.isNew {
		return 0
	}
	there := map[corev1.NodeConditionType]bool{}
	for _, c := range now.Status.Conditions {
		there[c.Type] = true
		told := was.conditions[c.Type]
		if told == nil {
			told = &condition{told: healthy(c.Type)}
			was.conditions[c.Type] = told
		}
		told.last = c.LastTransitionTime.Time
		again = sooner(again, n.turn(told, now, c))
	}
	for kind, told := range was.conditions {
		switch {
		case there[kind]:
		case told.told == healthy(kind) || told.told == gone:
			delete(was.conditions, kind)
		default: // a fault is over when nobody says so any more
			again = sooner(again, n.turn(told, now, corev1.NodeCondition{Type: kind, Status: gone}))
		}
	}
	return again
}

// turn tells of a condition that is not as it was told to be, unless it was told of too short a while ago. It returns when to look again.
func (n *nodes) turn(told *condition, on *corev1.Node, c corev1.NodeCondition) time.Duration {
	if c.Status == told.told {
		return 0
	}
	now := n.Clock.Now()
	if wait := told.at.Add(steady).Sub(now); !told.at.IsZero() && wait > 0 {
		return wait
	}
	text := fmt.Sprintf("condition %s of node %s is %s", c.Type, on.Name, c.Status)
	if c.Reason != "" {
		text += " (" + c.Reason + ")"
	}
	at := now
	if told.told == "" {
		at = n.when(told.last)
	}
	told.told, told.at = c.Status, now
	n.tell(probing.NodeCondition, on, string(c.Type)+"="+string(c.Status), text, at,
		string(on.UID), string(c.Type), string(c.Status), strconv.FormatInt(told.last.Unix(), 10))
	return 0
}

// tell tells of a node.
func (n *nodes) tell(kind probing.EventKind, of *corev1.Node, name, text string, at time.Time, key ...string) {
	n.bell.ring(probing.Event{
		Kind: kind, Name: name, Text: text, At: at, Nodes: []string{of.Name}, NodeKeys: []string{probing.KeyFor(kind, key...)},
	})
}

// when is the time of a change: that of the object where it was made before anybody watched, else now, since clocks of others differ.
func (v *view) when(of time.Time) time.Time {
	if of.Before(v.began) {
		return of
	}
	return v.Clock.Now()
}

func ready(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// healthy is what a condition says where all is well. Those of the kubelet and of the node problem detector say that something is wrong;
// only Ready, and those that are named after it, say that it is not.
func healthy(kind corev1.NodeConditionType) corev1.ConditionStatus {
	if strings.HasSuffix(string(kind), "Ready") {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

// sooner is the sooner of two times to look again; 0 is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
