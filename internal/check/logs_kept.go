package check

import (
	"encoding/json"
	"time"

	"sluice.dev/sluice/internal/logscan"
)

// keptLogs is what measurements of logs hand on: how far each log was read, and what adds up.
type keptLogs struct {
	Cursors  map[string]logscan.Cursor `json:"c,omitempty"`
	Done     map[string]bool           `json:"d,omitempty"` // logs that were read to their end, and get no more lines
	Patterns map[string]int64          `json:"p,omitempty"`
	New      errorShare                `json:"n,omitzero"`
	Old      errorShare                `json:"o,omitzero"`
	First    time.Time                 `json:"f,omitzero"` // of the lines of the new revision
	Last     time.Time                 `json:"l,omitzero"`

	cursors map[string]logscan.Cursor // of this measurement: logs that are gone are forgotten
	done    map[string]bool
}

// errorShare is how many entries there were, and how many of them were errors.
type errorShare struct {
	Entries int64 `json:"e,omitempty"`
	Errors  int64 `json:"x,omitempty"`
}

// readKeptLogs reads what was kept. What cannot be read was kept by a version of its own, and is begun anew.
func readKeptLogs(text json.RawMessage) *keptLogs {
	k := &keptLogs{}
	if err := json.Unmarshal(text, k); err != nil {
		k = &keptLogs{}
	}
	if k.Patterns == nil {
		k.Patterns = map[string]int64{}
	}
	k.cursors, k.done = map[string]logscan.Cursor{}, map[string]bool{}
	return k
}

// finished reports whether nothing is left to be read of a log, and remembers that.
func (k *keptLogs) finished(key string) bool {
	if k.Done[key] {
		k.done[key] = true
	}
	return k.Done[key]
}

func (k *keptLogs) cursor(key string) logscan.Cursor { return k.Cursors[key] }

// keep says how far a log was read.
func (k *keptLogs) keep(key string, at logscan.Cursor, done bool) {
	switch {
	case done:
		k.done[key] = true
	case at != logscan.Cursor{}:
		k.cursors[key] = at
	}
}

// add adds up what was found in new lines.
func (k *keptLogs) add(fresh, old *podLogs) {
	for name, n := range fresh.report.Patterns {
		k.Patterns[name] += n
	}
	k.New.add(fresh.report)
	k.Old.add(old.report)
	if k.First.IsZero() || !fresh.report.First.IsZero() && fresh.report.First.Before(k.First) {
		k.First = fresh.report.First
	}
	if fresh.report.Last.After(k.Last) {
		k.Last = fresh.report.Last
	}
}

func (s *errorShare) add(r logscan.Report) {
	s.Entries += r.Entries
	s.Errors += r.Errors
}

// text is what is kept for the next measurement.
func (k *keptLogs) text() json.RawMessage {
	k.Cursors, k.Done = k.cursors, k.done
	text, err := json.Marshal(k)
	if err != nil {
		return nil // there is nothing in it that has no JSON
	}
	return text
}
