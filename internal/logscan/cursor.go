package logscan

import "time"

// Cursor is how far a log was read. It goes by the time of the last line and its place among the lines of that time, so that of
// lines of one moment none is counted twice and none is missed. It is small, and survives as JSON.
type Cursor struct {
	At   time.Time `json:"t,omitzero"`
	Nth  int       `json:"n,omitempty"` // of the lines that have just this time
	Open Open      `json:"o,omitzero"`
}

// Open is an entry that may go on in lines that were not there yet.
type Open struct {
	Shape shape `json:"s,omitempty"` // of the trace that it has so far
	Kind  Kind  `json:"k,omitempty"` // as which it is counted
	Error bool  `json:"e,omitempty"` // counted as an error
}

// Since is the time from which a log is to be asked for to go on at the cursor: a second of slack, as two streams of a
// container may be written out of order, and the API server asks by whole seconds. Zero is the start.
func (c Cursor) Since() time.Time {
	if c.At.IsZero() {
		return time.Time{}
	}
	return c.At.Truncate(time.Second).Add(-time.Second)
}

// seeker finds the first line behind a cursor, and moves the cursor.
type seeker struct {
	at     Cursor
	behind bool // everything from here on is new
	equal  int  // lines of the cursor's time so far
}

func newSeeker(from Cursor) seeker {
	return seeker{at: from, behind: from.At.IsZero()}
}

// fresh reports whether a line of this time was not counted yet. A log that no longer has the line of the cursor was rotated:
// what is later than it is new.
func (s *seeker) fresh(at time.Time) bool {
	switch {
	case s.behind:
	case at.Equal(s.at.At):
		s.equal++
		s.behind = s.equal == s.at.Nth
		return false
	case at.After(s.at.At):
		s.behind = true
	}
	return s.behind
}

// pass moves the cursor behind a line.
func (s *seeker) pass(at time.Time) {
	switch {
	case at.IsZero():
	case at.Equal(s.at.At):
		s.at.Nth++
	default:
		s.at.At, s.at.Nth = at, 1
	}
}
