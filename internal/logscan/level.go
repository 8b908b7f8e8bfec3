package logscan

import (
	"encoding/json"
	"strings"
)

// level is how grave a line says it is.
type level int

const (
	levelNone level = iota // it does not say
	levelInfo              // and whatever is below an error
	levelError
	levelFatal
	levelPanic
)

// words are the names of levels, in lower case, of the libraries of many languages.
var words = map[string]level{
	"trace": levelInfo, "debug": levelInfo, "info": levelInfo, "notice": levelInfo, "warn": levelInfo, "warning": levelInfo,
	"inf": levelInfo, "wrn": levelInfo, "dbg": levelInfo, "information": levelInfo, "default": levelInfo, "verbose": levelInfo,
	"error": levelError, "err": levelError, "severe": levelError, "fail": levelError,
	"fatal": levelFatal, "ftl": levelFatal, "critical": levelFatal, "crit": levelFatal, "alert": levelFatal, "emergency": levelFatal,
	"emerg": levelFatal, "panic": levelPanic, "dpanic": levelPanic,
}

// said is what a line says of itself.
type said struct {
	level   level
	message string
	stack   string // that it carries within
}

// read reads a line as the libraries write it: a JSON object, klog's head, key=value, or a word among its first ones.
func read(text string) said {
	trimmed := strings.TrimSpace(text)
	if strings.HasPrefix(trimmed, "{") {
		if s, ok := readJSON(trimmed); ok {
			return s
		}
		return said{level: wordAfter(trimmed, `"level":"`, `"severity":"`, `"lvl":"`), message: trimmed} // one that is cut off
	}
	if l, rest, ok := readKlog(trimmed); ok {
		return said{level: l, message: rest}
	}
	if l := wordAfter(trimmed, "level=", "lvl=", "severity="); l != levelNone {
		return said{level: l, message: trimmed}
	}
	return said{level: readWords(text), message: trimmed}
}

// readJSON reads a line that is a JSON object, as zap, slog, logrus, zerolog, pino, logback and Cloud Logging write them.
func readJSON(text string) (said, bool) {
	var fields map[string]any
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return said{}, false
	}
	var s said
	for _, key := range []string{"level", "severity", "lvl", "levelname", "log.level", "@l", "loglevel"} {
		switch value := fields[key].(type) {
		case string:
			s.level = max(s.level, wordOf(value))
		case float64: // pino and bunyan: 50 is an error, 60 is fatal
			if value >= 60 {
				s.level = max(s.level, levelFatal)
			} else if value >= 50 {
				s.level = max(s.level, levelError)
			}
		}
	}
	s.message = textOf(fields, "msg", "message", "@m", "event")
	if cause := textOf(fields, "error", "err", "panic"); cause != "" {
		s.message = strings.TrimSpace(s.message + " " + cause)
	}
	if s.message == "" {
		s.message = text
	}
	s.stack = textOf(fields, "stacktrace", "stack", "stack_trace", "exception", "exc_info", "error.stack_trace", "@x", "errorVerbose")
	if err, ok := fields["err"].(map[string]any); ok {
		s.message = strings.TrimSpace(s.message + " " + textOf(err, "message"))
		s.stack += textOf(err, "stack")
	}
	if !strings.Contains(s.stack, "\n") {
		s.stack = ""
	}
	return s, true
}

func textOf(fields map[string]any, keys ...string) string {
	for _, key := range keys {
		if text, ok := fields[key].(string); ok && text != "" {
			return text
		}
	}
	return ""
}

// readKlog reads klog's head: E1128 10:00:00.123456       1 file.go:12] message.
func readKlog(text string) (level, string, bool) {
	if len(text) < 22 || text[5] != ' ' || text[8] != ':' || !digits(text[1:5]) || !digits(text[6:8]) {
		return levelNone, "", false
	}
	l, ok := map[byte]level{'I': levelInfo, 'W': levelInfo, 'E': levelError, 'F': levelFatal}[text[0]]
	if !ok {
		return levelNone, "", false
	}
	_, message, found := strings.Cut(text, "] ")
	if !found {
		message = text
	}
	return l, message, true
}

func digits(text string) bool {
	return strings.Trim(text, "0123456789") == ""
}

// wordAfter reads the level behind the first of some keys that a line has.
func wordAfter(text string, keys ...string) level {
	for _, key := range keys {
		i := strings.Index(text, key)
		if i < 0 || i > 0 && strings.HasSuffix(key, "=") && text[i-1] != ' ' {
			continue
		}
		rest := strings.TrimPrefix(text[i+len(key):], `"`)
		if end := strings.IndexAny(rest, "\" ,\t}"); end >= 0 {
			rest = rest[:end]
		}
		if l := wordOf(rest); l != levelNone {
			return l
		}
	}
	return levelNone
}

// wordOf is the level of a name; slog writes ERROR+4 for one above an error.
func wordOf(name string) level {
	name, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(name)), "+")
	return words[name]
}

// readWords looks for a level among the first words of a line. In capitals it may stand anywhere there, otherwise in brackets,
// or in front with a colon: "error" is a word of many sentences.
func readWords(text string) level {
	text = text[:min(len(text), 160)]
	for n := 0; n < 8; n++ {
		text = strings.TrimLeft(text, " \t|")
		if text == "" {
			return levelNone
		}
		bracket := text[0] == '[' || text[0] == '<' || text[0] == '('
		if bracket {
			text = text[1:]
		}
		end := strings.IndexAny(text, " \t[]<>()|:,")
		if end < 0 {
			end = len(text)
		}
		word, rest := text[:end], text[end:]
		l, known := words[strings.ToLower(word)]
		if known && (word == strings.ToUpper(word) || bracket || n == 0 && strings.HasPrefix(rest, ": ")) {
			return l
		}
		text = strings.TrimLeft(rest, "]>):,")
	}
	return levelNone
}
