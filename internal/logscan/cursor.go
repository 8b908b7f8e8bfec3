package logscan

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Cursor is how far a log was read. It goes by the time of the last line and its place among the lines of that time, so that of
// lines of one moment none is counted twice and none is missed. It survives as a short text: many are kept.
type Cursor struct {
	At   time.Time
	Nth  int // of the lines that have just this time
	Open Open
}

// Open is an entry that may go on in lines that were not there yet.
type Open struct {
	Shape shape // of the trace that it has so far
	Kind  Kind  // as which it is counted
	Error bool  // counted as an error
}

// MarshalText writes the cursor.
func (c Cursor) MarshalText() ([]byte, error) {
	if c.At.IsZero() {
		return nil, nil
	}
	text := strconv.FormatInt(c.At.UnixNano(), 36) + "." + strconv.Itoa(c.Nth)
	if c.Open.Error {
		text += "." + string(c.Open.Kind) + "." + string(c.Open.Shape)
	}
	return []byte(text), nil
}

// UnmarshalText reads a cursor. One that cannot be read is an error.
func (c *Cursor) UnmarshalText(text []byte) error {
	*c = Cursor{}
	if len(text) == 0 {
		return nil
	}
	parts := strings.Split(string(text), ".")
	at, err := strconv.ParseInt(parts[0], 36, 64)
	if err != nil || len(parts) != 2 && len(parts) != 4 {
		return fmt.Errorf("cannot read cursor %q", text)
	}
	c.At = time.Unix(0, at).UTC()
	if c.Nth, err = strconv.Atoi(parts[1]); err != nil {
		return fmt.Errorf("cannot read cursor %q: %w", text, err)
	}
	if len(parts) == 4 {
		c.Open = Open{Kind: Kind(parts[2]), Shape: shape(parts[3]), Error: true}
	}
	return nil
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
