package agent

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/uplink"
)

// findingsFile is where an agent keeps what probes found until the server has heard it.
const findingsFile = "probes"

// Bounds of what waits.
const (
	maxWaiting  = 20_000      // outcomes: the oldest are left out, and counted
	maxOutcomes = 32 << 20    // bytes of them: what cases say is long, or short
	maxStanding = 20_000      // cases at targets
	maxTurns    = 5_000       // of a cluster
	maxFindings = 64 << 20    // bytes: it is written anew then, without what has been overtaken
	fewFindings = 1 << 20     // bytes: they are written anew each time that something is told
	settleMany  = time.Minute // between two times that more are
	saidAtOnce  = 500         // states, and as many outcomes, of one cluster in one call
	saidSize    = 1 << 20     // bytes in one call
)

// standing is a case at a target.
type standing struct{ cluster, probeCase, target string }

// waiting is an outcome that waits, and how many bytes it takes.
type waiting struct {
	*probing.Outcome
	size int
}

// findings keep on disk what probes found and the server has not heard: the last state of each case at each target, and outcomes as far as
// there is room. Each line of the file is something that was said; what has been heard leaves it.
type findings struct {
	file string
	wake chan struct{} // something waits

	mu       sync.Mutex
	heads    map[string]*probing.Said // by cluster: when it spoke last, what it has, what has gone, and what was left out
	stands   map[standing]*probing.Stand
	outcomes []waiting // in order
	bytes    int       // that they take
	size     int64     // of the file, as far as it is whole
	torn     bool      // what comes after that is half a line
	refused  map[item]*refusal
	took     time.Time // when the server took something last
	settled  time.Time // when the file came to hold no more than what waits
}

// openFindings reads what has not been heard before.
func openFindings(file string) (*findings, error) {
	s := &findings{
		file: file, wake: make(chan struct{}, 1), heads: map[string]*probing.Said{}, stands: map[standing]*probing.Stand{},
		refused: map[item]*refusal{},
	}
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Internal, err, "cannot read what probes found")
	}
	for line := range bytes.Lines(data) {
		var one probing.Said
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &one) != nil {
			s.torn = true
			continue
		}
		s.put(one)
	}
	s.size = int64(len(data))
	s.rouse()
	return s, nil
}

// add keeps what was said. It is fault.Internal where the disk does not take it: whoever says it says it again.
func (s *findings) add(_ context.Context, one probing.Said) error {
	line, err := json.Marshal(one)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot keep what probes of cluster %s found", one.Cluster)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.torn || s.size > maxFindings {
		if err := s.rewrite(); err != nil {
			return err
		}
	}
	if err := appendLine(s.file, append(line, '\n')); err != nil {
		s.torn = true
		return fault.Wrap(fault.Internal, err, "cannot keep what probes of cluster %s found", one.Cluster)
	}
	s.size += int64(len(line)) + 1
	var own probing.Said // whoever said it may go on changing what it had
	if err := json.Unmarshal(line, &own); err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot keep what probes of cluster %s found", one.Cluster)
	}
	s.put(own)
	s.rouse()
	return nil
}

// rouse wakes whoever tells the server.
func (s *findings) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// put has it wait. What it says of a case at a target stands in the place of what was said of that before.
func (s *findings) put(one probing.Said) {
	head := s.heads[one.Cluster]
	if head == nil {
		head = &probing.Said{Cluster: one.Cluster}
		s.heads[one.Cluster] = head
	}
	head.Dropped += one.Dropped
	head.Turns = append(head.Turns, one.Turns...)
	if one.At.After(head.At) {
		head.At = one.At
	}
	if one.Whole {
		maps.DeleteFunc(s.stands, func(k standing, _ *probing.Stand) bool {
			return k.cluster == one.Cluster && !slices.Contains(one.Cases, k.probeCase)
		})
		head.Whole, head.Cases, head.Gone = true, slices.Sorted(slices.Values(one.Cases)), nil
	}
	for _, probeCase := range one.Gone {
		head.Cases = slices.DeleteFunc(head.Cases, func(c string) bool { return c == probeCase })
		maps.DeleteFunc(s.stands, func(k standing, _ *probing.Stand) bool {
			return k.cluster == one.Cluster && k.probeCase == probeCase
		})
		if !slices.Contains(head.Gone, probeCase) {
			head.Gone = append(head.Gone, probeCase)
		}
	}
	for i := range one.Stands {
		stand := &one.Stands[i]
		key := standing{one.Cluster, stand.Case, stand.Target}
		was, there := s.stands[key]
		if there && was.State != stand.State && stand.Since.After(was.Since) {
			head.Turns = append(head.Turns, probing.Turn{Case: was.Case, Target: was.Target, State: was.State, Since: was.Since})
		}
		if there || len(s.stands) < maxStanding {
			s.stands[key] = stand
		}
		head.Gone = slices.DeleteFunc(head.Gone, func(gone string) bool { return gone == stand.Case })
		if i, there := slices.BinarySearch(head.Cases, stand.Case); head.Whole && !there {
			head.Cases = slices.Insert(head.Cases, i, stand.Case)
		}
	}
	for i := range one.Outcomes {
		o := &one.Outcomes[i]
		o.Cluster = one.Cluster
		s.outcomes = append(s.outcomes, waiting{o, sizeOf(o)})
		s.bytes += s.outcomes[len(s.outcomes)-1].size
	}
	if more := len(head.Turns) - maxTurns; more > 0 {
		head.Turns, head.Dropped = slices.Clone(head.Turns[more:]), head.Dropped+int64(more)
	}
	s.leaveOut()
}

// leaveOut has the oldest outcomes not wait any more that there is no room for: what passed goes before what did not.
func (s *findings) leaveOut() {
	left := len(s.outcomes)
	for _, also := range []bool{false, true} {
		if left <= maxWaiting && s.bytes <= maxOutcomes {
			return
		}
		s.outcomes = slices.DeleteFunc(s.outcomes, func(o waiting) bool {
			if left <= maxWaiting && s.bytes <= maxOutcomes || !also && o.Verdict != api.Passed {
				return false
			}
			left--
			s.bytes -= o.size
			s.heads[o.Cluster].Dropped++
			return true
		})
	}
}

// batch is what the next call says, and what of it waits.
type batch struct {
	said   []probing.Said
	stands map[standing]*probing.Stand
	taken  map[*probing.Outcome]bool
}

// next is what the server is told next; nil where nothing waits but what it has refused a short while ago.
func (s *findings) next(now time.Time) *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &batch{stands: map[standing]*probing.Stand{}, taken: map[*probing.Outcome]bool{}}
	size := 0
	for _, cluster := range slices.Sorted(maps.Keys(s.heads)) {
		if len(b.said) == uplink.MaxSaid || size > saidSize {
			break
		}
		if s.held(item{cluster: cluster}, now) {
			continue
		}
		one := s.headOf(cluster, now)
		size += sizeOf(one.Cases)
		between := len(one.Turns) > 0 && len(one.Turns) < len(s.heads[cluster].Turns) // they come before states
		for key, stand := range s.stands {
			if !between && key.cluster == cluster && len(one.Stands) < saidAtOnce && size < saidSize && !s.held(ofStand(cluster, stand), now) {
				one.Stands, b.stands[key], size = append(one.Stands, *stand), stand, size+sizeOf(stand)
			}
		}
		for _, o := range s.outcomes {
			if o.Cluster == cluster && len(one.Outcomes) < saidAtOnce && size < saidSize && !s.held(ofOutcome(cluster, o.Outcome), now) {
				one.Outcomes, b.taken[o.Outcome], size = append(one.Outcomes, *o.Outcome), true, size+o.size
			}
		}
		slices.SortFunc(one.Stands, func(a, b probing.Stand) int {
			return cmp.Or(cmp.Compare(a.Case, b.Case), cmp.Compare(a.Target, b.Target))
		})
		if len(one.Stands)+len(one.Outcomes)+len(one.Gone)+len(one.Turns) > 0 || one.Dropped > 0 || one.Whole {
			b.said = append(b.said, one)
		}
	}
	if len(b.said) == 0 {
		return nil
	}
	return b
}

// headOf is what is told of a cluster beside states and outcomes.
func (s *findings) headOf(cluster string, now time.Time) probing.Said {
	head := s.heads[cluster]
	one := probing.Said{Cluster: cluster, At: head.At, Dropped: head.Dropped}
	if !s.held(item{cluster, theTurns, ""}, now) {
		one.Turns = slices.Clone(head.Turns[:min(len(head.Turns), saidAtOnce)])
	}
	if head.Whole && !s.held(item{cluster, theWhole, ""}, now) {
		one.Whole, one.Cases = true, slices.Clone(head.Cases)
	}
	for _, gone := range head.Gone {
		if len(one.Gone) < saidAtOnce && !s.held(item{cluster, goneCase, gone}, now) {
			one.Gone = append(one.Gone, gone)
		}
	}
	return one
}

// sizeOf is how many bytes something takes in a call.
func sizeOf(v any) int {
	data, err := json.Marshal(v)
	if err != nil {
		return 0 // it was read from JSON
	}
	return len(data)
}

// heard has a batch wait no more, but for what of it the server has not taken. What was said of a case meanwhile waits.
func (s *findings) heard(b *batch, t *telling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	took := func(i item) bool {
		if t.refused[i] != nil || t.refused[item{cluster: i.cluster}] != nil {
			return false
		}
		s.takes(i)
		return true
	}
	for key, stand := range b.stands {
		if took(ofStand(key.cluster, stand)) && s.stands[key] == stand {
			delete(s.stands, key)
		}
	}
	s.outcomes = slices.DeleteFunc(s.outcomes, func(o waiting) bool {
		if !b.taken[o.Outcome] || !took(ofOutcome(o.Cluster, o.Outcome)) {
			return false
		}
		s.bytes -= o.size
		return true
	})
	for _, one := range b.said {
		head := s.heads[one.Cluster]
		head.Dropped -= t.dropped[one.Cluster]
		if took(item{one.Cluster, theTurns, ""}) {
			head.Turns = slices.DeleteFunc(head.Turns, func(turn probing.Turn) bool { return slices.Contains(one.Turns, turn) })
		}
		head.Gone = slices.DeleteFunc(head.Gone, func(gone string) bool {
			return slices.Contains(one.Gone, gone) && took(item{one.Cluster, goneCase, gone})
		})
		if one.Whole && took(item{one.Cluster, theWhole, ""}) && head.At.Equal(one.At) && slices.Equal(head.Cases, one.Cases) {
			head.Whole, head.Cases = false, nil
		}
		took(item{cluster: one.Cluster})
	}
}

// settle has the file hold what waits, and no more. Where much waits it is not written each time: a server may refuse a cluster for a day,
// while results of others come each second. What is in it and was told is told again after a start.
func (s *findings) settle(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if since := now.Sub(s.settled); s.bytes > fewFindings && since >= 0 && since < settleMany {
		return nil
	}
	s.settled = now
	return s.rewrite()
}

func (s *findings) rewrite() error {
	left := map[string]*probing.Said{}
	for cluster, head := range s.heads {
		if len(head.Gone)+len(head.Turns) > 0 || head.Dropped > 0 || head.Whole {
			left[cluster] = &probing.Said{
				Cluster: cluster, At: head.At, Gone: head.Gone, Turns: head.Turns, Dropped: head.Dropped, Whole: head.Whole, Cases: head.Cases,
			}
		}
	}
	of := func(cluster string) *probing.Said {
		if left[cluster] == nil {
			left[cluster] = &probing.Said{Cluster: cluster, At: s.heads[cluster].At}
		}
		return left[cluster]
	}
	for key, stand := range s.stands {
		one := of(key.cluster)
		one.Stands = append(one.Stands, *stand)
	}
	for _, o := range s.outcomes {
		one := of(o.Cluster)
		one.Outcomes = append(one.Outcomes, *o.Outcome)
	}
	var all bytes.Buffer
	for _, cluster := range slices.Sorted(maps.Keys(left)) {
		line, err := json.Marshal(left[cluster])
		if err != nil {
			return fault.Wrap(fault.Internal, err, "cannot keep what probes found")
		}
		all.Write(append(line, '\n'))
	}
	if int64(all.Len()) == s.size && !s.torn {
		return nil
	}
	if err := writeFile(s.file, all.Bytes()); err != nil {
		return err
	}
	s.size, s.torn = int64(all.Len()), false
	return nil
}
