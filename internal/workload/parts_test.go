package workload

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestFailureMode_R38_Clocks(t *testing.T) {
	now := time.Now()
	const least = 10 * time.Second
	cases := map[string]struct {
		pod    pod
		in     time.Duration
		ready  bool
		reason string
	}{
		"not ready":            {pod{}, 0, false, "it is not up"},
		"being deleted":        {pod{ready: true, deleting: true}, 0, false, "it is on its way out"},
		"seen for long enough": {pod{ready: true, readySince: now, seenReady: now.Add(-least)}, 0, true, "our own clock counts"},
		"just seen":            {pod{ready: true, readySince: now.Add(-30 * time.Second), seenReady: now}, least, true, "the node's clock may be wrong by that"},
		"clock in the future":  {pod{ready: true, readySince: now.Add(time.Hour), seenReady: now.Add(-4 * time.Second)}, 6 * time.Second, true, "the node's clock does not matter"},
		"ready for hours":      {pod{ready: true, readySince: now.Add(-time.Hour), seenReady: now}, 0, true, "no clock is that wrong"},
	}
	for name, c := range cases {
		if in, ready := c.pod.availableIn(least, now); in != c.in || ready != c.ready {
			t.Errorf("%s: got %v, %v, want %v, %v: %s", name, in, ready, c.in, c.ready, c.reason)
		}
	}
}

func TestPlacement(t *testing.T) {
	tainted := []corev1.Taint{{Key: "dedicated", Value: "db", Effect: corev1.TaintEffectNoSchedule}}
	cases := map[string]struct {
		spec   map[string]any
		node   node
		want   bool
		reason string
	}{
		"any node":           {map[string]any{}, node{name: "n"}, true, "nothing narrows it"},
		"selector holds":     {map[string]any{"nodeSelector": map[string]any{"pool": "a"}}, node{labels: map[string]string{"pool": "a"}}, true, ""},
		"selector fails":     {map[string]any{"nodeSelector": map[string]any{"pool": "a"}}, node{labels: map[string]string{"pool": "b"}}, false, ""},
		"tainted":            {map[string]any{}, node{taints: tainted}, false, "the taint keeps pods off"},
		"tolerated":          {map[string]any{"tolerations": []any{map[string]any{"key": "dedicated", "operator": "Exists"}}}, node{taints: tainted}, true, ""},
		"wrong value":        {map[string]any{"tolerations": []any{map[string]any{"key": "dedicated", "value": "web"}}}, node{taints: tainted}, false, ""},
		"prefer only":        {map[string]any{}, node{taints: []corev1.Taint{{Key: "x", Effect: corev1.TaintEffectPreferNoSchedule}}}, true, "it only asks"},
		"cordoned":           {map[string]any{}, node{taints: []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}}, true, "a DaemonSet's pods tolerate it"},
		"not ready":          {map[string]any{}, node{taints: []corev1.Taint{{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute}}}, true, "a DaemonSet's pods tolerate it"},
		"network, pod's own": {map[string]any{}, node{taints: []corev1.Taint{{Key: corev1.TaintNodeNetworkUnavailable, Effect: corev1.TaintEffectNoSchedule}}}, false, "only the host's network works there"},
		"network, host's":    {map[string]any{"hostNetwork": true}, node{taints: []corev1.Taint{{Key: corev1.TaintNodeNetworkUnavailable, Effect: corev1.TaintEffectNoSchedule}}}, true, ""},
		"affinity by name":   {affinity("matchFields", "metadata.name", "In", "n"), node{name: "n"}, true, ""},
		"affinity excludes":  {affinity("matchExpressions", "pool", "NotIn", "a"), node{labels: map[string]string{"pool": "a"}}, false, ""},
		"affinity missing":   {affinity("matchExpressions", "pool", "NotIn", "a"), node{}, true, "what has no such label is not in"},
		"affinity greater":   {affinity("matchExpressions", "cpus", "Gt", "4"), node{labels: map[string]string{"cpus": "8"}}, true, ""},
		"affinity no number": {affinity("matchExpressions", "cpus", "Gt", "4"), node{labels: map[string]string{"cpus": "many"}}, false, ""},
	}
	for name, c := range cases {
		place, err := newPlacement(map[string]any{"spec": c.spec})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := place.fits(c.node); got != c.want {
			t.Errorf("%s: got %v, want %v: %s", name, got, c.want, c.reason)
		}
	}
}

func affinity(kind, key, operator, value string) map[string]any {
	term := map[string]any{kind: []any{map[string]any{"key": key, "operator": operator, "values": []any{value}}}}
	required := map[string]any{"nodeSelectorTerms": []any{term}}
	return map[string]any{"affinity": map[string]any{"nodeAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": required}}}
}

func TestCarries(t *testing.T) {
	template := func(containers ...any) map[string]any {
		return map[string]any{"spec": map[string]any{"containers": containers}}
	}
	rendered := template(map[string]any{"name": "a", "image": "a:1", "resources": map[string]any{"requests": map[string]any{"cpu": "1000m"}}})
	cases := map[string]struct {
		live   map[string]any
		want   bool
		reason string
	}{
		"the same, written otherwise": {template(map[string]any{"name": "a", "image": "a:1", "resources": map[string]any{"requests": map[string]any{"cpu": "1"}}}), true, "1000m is 1"},
		"with defaults and a sidecar": {template(map[string]any{"name": "a", "image": "a:1", "imagePullPolicy": "Always", "resources": map[string]any{"requests": map[string]any{"cpu": "1"}}}, map[string]any{"name": "sidecar", "image": "s:1"}), true, "what others add does not matter"},
		"another image":               {template(map[string]any{"name": "a", "image": "a:2", "resources": map[string]any{"requests": map[string]any{"cpu": "1"}}}), false, "it is another version"},
		"a field is missing":          {template(map[string]any{"name": "a", "image": "a:1"}), false, "the request is gone"},
	}
	for name, c := range cases {
		if got := carries(c.live, rendered); got != c.want {
			t.Errorf("%s: got %v, want %v: %s", name, got, c.want, c.reason)
		}
	}
}

func TestRemadeLeavesWhatOthersOwn(t *testing.T) {
	shape := func(replicas int64, image, sidecar string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "a"},
			"spec": map[string]any{"replicas": replicas, "template": map[string]any{"spec": map[string]any{"containers": []any{
				map[string]any{"name": "a", "image": image}, map[string]any{"name": "b", "image": sidecar},
			}}}},
		}}
	}
	got, err := remade(shape(3, "a:2", "b:1"), shape(7, "a:2", "b:9"), shape(3, "a:1", "b:1"), appsv1.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shape(7, "a:1", "b:9").Object, got.Object); diff != "" {
		t.Errorf("more than the run's change went back (-want +got):\n%s", diff)
	}
	enforced, err := enforced(templateOf(got), templateOf(shape(3, "a:1", "b:1")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(templateOf(shape(3, "a:1", "b:1")), enforced); diff != "" {
		t.Errorf("the template is not the way back's (-want +got):\n%s", diff)
	}
}

func TestRestored(t *testing.T) {
	object := func(spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"kind": "DaemonSet", "spec": spec}}
	}
	fields := []string{"updateStrategy"}
	rolling := func(most any) map[string]any {
		return map[string]any{"updateStrategy": map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxUnavailable": most}}}
	}
	cases := map[string]struct {
		recorded, rendered *unstructured.Unstructured
		owner              map[string]any
		want               string
		reason             string
	}{
		"not rendered":      {object(map[string]any{}), object(map[string]any{}), rolling("5%"), `{"updateStrategy":{"rollingUpdate":{"maxUnavailable":"5%"},"type":"RollingUpdate"}}`, "it stays as the owner had it"},
		"rendered anew":     {object(map[string]any{}), object(rolling(int64(3))), rolling("5%"), `{"updateStrategy":{"rollingUpdate":{"maxUnavailable":3},"type":"RollingUpdate"}}`, "the target says more"},
		"no more rendered":  {object(rolling(int64(3))), object(map[string]any{}), rolling(int64(3)), `{}`, "what was recorded and is rendered no more goes away"},
		"a part of it":      {object(map[string]any{}), object(map[string]any{"updateStrategy": map[string]any{"type": "RollingUpdate"}}), rolling("5%"), `{"updateStrategy":{"rollingUpdate":{"maxUnavailable":"5%"},"type":"RollingUpdate"}}`, "what is not rendered stays"},
		"first of its kind": {nil, object(rolling(int64(2))), map[string]any{}, `{"updateStrategy":{"rollingUpdate":{"maxUnavailable":2},"type":"RollingUpdate"}}`, "there was none before"},
	}
	for name, c := range cases {
		got, err := restored(c.recorded, c.rendered, c.owner, fields)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := (&unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "X", "spec": got}}).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		want := `{"apiVersion":"v1","kind":"X","spec":` + c.want + "}\n"
		if string(text) != want {
			t.Errorf("%s: got %s, want %s: %s", name, text, want, c.reason)
		}
	}
}
