package probing_test

import (
	"testing"

	"sluice.dev/sluice/internal/probing"
)

func TestACaseAnswersToWhatItIsBoundTo(t *testing.T) {
	proxy := probing.Event{Kind: probing.Deployed, Name: "DaemonSet/kube-system/kube-proxy"}
	dead := probing.Event{Kind: probing.NodeCondition, Name: "KernelDeadlock=True", Nodes: []string{"a"}}
	for _, c := range []struct {
		reason string
		on     probing.EventKind
		names  []string
		event  probing.Event
		want   bool
	}{
		{"no name is all names", probing.Deployed, nil, proxy, true},
		{"it is another kind", probing.BatchMoved, nil, proxy, false},
		{"the whole name", probing.Deployed, []string{"DaemonSet/kube-system/kube-proxy"}, proxy, true},
		{"the kind of a workload may be left out", probing.Deployed, []string{"kube-system/kube-proxy"}, proxy, true},
		{"its namespace may not", probing.Deployed, []string{"kube-proxy"}, proxy, false},
		{"it is of another kind", probing.Deployed, []string{"Deployment/kube-system/kube-proxy"}, proxy, false},
		{"one of several names", probing.Deployed, []string{"default/a", "kube-system/kube-proxy"}, proxy, true},
		{"an empty name is no name", probing.Deployed, []string{""}, proxy, false},
		{"a condition, whatever it has come to", probing.NodeCondition, []string{"KernelDeadlock"}, dead, true},
		{"a condition that has come to be", probing.NodeCondition, []string{"KernelDeadlock=True"}, dead, true},
		{"a condition that is over", probing.NodeCondition, []string{"KernelDeadlock=False"}, dead, false},
		{"another condition", probing.NodeCondition, []string{"Ready"}, dead, false},
		{"the beginning of a condition is none", probing.NodeCondition, []string{"Kernel"}, dead, false},
		{"a posted event", probing.Posted, []string{"etcd-restored"}, probing.Event{Kind: probing.Posted, Name: "etcd-restored"}, true},
		{"another posted event", probing.Posted, []string{"etcd"}, probing.Event{Kind: probing.Posted, Name: "etcd-restored"}, false},
	} {
		s := probing.ConfigSpec{Events: []probing.EventSpec{{On: "Never"}, {On: c.on, Names: c.names}}}
		if got := s.Answers(c.event); got != c.want {
			t.Errorf("%s: got %v", c.reason, got)
		}
	}
	if (&probing.ConfigSpec{}).Answers(proxy) {
		t.Error("a case that is bound to nothing answers")
	}
}

func TestTheKeyOfANodeIsItsOwn(t *testing.T) {
	one := probing.Event{Key: "x", Nodes: []string{"a", "b"}, NodeKeys: []string{"x/a", "x/b"}}
	for _, c := range []struct{ reason, node, want string }{
		{"the first", "a", "x/a"}, {"the second", "b", "x/b"}, {"the cluster", "", "x"}, {"a node that it is not about", "c", "x"},
	} {
		if got := one.KeyOf(c.node); got != c.want {
			t.Errorf("%s: got %q", c.reason, got)
		}
	}
	if got := (probing.Event{Key: "x", Nodes: []string{"a"}}).KeyOf("a"); got != "x" {
		t.Errorf("nodes without keys of their own: got %q", got)
	}
	if a, b := probing.Together([]string{"1", "2"}), probing.Together([]string{"2", "1", "2"}); a != b {
		t.Errorf("the order matters: %q and %q", a, b)
	}
	if got := probing.Together([]string{"1"}); got != "1" {
		t.Errorf("one alone: got %q", got)
	}
}
