package access_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/pipelines"
)

// TestEveryCommandTakesARight finds a command of runs that is new and that nobody has given a right, and holds docs/access.md to the table.
func TestEveryCommandTakesARight(t *testing.T) {
	page, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../api/command.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"plan", "run", "freeze", "unfreeze", "catch-up", "reconcile", "let-in", "drill", "bypass", "sync"}
	updates := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Update") {
			return true
		}
		word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		words, updates = append(words, word), updates+1
		return true
	})
	if updates < 10 {
		t.Fatalf("only %d commands of runs were found", updates)
	}
	for _, word := range words {
		right, known := access.RightTo(word)
		if !known {
			t.Errorf("%s takes no right", word)
			continue
		}
		_, line, _ := strings.Cut(string(page), "\n| `"+string(right)+"` |")
		line, _, _ = strings.Cut(line, "|")
		said := strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' || r == ':' })
		if said = append(said, "rollback --batch"); !containsWord(said, word) {
			t.Errorf("docs/access.md does not say at %s that %s takes it: %s", right, word, line)
		}
	}
	for _, word := range []string{"", "Run", "delete", "view"} {
		if right, known := access.RightTo(word); known {
			t.Errorf("%q is no command, and takes %s", word, right)
		}
	}
}

func containsWord(words []string, word string) bool {
	for _, w := range words {
		if w == word || w == word+"s" {
			return true
		}
	}
	return false
}

func TestRightToKeep(t *testing.T) {
	for _, kind := range pipelines.Kinds() {
		want := pipelines.RightRegister
		switch kind {
		case "Binding", "Source", "Trigger":
			want = pipelines.RightBind
		case "Policy":
			want = pipelines.RightEnforce
		}
		if got := access.RightToKeep(kind); got != want {
			t.Errorf("to apply a %s takes %s", kind, got)
		}
	}
}
