package mutate

import (
	_ "embed"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/internal/fault"
)

var (
	all   = flag.Bool("mutate", false, "apply every mutation of the list, and run its tests")
	only  = flag.String("only", "", "of these, only those whose line, file or sentence matches")
	least = flag.Float64("least", 0.9, "the share of each class that has to be seen")
)

//go:embed mutations.txt
var list string

// TestEveryMutationFits finds mutations of what has moved or reads otherwise by now.
func TestEveryMutationFits(t *testing.T) {
	mutations, err := Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		if _, err := m.Apply(root); err != nil {
			t.Error(err)
		}
		for _, tests := range m.Tests {
			if _, err := os.Stat(filepath.Join(root, tests)); err != nil {
				t.Errorf("%s: %v", m, err)
			}
		}
	}
}

// TestMutations is what `make mutate` runs: the whole list takes minutes.
func TestMutations(t *testing.T) {
	if !*all {
		t.Skip("asked for by make mutate only")
	}
	mutations, err := Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	wanted := regexp.MustCompile(*only)
	mutations = slices.DeleteFunc(mutations, func(m Mutation) bool { return !wanted.MatchString(m.String()) })
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	trial := Trial{Root: root, Scratch: t.TempDir()}
	var packages []string
	for _, m := range mutations {
		if _, err := m.Apply(root); err != nil {
			t.Error(err)
		}
		packages = append(packages, m.Tests...)
	}
	slices.Sort(packages)
	if err := trial.Plain(t.Context(), slices.Compact(packages)); err != nil {
		t.Fatal(err)
	}
	results := make([]Seen, len(mutations))
	var wait sync.WaitGroup
	places := make(chan struct{}, max(2, runtime.NumCPU()/2))
	for i, m := range mutations {
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			began := time.Now()
			seen, err := trial.Of(t.Context(), m)
			verdict := "seen by " + seen.By
			switch {
			case err != nil:
				t.Errorf("%s: %v", m, err)
				verdict = "ERROR"
			case seen.By == "":
				verdict = "NOT SEEN"
			}
			results[i] = seen
			fmt.Fprintf(os.Stderr, "%3ds %-90s %s\n", int(time.Since(began).Seconds()), m, verdict)
		})
	}
	wait.Wait()
	report(t, mutations, results)
}

// report prints how many of each class were seen.
func report(t *testing.T, mutations []Mutation, results []Seen) {
	t.Helper()
	total, noticed := map[string]int{}, map[string]int{}
	var classes []string
	for i, m := range mutations {
		if total[m.Class]++; total[m.Class] == 1 {
			classes = append(classes, m.Class)
		}
		if results[i].By != "" {
			noticed[m.Class]++
		}
	}
	for _, class := range classes {
		fmt.Fprintf(os.Stderr, "%3d of %3d seen: %s\n", noticed[class], total[class], class)
		if share := float64(noticed[class]) / float64(total[class]); share < *least {
			t.Errorf("%s: only %d of %d were seen", class, noticed[class], total[class])
		}
	}
}

func TestParse(t *testing.T) {
	got, err := Parse(`# What hurts

= A door is left open
house/door.go ./house ./street
|	if leaving {
-		shut()
|	}
= A light is left on
house/light.go ./house
-	on = false
+	on = true
`)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	door := got[0]
	if door.Wrong != "A door is left open" || door.Class != "What hurts" || door.File != "house/door.go" || !slices.Equal(door.Tests, []string{"./house", "./street"}) ||
		door.Old != "\tif leaving {\n\t\tshut()\n\t}\n" || door.New != "\tif leaving {\n\t}\n" || door.Line != 3 {
		t.Errorf("the first is %+v", door)
	}
	for reason, text := range map[string]string{
		"a line before any mutation": "-x\n",
		"no file":                    "= wrong\n-x\n+y\n",
		"no tests":                   "= wrong\nhouse/door.go\n-x\n+y\n",
		"no change":                  "= wrong\nhouse/door.go ./house\n|x\n",
		"two files":                  "= wrong\nhouse/door.go ./house\nhouse/light.go ./house\n-x\n",
	} {
		if _, err := Parse(text); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

// module makes a module with a function and a test of it.
func module(t *testing.T, function string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":       "module example.org/house\n\ngo 1.24\n",
		"door.go":      "package house\n\nfunc open(locked bool) bool {\n" + function + "}\n",
		"door_test.go": "package house\n\nimport \"testing\"\n\nfunc TestALockedDoorIsShut(t *testing.T) {\n\tif open(true) {\n\t\tt.Error(\"it is open\")\n\t}\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestTrial(t *testing.T) {
	const right = "\tif locked {\n\t\treturn false\n\t}\n\treturn !locked\n"
	trial := Trial{Root: module(t, right), Scratch: t.TempDir()}
	mutation := func(old, now string) Mutation {
		return Mutation{File: "door.go", Old: old, New: now, Tests: []string{"."}, Line: 1}
	}
	if err := trial.Plain(t.Context(), []string{"."}); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		reason string
		m      Mutation
		by     string
		code   fault.Code
	}{
		{"a mistake that a test sees", mutation("\t\treturn false\n", "\t\treturn true\n"), "TestALockedDoorIsShut", ""},
		{"one that it does not", mutation("\treturn !locked\n", "\treturn true\n"), "", ""},
		{"one that does not compile", mutation("\treturn !locked\n", "\treturn 1\n"), "", fault.Invalid},
		{"text that is not there", mutation("\treturn nothing\n", "\treturn true\n"), "", fault.Invalid},
		{"part of a line", mutation("return !locked\n", "return true\n"), "", fault.Invalid},
	}
	for _, c := range cases {
		t.Run(c.reason, func(t *testing.T) {
			seen, err := trial.Of(t.Context(), c.m)
			if seen.By != c.by || fault.CodeOf(err) != c.code {
				t.Errorf("seen by %q, %v", seen.By, err)
			}
		})
	}
	twice := Trial{Root: module(t, "\tlocked = !locked\n\tlocked = !locked\n\treturn !locked\n"), Scratch: t.TempDir()}
	if _, err := twice.Of(t.Context(), mutation("\tlocked = !locked\n", "")); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "2 times") {
		t.Errorf("text that is there twice: %v", err)
	}
	broken := Trial{Root: module(t, "\treturn locked\n"), Scratch: t.TempDir()}
	if err := broken.Plain(t.Context(), []string{"."}); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "TestALockedDoorIsShut") {
		t.Errorf("tests that fail without a mistake: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(trial.Root, "door.go"))
	if err != nil || !strings.Contains(string(text), right) {
		t.Errorf("a file was touched: %s, %v", text, err)
	}
}
