package hook

import "sync"

// Seen remembers deliveries, to tell those that are replayed. It holds twice so many at most as it was made for, and forgets the oldest; a
// restart forgets all. That may be: what is replayed after that has somebody look once more, and find nothing new. It is safe for
// concurrent use.
type Seen struct {
	most int

	mu          sync.Mutex
	now, before map[string]bool
}

// NewSeen returns a memory of at least so many deliveries.
func NewSeen(most int) *Seen { return &Seen{most: most, now: map[string]bool{}} }

// First reports whether something is seen for the first time. "" always is.
func (s *Seen) First(once string) bool {
	if once == "" {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now[once] || s.before[once] {
		return false
	}
	if len(s.now) >= s.most {
		s.now, s.before = map[string]bool{}, s.now
	}
	s.now[once] = true
	return true
}
