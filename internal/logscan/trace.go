package logscan

import (
	"regexp"
	"strings"
)

// shape is how a trace is written.
type shape string

// The shapes. Java, JavaScript and .NET write their frames alike.
const (
	shapeGo     shape = "go"
	shapeAt     shape = "at"
	shapePython shape = "py"
	shapeRust   shape = "rs"
)

// crashes are the beginnings of messages with which a program, or a part of it, ends.
var crashes = []struct {
	begins string
	shape  shape
}{
	{"panic: ", shapeGo}, {"fatal error: ", shapeGo}, {"unexpected fault address ", shapeGo},
	{`Exception in thread "`, shapeAt}, {"Unhandled exception", shapeAt}, {"Uncaught ", shapeAt}, {"UnhandledPromiseRejection", shapeAt},
	{"Terminating due to java.lang.OutOfMemoryError", ""},
	{"Fatal Python error: ", ""},
	{"fatal runtime error: ", shapeRust},
	{"terminate called ", ""}, {"Segmentation fault", ""}, {"*** stack smashing detected", ""}, {"double free or corruption", ""},
	{"free(): invalid", ""}, {"malloc(): ", ""}, {"corrupted size vs. prev_size", ""},
}

// recovered are what servers and controllers say that go on after a panic. They may stand anywhere in a message.
var recovered = []string{"Observed a panic", "http: panic serving ", "panic recovered:", "Panic recovered:", "recovered from panic",
	"Recovered from panic", "AddressSanitizer: "}

var rustPanic = regexp.MustCompile(`^thread '[^']*'(?: \(\d+\))? panicked at `)

// crash reads a message with which something ends. Where a line says that it is no error, only its words decide.
func crash(message string, said level) (Kind, shape) {
	for _, c := range crashes {
		if strings.HasPrefix(message, c.begins) {
			return Panic, c.shape
		}
	}
	if rustPanic.MatchString(message) {
		return Panic, shapeRust
	}
	for _, words := range recovered {
		if said != levelInfo && strings.Contains(message, words) {
			return Panic, ""
		}
	}
	return "", ""
}

const traceback = "Traceback (most recent call last):"

// nodeEnd is how the last line of Node.js begins where an exception has ended it.
const nodeEnd = "Node.js v"

var (
	goroutine   = regexp.MustCompile(`^goroutine \d+ .*\[.*\]:$`)
	goCall      = regexp.MustCompile(`^[\w./*()\[\]{}~·-]+\.[\w./*()\[\]{}~·-]+\(.*\)$|^panic\(.*\)$`)
	goRegister  = regexp.MustCompile(`^[a-z]\w{1,6}\s+0x[0-9a-f]+$`)
	atFrame     = regexp.MustCompile(`^\s+at (?:\S+\(|.* \(|.*:\d+|.* in |\S+$)`)
	atMore      = regexp.MustCompile(`^\s+\.\.\. \d+ (?:more|common)`)
	pythonError = regexp.MustCompile(`^[A-Za-z_][\w.]*(?::|$)`)
	rustFrame   = regexp.MustCompile(`^\s+\d+: |^\s+at |^note: |^stack backtrace:$`)
)

func isGoroutine(text string) bool {
	return strings.HasPrefix(text, "goroutine ") && goroutine.MatchString(text)
}

// goLines are how the lines of a trace begin that are not a call.
var goLines = []string{"\t", "created by ", "[signal ", "[recovered", "runtime stack:", "exit status ", "...additional frames"}

func isGoFrame(text string) bool {
	for _, begins := range goLines {
		if strings.HasPrefix(text, begins) {
			return true
		}
	}
	return goCall.MatchString(text) || goRegister.MatchString(text)
}

func isAtFrame(text string) bool {
	return (text[0] == ' ' || text[0] == '\t') && atFrame.MatchString(text)
}

func isAtCause(text string) bool {
	trimmed := strings.TrimSpace(text)
	return strings.HasPrefix(trimmed, "Caused by: ") || strings.HasPrefix(trimmed, "Suppressed: ") || atMore.MatchString(text) ||
		strings.HasPrefix(trimmed, "--- End of ") || strings.HasPrefix(text, nodeEnd)
}

func isTraceback(text string) bool { return strings.HasSuffix(strings.TrimRight(text, " "), traceback) }

// crashless reports whether a line says nothing but that a trace follows: with more before it, it is an entry of its own.
func crashless(text string) bool { return strings.TrimSpace(text) == traceback }

func isPythonFrame(text string) bool { return text[0] == ' ' || text[0] == '\t' }

func isPythonChain(text string) bool {
	return crashless(text) || strings.HasPrefix(text, "During handling of the above exception") ||
		strings.HasPrefix(text, "The above exception was the direct cause")
}

func isPythonError(text string) bool {
	return pythonError.MatchString(text) && readWords(text) == levelNone
}

func isRustFrame(text string) bool { return rustFrame.MatchString(text) }

// shapeOf is the shape of the trace that a line begins.
func shapeOf(text string) shape {
	switch {
	case isGoroutine(text):
		return shapeGo
	case isTraceback(text):
		return shapePython
	}
	return shapeAt
}

// elsewhere are how frames begin that say nothing of where a program went wrong.
var elsewhere = []string{"runtime.", "runtime/", "panic(", "testing.", "k8s.io/klog",
	"k8s.io/apimachinery/pkg/util/runtime", "std::", "core::", "rust_", "__rust", "node:"}

var rustName = regexp.MustCompile(`^\s+\d+: (?:0x[0-9a-f]+ - )?(\S.*)$`)

// frameOf is the function that a line of a trace names; "" where it names none, or one of a runtime.
func frameOf(text string) string {
	name := ""
	switch rust := rustName.FindStringSubmatch(text); {
	case text == "":
	case goCall.MatchString(text):
		name = text[:strings.LastIndex(text, "(")]
	case isAtFrame(text):
		name, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(text), "at "), "(")
	case rust != nil:
		name = rust[1]
	}
	for _, begins := range elsewhere {
		if strings.HasPrefix(name, begins) {
			return ""
		}
	}
	return strings.TrimSpace(name)
}
