// Package logscan reads the logs of containers and says what stands in them: panics, fatal lines, stack traces, the lines of
// patterns, and how many lines are errors. It is pure over a reader: it opens nothing and has no clock, judges nothing, and
// never quotes what it has not masked.
package logscan

import (
	"context"
	"errors"
	"io"
	"regexp"
	"time"
)

// Bounds of what is read and kept. Whatever a log holds, a Scan needs no more memory than these come to.
const (
	maxLine    = 16 << 10  // bytes of a line that are looked at; the rest is read and dropped
	maxRead    = 128 << 20 // bytes of a log that are gone through, with those that were counted before
	maxGroups  = 20        // groups of a kind, or of a pattern
	maxPlaces  = 5         // logs named in a group
	quoteLines = 6
	quoteWidth = 240 // characters of a quoted line
)

// Kind is what a finding is.
type Kind string

// The kinds. A stack trace is one that no panic or fatal line stands above.
const (
	Panic   Kind = "panic"
	Fatal   Kind = "fatal"
	Trace   Kind = "stackTrace"
	Matched Kind = "pattern"
)

// Pattern is a regular expression (RE2) that a line is matched against, without the time before it.
type Pattern struct {
	Name   string
	Regexp *regexp.Regexp
}

// Options say what is looked for, and how much is read.
type Options struct {
	Patterns []Pattern
	// Bytes that are read and counted at most; what was counted before does not count against it. 0 is 1 MiB.
	Bytes int64
}

// Log is a log to read.
type Log struct {
	Name string // in what is said of findings: namespace/pod/container
	// From is where the reading before this one ended; its zero value is the start.
	From Cursor
	// Ended says that the log gets no more lines: one without its end is a line too.
	Ended bool
	// Stamped says that every line of the log has its time before it. One without is not the container's: a node that cannot
	// read a log writes so in its place.
	Stamped bool
}

// Scan reads a log to its end, its bound or the end of the context, whichever comes first. Each line may begin with its time
// in RFC 3339, as the kubelet gives it; without that nothing can be resumed. The cursor that it returns goes behind what was
// counted, after an error too: what the report has is never to be counted again.
func Scan(ctx context.Context, r io.Reader, log Log, o Options) (Report, Cursor, error) {
	if o.Bytes <= 0 {
		o.Bytes = 1 << 20
	}
	s := newScan(log, o)
	lines := newLineReader(r)
	err := ctx.Err()
	for err == nil && !s.report.Cut {
		var line line
		if line, err = lines.next(); err == nil {
			s.report.Cut = !s.take(line)
			err = ctx.Err()
			continue
		}
		err = s.last(line, err)
	}
	s.seek.at.Open = s.reader.end()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return s.report, s.seek.at, err
}

// scan is one reading of one log.
type scan struct {
	log    Log
	o      Options
	seek   seeker
	report Report
	reader reader // of entries
	pem    bool   // within a block of a key or a certificate
}

func newScan(log Log, o Options) *scan {
	s := &scan{log: log, o: o, seek: newSeeker(log.From), report: newReport()}
	s.report.Logs = 1
	s.reader = newReader(log.From.Open, s.found)
	return s
}

// last takes what stands behind the end of the last line, and returns why the reading ends where that is an error. In a log
// that grows it is the beginning of a line, which is read again.
func (s *scan) last(line line, err error) error {
	switch {
	case errors.Is(err, errEnough):
		s.take(line)
		s.report.Cut = true
		return nil
	case !errors.Is(err, io.EOF):
		return err
	case s.log.Ended && line.size > 0:
		s.report.Cut = !s.take(line)
	}
	return io.EOF
}

// take counts a line, unless it was counted before. It is false where the bound is reached, and the line is not counted.
func (s *scan) take(l line) bool {
	at, text := stamp(l.text)
	if s.log.Stamped && at.IsZero() {
		s.report.Strays++
		return true
	}
	if !s.seek.fresh(at) {
		return true
	}
	if s.report.Bytes > 0 && s.report.Bytes+l.size > s.o.Bytes {
		return false
	}
	s.seek.pass(at)
	s.report.Bytes += l.size
	s.report.Lines++
	s.report.span(at)
	readable := s.readable(text)
	s.patterns(readable)
	if s.reader.line(readable) {
		return true
	}
	s.report.Entries++
	if s.reader.newest.wrong {
		s.report.Errors++
	}
	return true
}

// readable is a line as it is understood. What stands within a key or a certificate is not even kept.
func (s *scan) readable(text []byte) string {
	readable := clean(text)
	begins, ends := pemEdges(readable)
	if s.pem && !begins && pemBody.MatchString(readable) {
		return masked
	}
	s.pem = begins && !ends
	return readable
}

func (s *scan) patterns(text string) {
	for _, p := range s.o.Patterns {
		if p.Regexp.MatchString(text) {
			s.report.add(finding{kind: Matched, name: p.Name, title: text, lines: []string{text}, place: s.log.Name})
		}
	}
}

// found takes an entry that is a finding, once it has ended.
func (s *scan) found(e *entry) {
	if !e.wrong {
		s.report.Errors++ // its first line did not say so
	}
	s.report.add(finding{kind: e.kind, title: e.title(), frame: e.frame, lines: e.lines, place: s.log.Name})
}

// span widens the time that the report is about.
func (r *Report) span(at time.Time) {
	if at.IsZero() {
		return
	}
	if r.First.IsZero() || at.Before(r.First) {
		r.First = at
	}
	if at.After(r.Last) {
		r.Last = at
	}
}
