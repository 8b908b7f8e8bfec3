package demo

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/witness"
)

// playOf is a play of two clusters of three nodes, and what the witness sees of it where all goes well.
func playOf() (*play, snapshots) {
	p := &play{o: Options{Stdout: &bytes.Buffer{}}, shape: shape{clusters: []string{"a", "b"}, nodes: 3}, report: &Report{}}
	seen := snapshots{}
	for _, cluster := range p.shape.clusters {
		s := witness.Snapshot{Cluster: cluster, Objects: []witness.Object{{Kind: "DaemonSet", Namespace: nodeAgent, Name: nodeAgent, Version: "7"}}}
		for i := range p.shape.nodes {
			s.Pods = append(s.Pods, witness.Pod{Namespace: nodeAgent, Name: fmt.Sprint("p", i), UID: fmt.Sprint(cluster, i), Image: "agent:2.0.0", Ready: true})
		}
		s.Pods = append(s.Pods, witness.Pod{Namespace: controller, Name: "c", UID: cluster + "c", Image: "controller:2.0.0", Ready: true})
		seen[cluster] = s
	}
	return p, seen
}

// replaced is a snapshot in which some pods were made anew.
func replaced(s witness.Snapshot, uids ...string) witness.Snapshot {
	s.Pods = append([]witness.Pod(nil), s.Pods...)
	for i := range s.Pods {
		for _, uid := range uids {
			if s.Pods[i].UID == uid {
				s.Pods[i].UID += "-again"
			}
		}
	}
	return s
}

func ofBad(n int) witness.Recording {
	var rec witness.Recording
	for i := range n {
		rec = append(rec, witness.Event{Pod: witness.Pod{UID: fmt.Sprint("bad", i), Node: fmt.Sprint("n", i), Image: "agent:" + crashingTag}})
	}
	return rec
}

func TestProveBad(t *testing.T) {
	stopped := &Blocked{Run: "node-agent-3", Cluster: "a", At: "g/a/all/1", Check: rulesCheck, Verdict: "Failed"}
	asTold := Rolled{Name: "node-agent-3", Units: []Unit{
		{Path: "g/a", Cluster: "a", Phase: "RolledBack", Moved: true, Blocked: stopped, Batches: []Batch{{Number: 1, Size: 1}}},
		{Path: "g/b", Cluster: "b", Phase: "Skipped"},
	}}
	byLogs := asTold
	byLogs.Units = []Unit{asTold.Units[0], asTold.Units[1]}
	byLogs.Units[0].Blocked = &Blocked{Run: "node-agent-3", Cluster: "a", At: "g/a/all/1", Check: logsCheck, Verdict: "Failed"}
	crashes := bad{rollout: rollout{component: nodeAgent}, tag: crashingTag, check: rulesCheck}
	byProbe := func(message string, verdicts ...Verdict) Rolled {
		return Rolled{Name: "node-agent-3", Units: []Unit{{
			Path: "g/a", Cluster: "a", Phase: "RolledBack", Moved: true, Batches: []Batch{{Number: 1, Size: 1, Verdicts: verdicts}},
			Blocked: &Blocked{Run: "node-agent-3", Cluster: "a", At: "g/a/all/1", Check: usersCheck, Verdict: "Failed", Message: message},
		}}}
	}
	fails := bad{
		rollout: rollout{component: nodeAgent}, tag: crashingTag, check: usersCheck, says: "web-answers failed", content: []string{rulesCheck},
	}
	well := Verdict{Check: rulesCheck, At: "afterBatch", Verdict: "Passed"}
	soaked := asTold
	soaked.Units = []Unit{byLogs.Units[0], asTold.Units[1]}
	soaked.Units[0].Batches = []Batch{{Number: 1, Size: 1, Verdicts: []Verdict{{Check: "batch-is-ready", At: "afterBatch", Verdict: "Passed"}}}}
	panics := bad{rollout: rollout{component: nodeAgent}, tag: crashingTag, check: logsCheck, early: true}
	_, before := playOf()
	after := snapshots{"a": replaced(before["a"], "a0"), "b": before["b"]}
	written := before["b"]
	written.Objects = []witness.Object{{Kind: "DaemonSet", Namespace: nodeAgent, Name: nodeAgent, Version: "8"}}

	tests := map[string]struct {
		reason     string
		bad        bad // crashes unless it is said
		run        Rolled
		after      snapshots
		recordings map[string]witness.Recording
		want       string // in the error; "" for none
	}{
		"AsTold": {
			reason: "one pod of one cluster was replaced and is back",
			run:    asTold, after: after, recordings: map[string]witness.Recording{"a": ofBad(1)},
		},
		"SecondPodOfTheBadVersion": {
			reason: "the first batch is one pod",
			run:    asTold, after: after, recordings: map[string]witness.Recording{"a": ofBad(2)},
			want: "2 pods of the bad version",
		},
		"StoppedByAnotherCheck": {
			reason: "each bad version is there to show one check",
			run:    byLogs, after: after, recordings: map[string]witness.Recording{"a": ofBad(1)},
			want: "should have been stopped by pods-stay-healthy, and was by no-panics",
		},
		"StoppedEarly": {
			reason: "logs are read while the batch soaks",
			bad:    panics, run: byLogs, after: after, recordings: map[string]witness.Recording{"a": ofBad(1)},
		},
		"StoppedLate": {
			reason: "what the checks after the batch would have found as well shows nothing",
			bad:    panics, run: soaked, after: after, recordings: map[string]witness.Recording{"a": ofBad(1)},
			want: "before its batch had soaked, and batch-is-ready was asked after it",
		},
		"StoppedByACase": {
			reason: "a probe finds what no other check sees",
			bad:    fails, run: byProbe("web-answers failed: NotAnswered", well), after: after, recordings: map[string]witness.Recording{"a": ofBad(1)},
		},
		"AnotherCase": {
			reason: "the case that is there for it is named",
			bad:    fails, run: byProbe("pod-life failed", well), after: after, recordings: map[string]witness.Recording{"a": ofBad(1)},
			want: "because of web-answers failed, and was because of: pod-life failed",
		},
		"SeenByOthersToo": {
			reason: "where a rule sees it as well, the probe shows nothing",
			bad:    fails, run: byProbe("web-answers failed", well, Verdict{Check: rulesCheck, Verdict: "Failed"}), after: after,
			recordings: map[string]witness.Recording{"a": ofBad(1)}, want: "check pods-stay-healthy of run node-agent-3 should have seen nothing wrong",
		},
		"OthersNotAsked": {
			reason: "who was not asked has not seen that all is well",
			bad:    fails, run: byProbe("web-answers failed"), after: after, recordings: map[string]witness.Recording{"a": ofBad(1)},
			want: "check pods-stay-healthy of run node-agent-3 should have seen nothing wrong",
		},
		"AnotherClusterWritten": {
			reason: "a write without a pod is a touch too",
			run:    asTold, after: snapshots{"a": after["a"], "b": written}, recordings: map[string]witness.Recording{"a": ofBad(1)},
			want: "b should not have been touched",
		},
		"BadPodElsewhereThatIsGone": {
			reason: "what came and went between the snapshots is in the recording",
			run:    asTold, after: after, recordings: map[string]witness.Recording{"a": ofBad(1), "b": ofBad(1)},
			want: "b should not have been touched",
		},
		"MorePodsReplacedThanTheBatch": {
			reason: "the rollback must leave alone what had not moved",
			run:    asTold, after: snapshots{"a": replaced(before["a"], "a0", "a1"), "b": before["b"]}, recordings: map[string]witness.Recording{"a": ofBad(1)},
			want: "2 of 3 pods of node-agent should be the ones of before in a, and 1 are",
		},
		"OtherComponentTouched": {
			reason: "the controller of the same cluster is none of the run's business",
			run:    asTold, after: snapshots{"a": replaced(before["a"], "a0", "ac"), "b": before["b"]}, recordings: map[string]witness.Recording{"a": ofBad(1)},
			want: "controller of a should not have been touched",
		},
		"TwoUnitsMoved": {
			reason: "one had to be enough",
			run: Rolled{Name: "node-agent-3", Units: []Unit{
				asTold.Units[0], {Path: "g/b", Cluster: "b", Phase: "RolledBack", Moved: true, Blocked: stopped},
			}},
			after: after, want: "one unit of run node-agent-3 should have moved, and 2 have",
		},
		"RolledBackWithoutAReason": {
			reason: "a rollback that no check asked for is not what is told",
			run:    Rolled{Name: "node-agent-3", Units: []Unit{{Path: "g/a", Cluster: "a", Phase: "RolledBack", Moved: true}}},
			after:  after, want: "should have been stopped by a check",
		},
		"SecondBatchBegun": {
			reason: "it had to be stopped before",
			run: Rolled{Name: "node-agent-3", Units: []Unit{{
				Path: "g/a", Cluster: "a", Phase: "RolledBack", Moved: true, Blocked: stopped, Batches: []Batch{{Number: 1, Size: 1}, {Number: 2, Size: 2}},
			}}},
			after: after, want: "stopped in its first batch, and began 2",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := playOf()
			if tc.bad.tag == "" {
				tc.bad = crashes
			}
			err := p.proveBad(tc.bad, tc.run, before, tc.after, tc.recordings)
			if got := fmt.Sprint(err); (tc.want == "") != (err == nil) || !strings.Contains(got, tc.want) {
				t.Errorf("%s: proveBad() = %v, want an error with %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestProveGood(t *testing.T) {
	made := func(nodes ...string) witness.Recording {
		var rec witness.Recording
		for i, n := range nodes {
			rec = append(rec, witness.Event{Pod: witness.Pod{UID: fmt.Sprint(i), Node: n, Image: "agent:2.0.0", Ready: true}})
		}
		return rec
	}
	away := append(witness.Recording{
		{Pod: witness.Pod{UID: "x", Ready: true}}, {Pod: witness.Pod{UID: "y", Ready: true}}, {Pod: witness.Pod{UID: "z", Ready: true}},
		{Pod: witness.Pod{UID: "x"}, Gone: true}, {Pod: witness.Pod{UID: "y"}, Gone: true},
	}, made("n1", "n2", "n3")...)
	tests := map[string]struct {
		reason string
		a      witness.Recording
		want   string
	}{
		"Once":         {reason: "each node once", a: made("n1", "n2", "n3")},
		"Twice":        {reason: "a pod that is replaced twice was moved twice", a: made("n1", "n2", "n3", "n3"), want: "node n3 got a pod of node-agent 2.0.0 2 times"},
		"NodeLeftOut":  {reason: "every node has one", a: made("n1", "n2"), want: "on 2 of 3 nodes"},
		"TooManyAway":  {reason: "25% of 3 is 1", a: away, want: "2 pods of node-agent were away at once in a, at most 1"},
		"NothingKnown": {reason: "no recording proves nothing", a: nil, want: "on 0 of 3 nodes"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := playOf()
			err := p.proveGood(map[string]witness.Recording{"a": tc.a, "b": made("n1", "n2", "n3")})
			if got := fmt.Sprint(err); (tc.want == "") != (err == nil) || !strings.Contains(got, tc.want) {
				t.Errorf("%s: proveGood() = %v, want an error with %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestProveAsked(t *testing.T) {
	whole := func(cluster string) Unit {
		u := Unit{Cluster: cluster}
		for _, a := range asked {
			u.Verdicts = append(u.Verdicts, Verdict{Check: a.check, Verdict: "Passed", Message: a.check + " is content"})
		}
		return u
	}
	failed, without := whole("b"), whole("b")
	failed.Verdicts[1].Verdict = "Inconclusive"
	without.Verdicts = without.Verdicts[:len(asked)-1]
	tests := map[string]struct {
		reason string
		b      Unit
		want   string
	}{
		"All":         {reason: "each kind was asked everywhere", b: whole("b")},
		"NotPassed":   {reason: "a check that could not tell proves nothing", b: failed, want: "check api-answers of run r should have passed, and is Inconclusive"},
		"NotAsked":    {reason: "no silence is a pass", b: without, want: "check smoke-test of run r should have been asked in b, and was not"},
		"NothingSeen": {reason: "nor is a cluster that is left out", b: Unit{Cluster: "b"}, want: "check open of run r should have been asked in b"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := playOf()
			err := p.proveAsked(Rolled{Name: "r", Units: []Unit{whole("a"), tc.b}})
			if got := fmt.Sprint(err); (tc.want == "") != (err == nil) || !strings.Contains(got, tc.want) {
				t.Errorf("%s: proveAsked() = %v, want an error with %q", tc.reason, err, tc.want)
			}
			if shown := fmt.Sprint(p.o.Stdout); tc.want == "" && !strings.Contains(shown, "smoke-test is content") {
				t.Errorf("it does not show what was seen:\n%s", shown)
			}
		})
	}
}

func TestRolledOf(t *testing.T) {
	got := rolledOf(api.RunStatus{
		Name:  "node-agent-2",
		Moves: []string{"g/b", "g/a"},
		Stages: []api.StageStatus{{Name: "s", Units: []api.UnitStatus{
			{Path: "g/a", Cluster: "a"}, {Path: "g/b", Cluster: "b"}, {Path: "g/c", Cluster: "c"},
		}}},
	}, 0)
	var order []string
	for _, u := range got.Units {
		order = append(order, u.Path)
	}
	if diff := cmp.Diff([]string{"g/b", "g/a", "g/c"}, order); diff != "" {
		t.Errorf("units go in the order in which they moved, then those that did not: -want +got:\n%s", diff)
	}
}
