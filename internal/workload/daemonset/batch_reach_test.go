package daemonset

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"sluice.dev/sluice/internal/workload"
	"sluice.dev/sluice/internal/workload/kit"
	"sluice.dev/sluice/pipelines"
)

// at is a slot as tables write it: n and o are pods at the new and at the old revision, capitals are ready, - is none; a cross
// behind it is a dead node, a star one that has come back.
func at(text string, set int) slot {
	s := slot{node: text, set: set}
	for _, c := range text {
		switch c {
		case 'x':
			s.dead = true
		case '*':
			s.returned = true
		case 'n', 'N', 'o', 'O':
			s.pod = &kit.Pod{Name: text, UID: types.UID(text), Hash: map[rune]string{'n': "new", 'N': "new", 'o': "old", 'O': "old"}[c], Ready: c == 'N' || c == 'O'}
		}
	}
	if s.pod != nil {
		s.pod.Ready = s.pod.Ready && !s.dead
	}
	return s
}

func TestReach(t *testing.T) {
	cases := map[string]struct {
		first, second string // node sets, slots apart by blanks
		set           int
		amount        pipelines.Amount
		budget        int
		chosen        string
		lost          int
		done          bool
		reason        string
	}{
		"first batch":             {"O1 O2 O3", "", 0, pipelines.Count(1), 1, "O1", 0, false, "one goes"},
		"not ready first":         {"O1 o2 O3", "", 0, pipelines.Count(1), 1, "o2", 0, false, "replacing it costs nothing"},
		"dead is no canary":       {"ox1 O2 O3", "", 0, pipelines.Count(1), 2, "O2", 0, false, "a pod that is evicted on a dead node stays for ever"},
		"dead uses the budget":    {"ox1 O2 O3", "", 0, pipelines.Count(1), 1, "", 0, false, "it is down, and died since the unit began"},
		"dead is passed over":     {"ox1 N2 O3", "", 0, pipelines.Count(1), 1, "", 0, true, "the batch is there without it"},
		"died after it moved":     {"nx1 O2 O3", "", 0, pipelines.Count(1), 2, "", 1, true, "no other node moves in its place"},
		"died while it moved":     {"-x1 O2 O3", "", 0, pipelines.Count(1), 2, "", 1, true, "it may come back at the revision"},
		"one of two died":         {"nx1 - O3", "", 0, pipelines.Count(2), 2, "", 1, false, "the other one is waited for"},
		"last batch":              {"N1 N2 ox3", "", 0, pipelines.Percent(100), 1, "", 1, true, "nothing else is left to move"},
		"last batch goes on":      {"N1 O2 ox3", "", 0, pipelines.Percent(100), 2, "O2", 1, false, "the living go on"},
		"none alive":              {"ox1 ox2", "", 0, pipelines.Count(1), 1, "", 1, true, "nobody is waited for"},
		"left in an earlier set":  {"N1 ox2", "O3 O4", 1, pipelines.Count(1), 2, "O3", 0, false, "the next set does not move for it"},
		"done beside earlier set": {"N1 ox2", "N3 O4", 1, pipelines.Count(1), 2, "", 0, true, "one of its own has moved"},
		"back in an earlier set":  {"N1 O2", "N3 O4", 1, pipelines.Count(1), 2, "O2", 0, false, "it came back and goes first"},
		"fills an earlier set":    {"N1 -", "N3 ox4", 1, pipelines.Count(1), 3, "", 0, false, "the dead node is not needed, and is no excuse"},
		"came back, goes last":    {"O1* O2", "", 0, pipelines.Count(1), 1, "O2", 0, false, "it might die again"},
		"came back, goes as well": {"O1* N2", "", 0, pipelines.Percent(100), 1, "O1*", 0, false, "before the unit ends"},
		"others made one anew":    {"O1 O2", "N3 O4", 0, pipelines.Count(1), 1, "", 0, true, "it uses the batch up"},
		"others' one has died":    {"O1 O2", "nx3 O4", 0, pipelines.Count(1), 2, "", 1, true, "it has used the batch up"},
		"not ready yet":           {"n1 O2", "", 0, pipelines.Count(1), 1, "", 0, false, "it is alive and waited for"},
	}
	for name, c := range cases {
		s := shot{totals: []int{0, 0}}
		for set, text := range []string{c.first, c.second} {
			for _, one := range fields(text) {
				s.slots = append(s.slots, at(one, set))
				s.totals[set]++
			}
		}
		to := kit.Aim{Revision: "new", Goal: workload.Goal{Sets: make([]pipelines.NodeSet, 2), Set: c.set, Amount: c.amount, MaxUnavailable: pipelines.Count(c.budget)}}
		s.reach = reachOf(s.slots, s.totals, to)
		now := time.Now()
		chosen := ""
		for _, p := range s.choose(to, 0, now, func(types.UID) bool { return false }) {
			chosen += p.Name
		}
		if done := s.done(to, 0, now); chosen != c.chosen || s.lost != c.lost || done != c.done {
			t.Errorf("%s: chose %q, lost %d, done %v; want %q, %d, %v: %s", name, chosen, s.lost, done, c.chosen, c.lost, c.done, c.reason)
		}
	}
}

func TestReachOfABatchThatGoesBack(t *testing.T) {
	cases := map[string]struct {
		first, second string // as in TestReach; new is the version of before
		set           int
		stays         pipelines.Amount
		budget        int
		chosen        string
		done          bool
		reason        string
	}{
		"the newest":              {"O1 O2 O3 N4", "", 0, pipelines.Count(1), 2, "O3O2", false, "they were made last"},
		"one at a time":           {"O1 O2 N3 N4", "", 0, pipelines.Count(0), 1, "O2", false, "all that are down use the budget up"},
		"broken ones at once":     {"O1 o2 o3 N4", "", 0, pipelines.Count(1), 1, "o3o2", false, "replacing them costs nothing"},
		"while one comes":         {"O1 - N3 N4", "", 0, pipelines.Count(1), 2, "", false, "it is waited for"},
		"there":                   {"O1 N2 N3 N4", "", 0, pipelines.Count(1), 2, "", true, "one stays"},
		"earlier sets stay":       {"O1 O2", "O3 N4", 1, pipelines.Count(0), 2, "O3", false, "they were judged good"},
		"old ones in these count": {"N1 O2", "O3 N4", 1, pipelines.Count(0), 2, "O3", false, "not for this set"},
		"later sets go first":     {"O1 O2 N3", "O4 N5", 0, pipelines.Count(1), 3, "O4O2", false, "what joined used the batch up"},
	}
	for name, c := range cases {
		s := shot{totals: []int{0, 0}}
		born := time.Now()
		for set, text := range []string{c.first, c.second} {
			for _, one := range fields(text) {
				s.slots = append(s.slots, at(one, set))
				if p := s.slots[len(s.slots)-1].pod; p != nil {
					born = born.Add(time.Second)
					p.Made = born
				}
				s.totals[set]++
			}
		}
		to := kit.Aim{Revision: "new", Retreats: true, Living: true, Goal: workload.Goal{
			Sets: make([]pipelines.NodeSet, 2), Set: c.set, Amount: c.stays, MaxUnavailable: pipelines.Count(c.budget),
		}}
		s.reach = reachOf(s.slots, s.totals, to)
		chosen := ""
		for _, p := range s.choose(to, 0, time.Now(), func(types.UID) bool { return false }) {
			chosen += p.Name
		}
		if done := s.done(to, 0, time.Now()); chosen != c.chosen || done != c.done {
			t.Errorf("%s: chose %q, done %v; want %q, %v: %s", name, chosen, done, c.chosen, c.done, c.reason)
		}
	}
}

func fields(text string) []string {
	var out []string
	for _, f := range []byte(text) {
		if f == ' ' || len(out) == 0 {
			out = append(out, "")
		}
		if f != ' ' {
			out[len(out)-1] += string(f)
		}
	}
	return out
}

// meadow is nodes that die and come back under a DaemonSet.
type meadow struct {
	nodes []grazer
	to    kit.Aim
}

type grazer struct {
	set              int
	alive            bool
	named            bool // it was dead when the unit began
	pod, hash, ready bool // there is one; at the new revision; ready
}

func (h *meadow) shot() shot {
	s := shot{totals: make([]int, len(h.to.Goal.Sets))}
	for i, n := range h.nodes {
		if !n.alive && n.named {
			continue
		}
		at := slot{node: fmt.Sprintf("%02d", i), set: n.set, dead: !n.alive, returned: n.named}
		if n.pod {
			at.pod = &kit.Pod{Name: at.node, UID: types.UID(strconv.Itoa(i)), Hash: map[bool]string{true: "new", false: "old"}[n.hash], Ready: n.ready && n.alive}
		}
		s.totals[n.set]++
		s.slots = append(s.slots, at)
	}
	s.reach = reachOf(s.slots, s.totals, h.to)
	return s
}

// turn lets the batch act once and returns whether it is done.
func (h *meadow) turn(t *rapid.T) bool {
	s := h.shot()
	now := time.Now()
	if s.done(h.to, 0, now) {
		return true
	}
	down, ready := 0, 0
	for _, at := range s.slots {
		down += int(kit.One(at.dead || at.pod == nil || !at.pod.Ready))
	}
	chosen := s.choose(h.to, 0, now, func(types.UID) bool { return false })
	for _, p := range chosen {
		i, _ := strconv.Atoi(string(p.UID))
		n := &h.nodes[i]
		if !n.alive || n.hash || n.set > h.to.Goal.Set {
			t.Fatalf("pod %s of set %d was chosen: alive %v, at the revision %v", p.Name, n.set, n.alive, n.hash)
		}
		ready += int(kit.One(n.ready))
		n.pod = false
	}
	if ready > 0 && down+ready > h.to.Goal.MaxUnavailable.Of(len(s.slots)) {
		t.Fatalf("%d ready pods were chosen beside %d that are down, maxUnavailable is %s", ready, down, h.to.Goal.MaxUnavailable)
	}
	if after := s.moved + s.going + len(chosen); len(chosen) > 0 && after > s.allowed {
		t.Fatalf("%d slots are at the revision or about to be, %d may be", after, s.allowed)
	}
	return false
}

// settle lets the cluster do its part: living nodes get the pods that they lack, and those get ready.
func (h *meadow) settle() {
	for i := range h.nodes {
		if n := &h.nodes[i]; n.alive {
			if !n.pod {
				n.pod, n.hash = true, true
			}
			n.ready = true
		}
	}
}

func TestFailureMode_DeadNodesHoldNobodyUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sets := rapid.IntRange(1, 3).Draw(t, "sets")
		h := &meadow{to: kit.Aim{Revision: "new", Goal: workload.Goal{Sets: make([]pipelines.NodeSet, sets)}}}
		for range rapid.IntRange(1, 14).Draw(t, "nodes") {
			alive := rapid.IntRange(0, 4).Draw(t, "alive") > 0
			h.nodes = append(h.nodes, grazer{
				set: rapid.IntRange(0, sets-1).Draw(t, "set"), alive: alive, named: !alive, pod: true,
				ready: alive && rapid.IntRange(0, 5).Draw(t, "ready") > 0,
			})
		}
		most := rapid.IntRange(1, 4).Draw(t, "maxUnavailable")
		h.to.Goal.MaxUnavailable = pipelines.Count(most)
		for set := range sets {
			for _, amount := range []pipelines.Amount{pipelines.Count(1), pipelines.Percent(50), pipelines.Percent(100)} {
				h.to.Goal.Set, h.to.Goal.Amount = set, amount
				for range rapid.IntRange(0, 3).Draw(t, "troubled turns") {
					for range rapid.IntRange(0, 2).Draw(t, "changes") {
						n := &h.nodes[rapid.IntRange(0, len(h.nodes)-1).Draw(t, "which")]
						n.alive = !n.alive || n.named // one that comes back stays: a second death is nobody's promise
					}
					if h.turn(t) {
						break
					}
					if rapid.Bool().Draw(t, "settles") {
						h.settle()
					}
				}
				h.rest(t)
			}
		}
		for i, n := range h.nodes {
			if n.alive && !n.hash {
				t.Fatalf("node %d is alive and not at the revision, and the unit is over", i)
			}
		}
	})
}

// rest plays a batch to its end while nothing more dies. Where dead nodes use the whole budget up it stands, as it is to: they
// come back then.
func (h *meadow) rest(t *rapid.T) {
	for range 4 * (len(h.nodes) + 1) {
		h.settle()
		if h.turn(t) {
			s := h.shot()
			b := s.batch(h.to)
			if b.Lost > 0 && b.UpdatedReady+b.Lost != b.Target {
				t.Fatalf("the batch ended with %d ready and %d lost of %d", b.UpdatedReady, b.Lost, b.Target)
			}
			if len(b.Pods) != int(b.Updated) {
				t.Fatalf("the batch has %d pods, and names %v", b.Updated, b.Pods)
			}
			if b.Lost == 0 && b.UpdatedReady < b.Target {
				t.Fatalf("the batch ended with %d ready of %d, and lost none", b.UpdatedReady, b.Target)
			}
			return
		}
	}
	s := h.shot()
	dead := 0
	for _, at := range s.slots {
		dead += int(kit.One(at.dead))
	}
	if dead < h.to.Goal.MaxUnavailable.Of(len(s.slots)) {
		t.Fatalf("the batch does not end, with %d dead nodes of a budget of %s: %+v", dead, h.to.Goal.MaxUnavailable, s.reach)
	}
	for i := range h.nodes {
		h.nodes[i].alive = true
	}
	h.rest(t)
}
