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
	Earlier  errorSpan                 `json:"e,omitzero"` // of the new revision
	Lately   errorSpan                 `json:"l,omitzero"`

	cursors map[string]logscan.Cursor // of this measurement: logs that are gone are forgotten
	done    map[string]bool
}

// errorShare is how many entries there were, and how many of them were errors.
type errorShare struct {
	Entries int64 `json:"e,omitempty"`
	Errors  int64 `json:"x,omitempty"`
}

// errorsOver is how long errors are counted before they are counted anew. A rate is of the span before as well, and never of a whole
// soak: in the average of a week nobody sees its last hour.
const errorsOver = 10 * time.Minute

// errorSpan is how many errors there were for a while.
type errorSpan struct {
	Since  time.Time `json:"s,omitzero"` // by the clock here
	First  time.Time `json:"f,omitzero"` // of the lines
	Last   time.Time `json:"l,omitzero"`
	Errors int64     `json:"x,omitempty"`
}

// over is how long a span is that lasts until a time. It is that of the lines, and at least that of watching them: a quiet log has few.
func (s *errorSpan) over(until time.Time) time.Duration {
	if s.Since.IsZero() {
		return 0
	}
	return max(s.Last.Sub(s.First), until.Sub(s.Since))
}

func (s *errorSpan) add(r logscan.Report) {
	s.Errors += r.Errors
	if s.First.IsZero() || !r.First.IsZero() && r.First.Before(s.First) {
		s.First = r.First
	}
	if r.Last.After(s.Last) {
		s.Last = r.Last
	}
}

// lately is how many errors there were in the last minutes, and in how long a time.
func (k *keptLogs) lately(now time.Time) (errors int64, over time.Duration) {
	return k.Earlier.Errors + k.Lately.Errors, k.Earlier.over(k.Lately.Since) + k.Lately.over(now)
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

// add adds up what was found in new lines until now, by a step that was measured first when it began.
func (k *keptLogs) add(fresh, old *podLogs, began, now time.Time) {
	for name, n := range fresh.report.Patterns {
		k.Patterns[name] += n
	}
	k.New.add(fresh.report)
	k.Old.add(old.report)
	switch {
	case k.Lately.Since.IsZero():
		k.Lately.Since = began
	case now.Sub(k.Lately.Since) >= errorsOver:
		k.Earlier, k.Lately = k.Lately, errorSpan{Since: now}
	}
	k.Lately.add(fresh.report)
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
