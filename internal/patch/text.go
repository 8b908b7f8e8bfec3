package patch

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Text returns what a change does to its object, for people: a line that names the object, then each field that changes
// by its path, "-" before and "+" after. It is the same wherever the same change meets the same fields, whatever else
// differs between clusters; values of Secrets are not in it. An unchanged object has no text.
func Text(c Change) string {
	if c.Action == Unchanged {
		return ""
	}
	sign := "~"
	if c.Action == Create {
		sign = "+"
	}
	return sign + " " + c.Object + "\n" + c.Diff
}

// Digest names the change: equal texts have equal digests.
func (c Change) Digest() string { return "sha256:" + sumOf(string(c.Action)+"\n"+Text(c)) }

func fieldsText(w *fieldWalk) string {
	var out strings.Builder
	for _, f := range w.fields {
		writeField(&out, f, w.masked(f.path))
	}
	return out.String()
}

func writeField(out *strings.Builder, f fieldDiff, masked bool) {
	before, isText := f.before.(string)
	after, isTextToo := f.after.(string)
	if isText && isTextToo && !masked && strings.Contains(before+after, "\n") {
		fmt.Fprintf(out, "  %s:\n", f.path)
		writeLines(out, before, after)
		return
	}
	if b, a := words(f.before), words(f.after); !masked && len(b)+len(a) > 2 && len(b) > 0 && len(a) > 0 {
		writeWords(out, f.path, b, a)
		return
	}
	if f.before != nil {
		fmt.Fprintf(out, "- %s: %s\n", f.path, short(f.before, masked))
	}
	if f.after != nil {
		fmt.Fprintf(out, "+ %s: %s\n", f.path, short(f.after, masked))
	}
}

// words are the elements of a list that holds texts, numbers and the like, such as args; nil where it is none.
func words(value any) []any {
	elements, isList := value.([]any)
	if !isList {
		return nil
	}
	for _, element := range elements {
		switch element.(type) {
		case map[string]any, []any:
			return nil
		}
	}
	return elements
}

// writeWords writes the elements in which two lists differ, with their surroundings: a long list of args is read as lines.
// Where nothing but texts of several lines have changed, such as a script after sh -c, the lines of these are compared.
func writeWords(out *strings.Builder, path pointer, before, after []any) {
	if scripts(before, after) {
		for i := range before {
			if before[i] != after[i] {
				fmt.Fprintf(out, "  %s:\n", path.with(strconv.Itoa(i)))
				writeLines(out, before[i].(string), after[i].(string))
			}
		}
		return
	}
	fmt.Fprintf(out, "  %s:\n", path)
	writeLines(out, wordLines(before), wordLines(after))
}

// scripts reports whether lists differ in nothing but texts of several lines.
func scripts(before, after []any) bool {
	if len(before) != len(after) {
		return false
	}
	for i := range before {
		b, isText := before[i].(string)
		a, isTextToo := after[i].(string)
		if before[i] != after[i] && (!isText || !isTextToo || !strings.Contains(b, "\n") || !strings.Contains(a, "\n")) {
			return false
		}
	}
	return true
}

func wordLines(elements []any) string {
	var lines strings.Builder
	for _, element := range elements {
		lines.WriteString(short(element, false) + "\n")
	}
	return lines.String()
}

// writeLines writes the lines in which two texts differ, with their surroundings.
func writeLines(out *strings.Builder, before, after string) {
	const header = 3 // diff, ---, +++
	lines := strings.Split(strings.TrimSuffix(string(diff.Diff("before", endLine(before), "after", endLine(after))), "\n"), "\n")
	if len(lines) <= header {
		fmt.Fprintf(out, "- %q\n+ %q\n", tail(before), tail(after))
		return
	}
	for _, line := range lines[header:] {
		fmt.Fprintf(out, "%s\n", line)
	}
}

func endLine(text string) []byte {
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return []byte(text)
}

// tail is the last line with its line feed, where only that differs.
func tail(text string) string {
	return text[strings.LastIndexByte(strings.TrimSuffix(text, "\n"), '\n')+1:]
}

// createText is the text of a new object: what changes against the one that it replaces, or else all of it.
func createText(s shape, after map[string]any, previous *unstructured.Unstructured) string {
	masked := maskOf(&unstructured.Unstructured{Object: after})
	if previous != nil {
		if before, err := s.canonical(previous, nil); err == nil {
			w := &fieldWalk{masked: masked}
			w.maps(nil, s.merge, before, after)
			return fmt.Sprintf("  replaces %s\n", nameOf(previous)) + fieldsText(w)
		}
	}
	shown := runtime.DeepCopyJSON(after)
	for key := range asMap(shown["data"]) {
		if masked(pointer{"data"}) {
			asMap(shown["data"])[key] = secret
		}
	}
	text, err := yaml.Marshal(shown)
	if err != nil {
		return "+ " + err.Error() + "\n"
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		out.WriteString("+ " + line)
	}
	return out.String()
}
