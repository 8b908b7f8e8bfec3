package templates

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// locations finds "file:line" and "file:line:column" as text/template and Helm's engine write them, with or without
// brackets.
var locations = regexp.MustCompile(`(?:template: |\()([^():\s]+):(\d+)(?::(\d+))?\)?: `)

// located turns an error of a template engine into one that says where. The last place named is the innermost one: the
// helper that failed, not the file that included it.
func located(file string, err error) error {
	var own *RenderError
	if errors.As(err, &own) {
		return own
	}
	text := err.Error()
	found := locations.FindAllStringSubmatchIndex(text, -1)
	if len(found) == 0 {
		return &RenderError{File: file, Message: text}
	}
	last := found[len(found)-1]
	at := func(i int) string {
		if last[2*i] < 0 {
			return ""
		}
		return text[last[2*i]:last[2*i+1]]
	}
	line, _ := strconv.Atoi(at(2))
	column, _ := strconv.Atoi(at(3))
	message := strings.TrimSpace(text[last[1]:])
	return &RenderError{File: at(1), Line: line, Column: column, Message: message}
}
