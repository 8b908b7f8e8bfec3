package rule

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
)

// Issue is one thing that is wrong with a rule. Line and column count from 1, in characters of the rule's source.
type Issue struct {
	Line    int
	Column  int
	Message string
}

// Issues are everything that is wrong with a rule, in the order of its source. They are never empty.
type Issues []Issue

// Error prints one issue a line.
func (i Issues) Error() string {
	lines := make([]string, 0, len(i))
	for _, issue := range i {
		lines = append(lines, fmt.Sprintf("%d:%d: %s", issue.Line, issue.Column, issue.Message))
	}
	return strings.Join(lines, "\n")
}

// sorted orders issues and drops what is said twice about one place.
func (i Issues) sorted() Issues {
	slices.SortStableFunc(i, func(a, b Issue) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(i)
}

// issuesOf translates what cel-go found. Where said holds a place, somebody has spoken about it in better words.
func issuesOf(found *cel.Issues, scope Scope, said map[Issue]bool) Issues {
	var issues Issues
	for _, e := range found.Errors() {
		issue := place(e.Location)
		if said[issue] {
			continue
		}
		if strings.HasPrefix(e.Message, "undefined field") {
			issue.Column++ // past the dot, onto the field
		}
		issue.Message = plain(e.Message)
		if name := unknownName.FindStringSubmatch(issue.Message); name != nil {
			issue.Message += Suggest(name[1], scope.Facts())
		}
		issues = append(issues, issue)
	}
	return issues
}

// place is a location without a message. cel-go counts columns from 0 and has line 0 for "nowhere".
func place(at common.Location) Issue {
	return Issue{Line: max(1, at.Line()), Column: max(0, at.Column()) + 1}
}

// operator matches the internal name of an operator in cel-go's messages: '_>=_', '!_', '_[_]', '_?_:_'.
var operator = regexp.MustCompile(`'(_?)([^\s'_a-zA-Z]+)_?'`)

var unknownName = regexp.MustCompile(`^unknown name '([^']+)'$`)

// plain puts a message of cel-go into the words of whoever wrote the rule.
func plain(message string) string {
	message = strings.TrimSuffix(message, " (in container '')")
	if what, expected, ok := strings.Cut(message, " expecting "); ok && strings.HasPrefix(message, "Syntax error") {
		message = what
		if !strings.HasPrefix(expected, "{") {
			message += ", expected " + strings.ReplaceAll(expected, "<EOF>", "the end")
		}
		message = strings.ReplaceAll(message, "mismatched input '<EOF>'", "the rule ends too early")
	}
	message = operator.ReplaceAllString(message, "'$2'")
	message = strings.ReplaceAll(message, "undeclared reference to", "unknown name")
	return strings.Replace(message, "Syntax error", "syntax error", 1)
}
