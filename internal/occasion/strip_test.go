package occasion

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/internal/probing"
)

var stamp = metav1.NewTime(time.Unix(1_700_000_000, 0))

// fat is a node as large clusters have it.
func fat(i int) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: fmt.Sprintf("node-%d", i), UID: "uid", CreationTimestamp: stamp, Labels: map[string]string{}, Annotations: map[string]string{},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet", Time: &stamp, FieldsV1: metav1.NewFieldsV1(strings.Repeat("f", 5000))}},
	}}
	n.Status.NodeInfo.BootID = "boot"
	for j := range 50 {
		n.Labels[fmt.Sprint("label", j)] = strings.Repeat("x", 40)
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{strings.Repeat("i", 100)}, SizeBytes: 1})
	}
	for _, kind := range []corev1.NodeConditionType{"Ready", "DiskPressure", "MemoryPressure", "PIDPressure", "NetworkUnavailable", "KernelDeadlock"} {
		n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{
			Type: kind, Status: "False", Reason: "Because", Message: strings.Repeat("m", 100), LastTransitionTime: stamp, LastHeartbeatTime: stamp,
		})
	}
	return n
}

// What is kept of 5,000 nodes is small, and what is judged by is all there.
func TestOfNodesAFewWordsAreKept(t *testing.T) {
	kept := make([]any, 5000)
	before := heap()
	for i := range kept {
		out, err := stripNode(fat(i))
		if err != nil {
			t.Fatal(err)
		}
		kept[i] = out
	}
	grown := heap() - before
	t.Logf("5,000 nodes take %d KiB", grown>>10)
	if grown > 20<<20 {
		t.Errorf("5,000 nodes take %d MiB", grown>>20)
	}
	if n := kept[7].(*corev1.Node); n.Name != "node-7" || n.UID != "uid" || n.Status.NodeInfo.BootID != "boot" || len(n.Status.Conditions) != 6 ||
		n.Status.Conditions[0].LastTransitionTime != stamp || n.CreationTimestamp != stamp {
		t.Errorf("too little is kept: %+v", n)
	}
	runtime.KeepAlive(kept)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What is stripped twice is as it was after the first time: a cache may do so.
func TestToStripTwiceIsToStripOnce(t *testing.T) {
	written := func(field string) []metav1.ManagedFieldsEntry {
		other := metav1.NewTime(stamp.Add(time.Hour))
		return []metav1.ManagedFieldsEntry{
			{Time: &other, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{}}`)}, {Time: &stamp, FieldsV1: metav1.NewFieldsV1(`{` + field + `:{}}`)},
		}
	}
	meta := metav1.ObjectMeta{Name: "a", Labels: map[string]string{probing.LabelRun: "r", "app": "a"}, Annotations: map[string]string{"x": "y"}}
	d := &appsv1.Deployment{ObjectMeta: *meta.DeepCopy()}
	d.Annotations[revisionAnnotation], d.ManagedFields = "7", written(numberOfDeployment)
	r := &appsv1.ControllerRevision{ObjectMeta: meta, Revision: 7, Data: kruntime.RawExtension{Raw: []byte(`{"spec": {}}`)}}
	r.ManagedFields = written(numberOfRevision)
	p := &corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{NodeName: "n", Containers: make([]corev1.Container, 3)}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", ContainerID: "x", State: corev1.ContainerState{
		Running: &corev1.ContainerStateRunning{StartedAt: stamp},
	}}}
	for _, c := range []struct {
		strip func(any) (any, error)
		of    metav1.Object
	}{{stripNode, fat(1)}, {stripPod, p}, {stripWorkload, d}, {stripWorkload, r}, {stripWorkload, &appsv1.DaemonSet{ObjectMeta: meta}},
		{stripWorkload, &appsv1.StatefulSet{ObjectMeta: meta}}} {
		once, err := c.strip(c.of)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := c.strip(once)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text(t, once), text(t, twice)); diff != "" {
			t.Errorf("%T: %s", c.of, diff)
		}
		if kept := once.(metav1.Object).GetManagedFields(); len(kept) > 1 || len(kept) == 1 && !kept[0].Time.Equal(&stamp) {
			t.Errorf("%T: of who wrote it is kept %+v", c.of, kept)
		}
		if _, there := once.(metav1.Object).GetLabels()["app"]; there {
			t.Errorf("%T: a label is kept that nobody goes by", c.of)
		}
	}
}

func text(t *testing.T, of any) string {
	t.Helper()
	out, err := json.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
