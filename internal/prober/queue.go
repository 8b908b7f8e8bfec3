package prober

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// spot is where a run takes place: there is one at a time.
type spot struct{ probeCase, target string }

// queue says which runs may have a pod: one of a case and target at a time, and so many in the cluster. Who waited longest comes first.
type queue struct {
	most int

	mu      sync.Mutex
	open    map[types.NamespacedName]spot // runs that are not over
	at      map[spot]int                  // how many of them
	running map[spot]types.NamespacedName
	waiting []types.NamespacedName
}

func newQueue(most int) *queue {
	return &queue{
		most: most, open: map[types.NamespacedName]spot{}, at: map[spot]int{}, running: map[spot]types.NamespacedName{},
	}
}

// expect has the queue know a run before anybody has seen it.
func (q *queue) expect(run types.NamespacedName, at spot) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(run, at)
}

func (q *queue) add(run types.NamespacedName, at spot) {
	if _, there := q.open[run]; !there {
		q.open[run] = at
		q.at[at]++
	}
}

// has reports whether a run is known that is not over.
func (q *queue) has(run types.NamespacedName) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, there := q.open[run]
	return there
}

// knows reports whether a run is not over yet.
func (q *queue) knows(run types.NamespacedName) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, there := q.open[run]
	return there
}

// busy reports whether a run of a spot is not over yet.
func (q *queue) busy(at spot) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.at[at] > 0
}

// waits reports whether a run of a spot has not begun yet: it will see what is now.
func (q *queue) waits(at spot) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.at[at]
	if _, running := q.running[at]; running {
		n--
	}
	return n > 0
}

// adopt takes in a run that has begun already, whatever the bounds.
func (q *queue) adopt(run types.NamespacedName, at spot) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(run, at)
	q.running[at] = run
}

// enter lets a run have its pod, or has it wait.
func (q *queue) enter(run types.NamespacedName, at spot) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(run, at)
	if now, taken := q.running[at]; taken && now == run {
		return true
	}
	if !q.free(at) {
		for _, w := range q.waiting {
			if w == run {
				return false
			}
		}
		q.waiting = append(q.waiting, run)
		return false
	}
	q.running[at] = run
	q.unwait(run)
	return true
}

func (q *queue) free(at spot) bool {
	_, taken := q.running[at]
	return !taken && len(q.running) < q.most
}

func (q *queue) unwait(run types.NamespacedName) {
	for i, w := range q.waiting {
		if w == run {
			q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
			return
		}
	}
}

// leave says that a run is over, or gone, and returns who may try to enter now.
func (q *queue) leave(run types.NamespacedName) (next []types.NamespacedName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, there := q.open[run]
	if !there {
		return nil
	}
	delete(q.open, run)
	if q.at[at]--; q.at[at] <= 0 {
		delete(q.at, at)
	}
	q.unwait(run)
	if q.running[at] == run {
		delete(q.running, at)
	}
	room, taken := q.most-len(q.running), map[spot]bool{}
	for _, w := range q.waiting {
		of := q.open[w]
		if room <= 0 {
			break
		}
		if q.free(of) && !taken[of] {
			taken[of] = true
			room--
			next = append(next, w)
		}
	}
	return next
}
