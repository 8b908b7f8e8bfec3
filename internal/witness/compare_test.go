package witness_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/witness"
)

func TestMoved(t *testing.T) {
	base := witness.Snapshot{
		Pods: []witness.Pod{
			{Namespace: "a", Name: "p1", UID: "1", Image: "r/agent:1.0.0"},
			{Namespace: "a", Name: "p2", UID: "2", Image: "r/agent:1.0.0"},
		},
		Objects: []witness.Object{{Kind: "DaemonSet", Namespace: "a", Name: "agent", UID: "9", Generation: 1, Version: "10"}},
	}
	tests := map[string]struct {
		reason string
		after  witness.Snapshot
		want   []string
	}{
		"Same": {
			reason: "a pod's own resourceVersion and labels are not a move",
			after: witness.Snapshot{
				Pods: []witness.Pod{
					{Namespace: "a", Name: "p2", UID: "2", Image: "r/agent:1.0.0", Version: "77"},
					{Namespace: "a", Name: "p1", UID: "1", Image: "r/agent:1.0.0"},
				},
				Objects: base.Objects,
			},
		},
		"PodMadeAnewUnderItsName": {
			reason: "a UID tells two pods of one name apart",
			after: witness.Snapshot{
				Pods:    []witness.Pod{{Namespace: "a", Name: "p1", UID: "3", Image: "r/agent:1.0.0"}, base.Pods[1]},
				Objects: base.Objects,
			},
			want: []string{"pod a/p1 was made anew"},
		},
		"PodsComeAndGo": {
			reason: "a replaced pod of a DaemonSet has another name",
			after: witness.Snapshot{
				Pods:    []witness.Pod{base.Pods[0], {Namespace: "a", Name: "p3", UID: "3", Image: "r/agent:2.0.0"}},
				Objects: base.Objects,
			},
			want: []string{"pod a/p2 went", "pod a/p3 came, with image r/agent:2.0.0"},
		},
		"Restarted": {
			reason: "a container that crashed did not stay as it was",
			after: witness.Snapshot{
				Pods:    []witness.Pod{{Namespace: "a", Name: "p1", UID: "1", Image: "r/agent:1.0.0", Restarts: 1}, base.Pods[1]},
				Objects: base.Objects,
			},
			want: []string{"pod a/p1 had 0 restarts and has 1"},
		},
		"ObjectWritten": {
			reason: "a write that leaves the spec alone still changes the resourceVersion",
			after: witness.Snapshot{
				Pods:    base.Pods,
				Objects: []witness.Object{{Kind: "DaemonSet", Namespace: "a", Name: "agent", UID: "9", Generation: 1, Version: "11"}},
			},
			want: []string{"DaemonSet a/agent had resourceVersion 10 and has 11"},
		},
		"ObjectCame": {
			reason: "a new ConfigMap is a write too",
			after: witness.Snapshot{
				Pods:    base.Pods,
				Objects: append([]witness.Object{{Kind: "ConfigMap", Namespace: "a", Name: "agent-x"}}, base.Objects...),
			},
			want: []string{"ConfigMap a/agent-x came"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, witness.Moved(base, tc.after)); diff != "" {
				t.Errorf("%s\nMoved(): -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRunning(t *testing.T) {
	tests := map[string]struct {
		reason string
		pods   []witness.Pod
		want   string
	}{
		"Nothing":    {reason: "no pods is no version", want: "nothing"},
		"OneVersion": {reason: "the tag is what is after the last colon of the name", pods: []witness.Pod{{Image: "host:5000/agent:2.0.0", Ready: true}, {Image: "host:5000/agent:2.0.0@sha256:aa"}}, want: "2.0.0 (1 of 2 ready)"},
		"TwoVersions": {
			reason: "each version with its pods; a pod that is being deleted is on its way out",
			pods:   []witness.Pod{{Image: "agent:1.0.0", Ready: true}, {Image: "agent:2.0.0", Ready: true}, {Image: "agent:2.0.0", Deleting: true}},
			want:   "1 x 1.0.0, 1 x 2.0.0 (2 of 2 ready)",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (witness.Snapshot{Pods: tc.pods}).Running(); got != tc.want {
				t.Errorf("%s: Running() = %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestRecording(t *testing.T) {
	pod := func(uid, node, tag string, ready bool) witness.Pod {
		return witness.Pod{UID: uid, Node: node, Image: "agent:" + tag, Ready: ready}
	}
	rec := witness.Recording{
		{Pod: pod("1", "n1", "1", true)},
		{Pod: pod("2", "n2", "1", true)},
		{Pod: pod("3", "n3", "1", true)},
		{Pod: pod("1", "n1", "1", true), Gone: true},
		{Pod: pod("2", "n2", "1", true), Gone: true}, // two are down
		{Pod: pod("4", "n1", "2", false)},
		{Pod: pod("4", "n1", "2", true)},
		{Pod: pod("5", "n2", "2", true)}, // two are new
		{Pod: pod("5", "n2", "2", true), Gone: true},
		{Pod: pod("6", "n2", "2", true)}, // made twice on n2, never three at once
	}
	if got := rec.MostWithTag("2"); got != 2 {
		t.Errorf("MostWithTag(2) = %d, want 2", got)
	}
	if got := rec.MostUnavailable(3); got != 2 {
		t.Errorf("MostUnavailable(3) = %d, want 2: the coming up at the start does not count", got)
	}
	if diff := cmp.Diff(map[string]int{"n1": 1, "n2": 2}, rec.Made("2")); diff != "" {
		t.Errorf("Made(2): -want +got:\n%s", diff)
	}
}
