package worker

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"

	"go.temporal.io/sdk/activity"

	"sluice.dev/sluice/activities/checks"
	"sluice.dev/sluice/activities/cluster"
	"sluice.dev/sluice/activities/runs"
	follow "sluice.dev/sluice/activities/sources"
	"sluice.dev/sluice/activities/store"
)

// servedOnes counts how often each activity is registered.
type servedOnes map[string]int

func (s servedOnes) RegisterActivityWithOptions(_ any, o activity.RegisterOptions) { s[o.Name]++ }

// TestEveryDeclaredActivityIsServedOnce reads what internal/step declares from its source: nothing there lists it.
func TestEveryDeclaredActivityIsServedOnce(t *testing.T) {
	served := servedOnes{}
	registerCentral(served, &cluster.Activities{}, &store.Activities{}, &runs.Activities{}, &follow.Activities{})
	(&checks.Activities{}).Register(served)
	declared := declaredActivities(t)
	if len(declared) < 20 {
		t.Errorf("only %d activities were found", len(declared))
	}
	for _, name := range declared {
		if served[name] != 1 {
			t.Errorf("%s is served %d times", name, served[name])
		}
		delete(served, name)
	}
	for name := range served {
		t.Errorf("%s is served, and internal/step declares no such activity", name)
	}
}

// declaredActivities are the names that package-level variables of internal/step are made with: var X = short[Req, Res]("name").
func declaredActivities(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../internal/step/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			vars, ok := d.(*ast.GenDecl)
			if !ok || vars.Tok != token.VAR {
				continue
			}
			ast.Inspect(vars, func(n ast.Node) bool {
				made, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if _, generic := made.Fun.(*ast.IndexListExpr); !generic || len(made.Args) != 1 {
					return true
				}
				name, err := strconv.Unquote(made.Args[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, name)
				return true
			})
		}
	}
	return names
}
