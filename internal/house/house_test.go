// Package house_test keeps the plan of the house: which package may import which.
package house_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "sluice.dev/sluice/"

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list packages: %v", err)
	}
	var all []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// arrows is the plan of the house: what each of its folders may import of the others. What stands in a folder may import
// what else stands there, but for activities, which meet nowhere.
var arrows = map[string][]string{
	"cmd":        {"worker", "scenario", "internal"},
	"scenario":   {"workflows", "activities", "internal", "pipelines"},
	"worker":     {"workflows", "activities", "internal"},
	"workflows":  {"internal", "pipelines"},
	"activities": {"internal", "templates", "pipelines"},
	"internal":   {"templates", "pipelines"},
	"templates":  {"pipelines"},
	"pipelines":  {},
}

// faces are what people and programs ask of Sluice. Nothing that works for a run knows them.
var faces = []string{"internal/engine", "internal/cli", "internal/demo", "internal/wire", "internal/server", "internal/remote"}

func TestImportsPointOneWay(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		seen++
		from := strings.TrimPrefix(p.ImportPath, module)
		allowed, known := arrows[folder(from)]
		if !known {
			t.Errorf("%s stands nowhere in the house: give it a place", from)
		}
		for _, i := range p.Imports {
			to, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			if folder(to) != folder(from) && !slices.Contains(allowed, folder(to)) {
				t.Errorf("%s imports %s: no arrow goes from %s to %s", from, to, folder(from), folder(to))
			}
			if folder(from) == "activities" && folder(to) == "activities" && firstTwo(to) != firstTwo(from) {
				t.Errorf("%s imports %s: activities know nothing of each other", from, to)
			}
			if slices.Contains(faces, firstTwo(to)) && folder(from) != "cmd" && !slices.Contains(faces, firstTwo(from)) {
				t.Errorf("%s imports %s, which only what people start may", from, to)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d packages were looked at", seen)
	}
}

func folder(path string) string {
	top, _, _ := strings.Cut(path, "/")
	return top
}

func firstTwo(path string) string {
	parts := strings.SplitN(path, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// pure are the packages that can wait for nothing, and what they must not reach, directly or not.
var pure = []string{
	"pipelines/calendar",
	"pipelines", "pipelines/rule", "templates", "templates/podkind", "workflows", "internal/fault", "internal/identity", "internal/plan", "internal/policy",
	"internal/api", "internal/step", "internal/patch", "internal/baseline", "internal/logscan",
	"internal/pod",
	"internal/workload/goal", "internal/workload/field", "internal/workload/podtemplate",
	"internal/tekton", "internal/report", "internal/markdown", "internal/access", "internal/payload",
}

// waits are packages that wait for something outside.
var waits = []string{
	"database/sql", "modernc.org/sqlite", "github.com/jackc/pgx/v5", "os/exec", "k8s.io/client-go/rest", "k8s.io/client-go/kubernetes", "k8s.io/client-go/dynamic",
	module + "internal/kube", module + "internal/ledger", module + "internal/workload", module + "internal/engine",
}

func TestPurePackagesCanWaitForNothing(t *testing.T) {
	own := map[string][]string{}
	for _, p := range packages(t) {
		own[p.ImportPath] = p.Imports
	}
	for _, name := range pure {
		if _, ok := own[module+name]; !ok {
			t.Errorf("there is no package %s", name)
		}
		for _, path := range reach(own, module+name) {
			for _, i := range own[path] {
				if slices.Contains(waits, i) {
					t.Errorf("%s must wait for nothing, and reaches %s through %s", name, i, path)
				}
			}
		}
	}
}

// reach lists a package and all packages of this module that it imports, directly or not.
func reach(own map[string][]string, from string) []string {
	out := []string{from}
	for i := 0; i < len(out); i++ {
		for _, next := range own[out[i]] {
			if strings.HasPrefix(next, module) && !slices.Contains(out, next) {
				out = append(out, next)
			}
		}
	}
	return out
}

func TestWorkflowsHaveNoClock(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != module+"workflows" && !strings.HasPrefix(p.ImportPath, module+"workflows/") {
			continue
		}
		for _, i := range p.Imports {
			if slices.Contains([]string{"math/rand", "math/rand/v2", "os", "net", "net/http", "sync", "context"}, i) {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}

// TestOnePlaceKnowsHowTheLedgerIsKept keeps a further store a matter of a folder, and of the place that opens one.
func TestOnePlaceKnowsHowTheLedgerIsKept(t *testing.T) {
	kept := module + "internal/ledger/"
	stores := map[string][]string{ // and who may import them
		kept + "sqlite":   {module + "internal/cli", kept + "sqlite/sqlitetest"},
		kept + "postgres": {module + "internal/cli", kept + "postgres/postgrestest"},
		kept + "sqlstore": {kept + "sqlite", kept + "postgres"},
	}
	for _, p := range packages(t) {
		for store, by := range stores {
			if slices.Contains(p.Imports, store) && !slices.Contains(by, p.ImportPath) {
				t.Errorf("%s imports %s: it takes a ledger that the command line has opened", p.ImportPath, store)
			}
		}
	}
}

func TestTheWitnessSharesNoCode(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != module+"internal/witness" {
			continue
		}
		for _, i := range p.Deps {
			if strings.HasPrefix(i, module) {
				t.Errorf("internal/witness reaches %s: it would prove with the engine's own eyes", i)
			}
		}
		return
	}
	t.Error("there is no package internal/witness")
}
