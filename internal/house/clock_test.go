package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clocked are the folders, with those in them, in which what depends on time is told the time.
var clocked = []string{
	"activities", "internal/authn", "internal/change", "internal/check", "internal/cli", "internal/engine", "internal/kube", "internal/ledger",
	"internal/plan", "internal/workload",
}

// clocks are the functions of package time that go by the machine's clock.
var clocks = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

func TestAClockIsAnArgument(t *testing.T) {
	looked := map[string]int{}
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		i := slices.IndexFunc(clocked, func(folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") })
		if i < 0 {
			continue
		}
		looked[clocked[i]]++
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(path), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if !strings.HasSuffix(name, "_test.go") {
				asksTheMachine(t, name)
			}
		}
	}
	for _, folder := range clocked {
		if looked[folder] == 0 {
			t.Errorf("there is no package in %s", folder)
		}
	}
}

// asksTheMachine fails the test where a file calls the machine's clock.
func asksTheMachine(t *testing.T, name string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		of, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if from, ok := of.X.(*ast.Ident); ok && from.Name == "time" && slices.Contains(clocks, of.Sel.Name) {
			t.Errorf("%s: time.%s: take a clock as an argument, or a field", set.Position(of.Pos()), of.Sel.Name)
		}
		return true
	})
}
