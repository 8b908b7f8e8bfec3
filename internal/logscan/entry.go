package logscan

import (
	"regexp"
	"strings"
)

// entry is a line with the lines that belong to it.
type entry struct {
	kind   Kind
	level  level
	shape  shape
	head   string   // what its first line says
	lines  []string // its first lines
	frame  string   // the first frame of its trace that is the project's own
	frames int
	wrong  bool // it is counted among the errors
	was    Kind // as which it is counted, by the reading before this one
	ended  bool // its trace has come to its end
}

// maxMessage is how many lines the message of a panic may have before its trace.
const maxMessage = 8

// stdlog is what Go's log package puts before a line.
var stdlog = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?:\S+\.go:\d+: )?`)

// begin reads the first line of an entry.
func begin(text string) *entry {
	s := read(text)
	e := &entry{level: s.level, head: stdlog.ReplaceAllString(s.message, ""), lines: []string{text}}
	e.kind, e.shape = crash(e.head, e.level)
	switch {
	case e.kind != "":
	case isGoroutine(text):
		e.kind, e.shape = Trace, shapeGo
	case isTraceback(text):
		e.kind, e.shape = Trace, shapePython
	case isAtFrame(text):
		e.kind, e.shape, e.frame = Trace, shapeAt, frameOf(text)
	case s.level == levelPanic:
		e.kind = Panic
	case s.level == levelFatal:
		e.kind = Fatal
	case s.stack != "" && s.level >= levelError:
		e.kind = Trace
	}
	if s.stack != "" {
		e.within(s.stack)
	}
	e.wrong = e.kind != "" || e.level >= levelError
	return e
}

// within takes the trace that a line has in one of its fields.
func (e *entry) within(stack string) {
	e.lines[0] = e.head
	for text := range strings.SplitSeq(stack, "\n") {
		if e.frame == "" {
			e.frame = frameOf(text)
		}
		if len(e.lines) < quoteLines && strings.TrimSpace(text) != "" {
			e.lines = append(e.lines, text)
		}
	}
}

// goesOn reports whether a line belongs to the entry.
func (e *entry) goesOn(text string) bool {
	switch e.shape {
	case shapeGo:
		return isGoroutine(text) || isGoFrame(text) || e.frames == 0 && len(e.lines) <= maxMessage && e.isMessage(text)
	case shapeAt:
		return isAtFrame(text) || isAtCause(text)
	case shapePython:
		if e.ended {
			return isPythonChain(text)
		}
		return isPythonFrame(text) || isPythonChain(text) || e.frames > 0 && isPythonError(text)
	case shapeRust:
		return isRustFrame(text) || e.frames == 0 && len(e.lines) == 1 && e.isMessage(text)
	}
	switch grave := e.wrong; {
	case isAtFrame(text):
		return true
	case isTraceback(text):
		return grave && crashless(text)
	default:
		return grave && isGoroutine(text)
	}
}

// isMessage reports whether a line may be one more of a panic's message: it begins nothing of its own.
func (e *entry) isMessage(text string) bool {
	next := begin(text)
	return next.kind == "" && next.level == levelNone
}

// attach takes a line that belongs to the entry.
func (e *entry) attach(text string) {
	if e.shape == "" {
		e.shape = shapeOf(text)
		if e.kind == "" {
			e.kind = Trace
		}
	}
	if len(e.lines) <= maxMessage {
		e.lines = append(e.lines, text)
	}
	switch e.shape {
	case shapeGo:
		if isGoroutine(text) || isGoFrame(text) {
			e.frames++
		}
	case shapeAt:
		e.frames++
		if strings.HasPrefix(text, nodeEnd) && e.kind == Trace {
			e.kind = Panic // Node says so only once it has died
		}
	case shapePython:
		e.python(text)
	case shapeRust:
		if e.frames == 0 && !isRustFrame(text) {
			e.head += " " + text
		}
		e.frames++
	}
	if e.frame == "" {
		e.frame = frameOf(text)
	}
}

func (e *entry) python(text string) {
	switch {
	case isPythonChain(text):
		e.ended = false
	case isPythonFrame(text):
		e.frames++
	default:
		e.head, e.ended = text, true // the exception stands at the end
	}
}

// title is what the entry is about, not yet masked.
func (e *entry) title() string {
	if isGoroutine(e.head) && e.frame != "" {
		return e.frame
	}
	return e.head
}
