package logscan

import "strings"

// maxForeign is how many lines of somebody else may stand within a trace: two writers share a log.
const maxForeign = 3

// reader puts lines together to entries.
type reader struct {
	newest  *entry
	older   *entry // a trace that other lines have come into
	foreign int    // so many
	found   func(*entry)
}

func newReader(from Open, found func(*entry)) reader {
	r := reader{found: found}
	if from != (Open{}) {
		r.newest = &entry{shape: from.Shape, kind: from.Kind, was: from.Kind, wrong: from.Error, frames: 1}
	}
	return r
}

// line takes a line, and reports whether it belongs to an entry before it. It is then no entry of its own.
func (r *reader) line(text string) bool {
	if strings.TrimSpace(text) == "" {
		return true
	}
	if e := r.owner(text); e != nil {
		e.attach(text)
		return true
	}
	e := begin(text)
	if r.older != nil {
		if r.foreign++; r.foreign > maxForeign || e.kind != "" {
			r.close(r.older)
			r.older = nil
		}
	}
	switch {
	case r.newest == nil:
	case r.older == nil && r.newest.shape != "" && e.kind == "":
		r.older, r.foreign = r.newest, 1
	default:
		r.close(r.newest)
	}
	r.newest = e
	return false
}

// owner is the entry that a line belongs to, nil where it begins one.
func (r *reader) owner(text string) *entry {
	if r.older != nil && r.newest.level <= levelInfo && !r.newest.isError() && r.older.goesOn(text) {
		r.foreign = 0
		return r.older
	}
	if r.newest != nil && r.newest.goesOn(text) {
		return r.newest
	}
	return nil
}

// isError reports whether a line that says no level names an exception: a trace below it is its own.
func (e *entry) isError() bool {
	return e.level == levelNone && (strings.Contains(e.head, "Exception") || strings.Contains(e.head, "Error"))
}

// close ends an entry, and tells of it where it is a finding that no reading before has told of.
func (r *reader) close(e *entry) {
	if e != nil && e.kind != "" && e.was == "" {
		r.found(e)
	}
}

// end ends the reading. It returns what may go on in the next one.
func (r *reader) end() Open {
	r.close(r.older)
	r.close(r.newest)
	if e := r.newest; e != nil && (e.wrong || e.kind != "") {
		return Open{Shape: e.shape, Kind: e.kind, Error: true}
	}
	return Open{}
}
