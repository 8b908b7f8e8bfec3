package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
)

// defaultLeaseDuration is how long a Lease lasts that does not say, as client-go's leader election has it.
const defaultLeaseDuration = 15 * time.Second

// keptLeader is how the Lease of a leader was seen last. Its times are of the clock here: those in the Lease are of another one, and
// only whether they change says anything.
type keptLeader struct {
	Mark    string    `json:"m,omitempty"` // differs whenever the Lease was renewed or taken
	Since   time.Time `json:"s,omitzero"`  // since when it has been seen like that
	Renewed bool      `json:"r,omitempty"` // it was seen to change
	Nobody  time.Time `json:"n,omitzero"`  // since when no pod of the workload has held it
}

// leader looks at whether a pod of the workload leads.
func (l *workloadLook) leader(ctx context.Context) {
	want := l.step.Leader
	if want == nil {
		return
	}
	namespace := cmp.Or(want.Namespace, l.facts.Workload.Namespace)
	kind := schema.GroupVersionKind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}
	lease, err := l.place.API.Get(ctx, kind, namespace, want.Lease)
	name := "Lease " + namespace + "/" + want.Lease
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		l.nobody("there is no " + name)
		return
	case err != nil:
		l.broken = append(l.broken, err.Error())
		return
	}
	holder, _, _ := unstructured.NestedString(lease.Object, "spec", "holderIdentity")
	l.seen["workload.leader"] = holder
	lasts := defaultLeaseDuration
	if seconds, ok, _ := unstructured.NestedInt64(lease.Object, "spec", "leaseDurationSeconds"); ok && seconds > 0 {
		lasts = time.Duration(seconds) * time.Second
	}
	l.renewal(name, markOf(lease, holder), lasts)
	switch {
	case holder == "":
		l.nobody("nobody holds " + name)
	case !slices.ContainsFunc(slices.Concat(l.pods.New, l.pods.Old), func(p *corev1.Pod) bool { return leads(p, holder) }):
		l.nobody(fmt.Sprintf("%s is held by %q, which is no pod of the workload", name, holder))
	default:
		l.kept.Leader.Nobody = time.Time{}
	}
}

// markOf differs whenever a Lease was renewed or taken.
func markOf(lease *unstructured.Unstructured, holder string) string {
	renewed, _, _ := unstructured.NestedString(lease.Object, "spec", "renewTime")
	return renewed + " " + holder
}

// renewal notes whether the Lease changes as often as it must. It is never taken for renewed because of what it says: at the first
// look it may have been left behind by one who is dead.
func (l *workloadLook) renewal(name, mark string, lasts time.Duration) {
	k := &l.kept.Leader
	if k.Mark != mark {
		k.Renewed = k.Mark != ""
		k.Mark, k.Since = mark, l.now
	}
	still := l.now.Sub(k.Since)
	l.seen["workload.leaderRenewed"] = k.Renewed
	switch {
	case still > lasts:
		l.failed = append(l.failed, fmt.Sprintf("%s has not been renewed for %s, it lasts %s", name, still.Truncate(time.Second), lasts))
	case !k.Renewed:
		l.waits = append(l.waits, "it is not seen yet that "+name+" is renewed")
	}
}

// nobody notes that no pod of the workload leads.
func (l *workloadLook) nobody(why string) {
	k := &l.kept.Leader
	if k.Nobody.IsZero() {
		k.Nobody = l.now
	}
	l.waitFor(l.now.Sub(k.Nobody), orElse(l.step.Leader.Within, defaultLeaderWithin), why)
}

// leads reports whether an identity is that of a pod: its name, or that of its node where it shares the node's, alone or before
// what makes it unique, as client-go and controller-runtime do it.
func leads(p *corev1.Pod, identity string) bool {
	names := []string{p.Name}
	if p.Spec.HostNetwork && p.Spec.NodeName != "" {
		names = append(names, p.Spec.NodeName)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		rest, ok := strings.CutPrefix(identity, name)
		return ok && (rest == "" || rest[0] == '_' || rest[0] == '/')
	})
}
