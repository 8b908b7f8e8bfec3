package logscan

import (
	"regexp"
	"strings"
	"unicode"
)

// escapes are what terminals take for commands: CSI, OSC, and the short ones.
var escapes = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])`)

// clean is a line as it can be shown anywhere: valid text without commands to a terminal, control characters, and marks that
// turn the direction of writing.
func clean(raw []byte) string {
	text := strings.ToValidUTF8(string(raw), "\uFFFD")
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	text = escapes.ReplaceAllString(text, "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case hidden(r):
			return -1
		}
		return r
	}, text)
}

func hidden(r rune) bool {
	return unicode.IsControl(r) && r != '\t' || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// cut is a text as it is quoted, no wider than quoteWidth characters.
func cut(text string) string {
	text = strings.TrimRight(strings.ReplaceAll(text, "\t", "    "), " ")
	n := 0
	for i := range text {
		if n++; n > quoteWidth {
			return text[:i] + "…"
		}
	}
	return text
}
