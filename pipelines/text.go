package pipelines

import (
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// textPosition finds the place in the file of a character of a text, given by line and column (from 1) in the text as
// YAML decodes it. Quotes, escapes, indentation and folding all change white space only, so the n-th character that
// is no white space is the n-th in the file too. Where the two do not agree, it is the place of the text's start.
func (p spot) textPosition(line, column int) Position {
	node := target(p.node)
	start := spot{p.doc, node}.position()
	seek, after := nthInk(node.Value, line, column)
	after = after && seek > 0

	raw := rawText{data: p.doc.source.Data, style: node.Style}
	raw.line, raw.column = start.Line, start.Column
	raw.offset = p.doc.source.offset(start)
	raw.open()

	n := 0
	for _, want := range node.Value {
		if isBlank(want) {
			continue
		}
		got, at, ok := raw.next()
		if !ok || got != want {
			return start
		}
		at.File = start.File
		if n == seek && !after {
			return at
		}
		if n++; n == seek && after {
			at.Column = raw.column
			return at
		}
	}
	return start
}

// nthInk counts the characters before a line and column of a text that are no white space. Where the place itself is
// white space or the text's end, after is true and the count that of the character before it.
func nthInk(text string, line, column int) (seek int, after bool) {
	l, c := 1, 1
	for _, r := range text {
		if l == line && c >= column || l > line {
			return seek, isBlank(r)
		}
		if !isBlank(r) {
			seek++
		}
		c++
		if r == '\n' {
			l, c = l+1, 1
		}
	}
	return seek, true
}

func isBlank(r rune) bool {
	return r == ' ' || r == '\t' || r == '\n' || r == '\r'
}

// offset is the byte offset of a position in the source.
func (s *source) offset(at Position) int {
	offset := s.lineStart(at.Line - 1)
	for range at.Column - 1 {
		_, size := utf8.DecodeRune(s.Data[offset:])
		offset += size
	}
	return min(offset, len(s.Data))
}

// rawText reads the characters of a scalar as they stand in the file.
type rawText struct {
	data         []byte
	style        yaml.Style
	offset       int
	line, column int
	quote        rune // 0 for plain and block scalars
}

func (t *rawText) peek() rune {
	if t.offset >= len(t.data) {
		return 0
	}
	r, _ := utf8.DecodeRune(t.data[t.offset:])
	return r
}

func (t *rawText) take() rune {
	if t.offset >= len(t.data) {
		return 0
	}
	r, size := utf8.DecodeRune(t.data[t.offset:])
	t.offset += size
	t.column++
	if r == '\n' {
		t.line, t.column = t.line+1, 1
	}
	return r
}

// open steps over what stands before the text: an anchor or tag, the opening quote, a block's header line.
func (t *rawText) open() {
	for t.peek() == '&' || t.peek() == '!' {
		for t.offset < len(t.data) && !isBlank(t.peek()) {
			t.take()
		}
		for t.offset < len(t.data) && isBlank(t.peek()) {
			t.take()
		}
	}
	switch {
	case t.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		for t.offset < len(t.data) && t.take() != '\n' {
			continue
		}
	case t.style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		t.quote = t.take()
	}
}

// next returns the next character that is no white space, as YAML decodes it, and its position.
func (t *rawText) next() (rune, Position, bool) {
	for t.offset < len(t.data) {
		at := Position{Line: t.line, Column: t.column}
		r := t.take()
		switch {
		case isBlank(r):
			continue
		case t.quote == '\'' && r == '\'':
			t.take()
		case t.quote == '"' && r == '\\':
			r = t.escape()
			if isBlank(r) {
				continue
			}
		}
		return r, at, true
	}
	return 0, Position{}, false
}

// escape decodes the rest of an escape in double quotes. One that stands for white space or nothing is a blank.
func (t *rawText) escape() rune {
	switch r := t.take(); r {
	case 'x':
		return t.hex(2)
	case 'u':
		return t.hex(4)
	case 'U':
		return t.hex(8)
	case 'n', 't', 'r', '\t', '\n', '\r', ' ':
		return ' '
	case '0':
		return 0
	case 'a':
		return '\a'
	case 'b':
		return '\b'
	case 'v':
		return '\v'
	case 'f':
		return '\f'
	case 'e':
		return 0x1b
	case 'N':
		return 0x85
	case '_':
		return 0xa0
	case 'L':
		return 0x2028
	case 'P':
		return 0x2029
	default:
		return r
	}
}

func (t *rawText) hex(digits int) rune {
	var value rune
	for range digits {
		c := t.take()
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		}
		value = value<<4 | c
	}
	return value
}
