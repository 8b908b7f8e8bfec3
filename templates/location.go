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
	end := found[len(found)-1][1]
	for len(found) > 1 && text[found[len(found)-1][2]:found[len(found)-1][3]] == tplName {
		found = found[:len(found)-1] // a text that tpl was given has no file: its caller has
	}
	last := found[len(found)-1]
	at := func(i int) string {
		if last[2*i] < 0 {
			return ""
		}
		return text[last[2*i]:last[2*i+1]]
	}
	line, _ := strconv.Atoi(at(2))
	column, missing := strconv.Atoi(at(3))
	if missing == nil {
		column++ // the engine counts columns from 0
	}
	message := strings.TrimSpace(text[end:])
	var refused *refusedCall
	if errors.As(err, &refused) {
		message = refused.Error()
	}
	return &RenderError{File: at(1), Line: line, Column: column, Message: message}
}
