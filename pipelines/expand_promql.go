package pipelines

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// bareInPromQL is what may be put into a query outside of quotes: one number, duration or name. Anything else could change what is
// asked.
var bareInPromQL = regexp.MustCompile(`^(-?[0-9]+(\.[0-9]+)?|([0-9]+(ms|[smhdwy]))+|[a-zA-Z_:][a-zA-Z0-9_:]*)$`)

// expandPromQL returns a query with the values of names. Within quotes a value is a text and cannot end it, after =~ and !~ a text
// and no pattern; outside, a value that is more than one word is an error.
func expandPromQL(query string, value func(name string) (string, error)) (string, error) {
	var out strings.Builder
	place := promqlPlace{}
	for at := 0; at < len(query); {
		match := namedText.FindStringSubmatchIndex(query[at:])
		if match == nil || match[0] > 0 {
			place.step(query[at])
			out.WriteByte(query[at])
			at++
			continue
		}
		name := query[at+match[2] : at+match[3]]
		v, err := value(name)
		if err != nil {
			return "", err
		}
		if v, err = place.written(v); err != nil {
			return "", fmt.Errorf("cannot expand $(%s): %w", name, err)
		}
		out.WriteString(v)
		if place.quote == 0 {
			place.before = 'x'
		}
		at += match[1]
	}
	return out.String(), nil
}

// promqlPlace is where in a query something stands.
type promqlPlace struct {
	quote   byte // ", ' or ` within a text, else 0
	regexp  bool // the text is a pattern
	escaped bool // the byte before was a backslash that takes this one
	comment bool
	before  byte // the last byte that is no space
}

// step goes past a byte.
func (p *promqlPlace) step(b byte) {
	switch {
	case p.comment:
		p.comment = b != '\n'
	case p.escaped:
		p.escaped = false
	case p.quote != 0 && b == '\\' && p.quote != '`':
		p.escaped = true
	case p.quote != 0 && b == p.quote:
		p.quote, p.before = 0, b
	case p.quote != 0:
	case b == '"' || b == '\'' || b == '`':
		p.quote, p.regexp = b, p.before == '~'
	case b == '#':
		p.comment = true
	case b != ' ' && b != '\t' && b != '\n' && b != '\r':
		p.before = b
	}
}

// written is a value as it is written at the place.
func (p *promqlPlace) written(value string) (string, error) {
	switch {
	case p.escaped:
		return "", errors.New("a backslash stands before it")
	case p.comment:
		return strings.Join(strings.FieldsFunc(value, unicode.IsControl), " "), nil
	case p.quote == 0:
		if !bareInPromQL.MatchString(value) {
			return "", fmt.Errorf("%q is no number, duration or name, so it must stand within quotes", shortened(value))
		}
		return value, nil
	}
	if p.regexp {
		value = regexp.QuoteMeta(value)
	}
	if p.quote == '`' {
		if strings.Contains(value, "`") {
			return "", fmt.Errorf("%q has a backquote, and stands within backquotes", shortened(value))
		}
		return value, nil
	}
	return strings.NewReplacer(`\`, `\\`, string(p.quote), `\`+string(p.quote), "\n", `\n`, "\r", `\r`).Replace(value), nil
}

// unclosedPromQL finds a quote or bracket of a query that is not closed, or closes nothing. Line and column count from 1.
func unclosedPromQL(query string) (line, column int, why string) {
	type bracket struct {
		want         byte
		line, column int
	}
	var open []bracket
	place := promqlPlace{}
	line, column = 1, 0
	quoted := bracket{}
	for at := range len(query) {
		b := query[at]
		if b&0xC0 != 0x80 { // columns count characters
			column++
		}
		was := place.quote
		place.step(b)
		if was == 0 && place.quote != 0 {
			quoted = bracket{place.quote, line, column}
		}
		if was == 0 && place.quote == 0 && !place.comment {
			switch i := strings.IndexByte("([{", b); {
			case i >= 0:
				open = append(open, bracket{")]}"[i], line, column})
			case strings.IndexByte(")]}", b) >= 0 && (len(open) == 0 || open[len(open)-1].want != b):
				return line, column, fmt.Sprintf("%c closes nothing", b)
			case strings.IndexByte(")]}", b) >= 0:
				open = open[:len(open)-1]
			}
		}
		if b == '\n' {
			line, column = line+1, 0
		}
	}
	if place.quote != 0 {
		return quoted.line, quoted.column, fmt.Sprintf("%c is not closed", place.quote)
	}
	if len(open) > 0 {
		last := open[len(open)-1]
		return last.line, last.column, fmt.Sprintf("it is not closed: %c is missing", last.want)
	}
	return 0, 0, ""
}
