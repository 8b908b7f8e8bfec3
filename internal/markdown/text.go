package markdown

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice.dev/sluice/internal/clip"
)

// Bounds of what is quoted.
const (
	maxQuoted = 300 // characters of a name or message
	maxNamed  = 80  // characters of a name in a title
	maxLine   = 500 // characters of a line of a diff
	maxNames  = 20  // of clusters, in one list
)

// Code quotes a text of somebody else as code on one line: it names nobody, links nowhere and begins no markup. An empty one is "-".
func Code(text string) string { return code(text, maxQuoted) }

func code(text string, most int) string {
	text = clip.Bytes(text, 16*most) // the rest is not seen, and may be long
	text = clip.Runes(strings.Join(strings.Fields(visible(text)), " "), most)
	if text == "" {
		return "-"
	}
	fence := strings.Repeat("`", longest(text)+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// cell is Code in a table. A bar would end the cell even in code, and is written as a broken one.
func cell(text string) string { return Code(strings.ReplaceAll(text, "|", "\u00a6")) }

// longest is the length of the longest run of backticks.
func longest(text string) int {
	most, run := 0, 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		most = max(most, run)
	}
	return most
}

// visible is a text in which what is not seen, ends a line or turns the order of others round, is written out. Line feeds and tabs stay.
func visible(text string) string {
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
		text = text[size:]
	}
	return out.String()
}

// line is a line between fences. No command begins there, as GitLab takes them from the beginnings of lines.
func line(text string) string {
	text = clip.Runes(strings.TrimRight(visible(strings.TrimRight(text, "\r\n")), " \t"), maxLine)
	if strings.HasPrefix(text, "/") {
		text = " " + text
	}
	return text + "\n"
}

// plain is a name that is no markup in HTML, and no link.
var plain = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// few are names where HTML stands, which is where nothing but plain ones may be.
func few(names []string) string {
	const most = 3
	for _, name := range names[:min(len(names), most)] {
		if !plain.MatchString(name) {
			return ""
		}
	}
	return ": " + clip.Few(names, most)
}

// list quotes names.
func list(names []string) string {
	all := make([]string, 0, min(len(names), maxNames))
	for _, name := range names[:min(len(names), maxNames)] {
		all = append(all, Code(name))
	}
	text := strings.Join(all, ", ")
	if more := len(names) - maxNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
