package house_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// apart are packages that do alike things, each in its own way. What two of them do the same way stands in a third.
var apart = [][2]string{
	{"workflows/run", "workflows/unit"},
}

// equalRun is how many lines in a row may not be equal.
const equalRun = 6

func TestPackagesApartHaveNoRunOfEqualLines(t *testing.T) {
	for _, pair := range slices.Concat(apart, drivers(t)) {
		a, b := codeOf(t, pair[0]), codeOf(t, pair[1])
		for _, run := range equalRuns(a, b) {
			t.Errorf("%s and %s have these lines in common:\n%s", pair[0], pair[1], run)
		}
	}
}

// drivers are the pairs of packages that move a kind of workload each: what the list of drivers imports to make them of.
func drivers(t *testing.T) (pairs [][2]string) {
	t.Helper()
	const list, kit = module + "internal/workload/drivers", module + "internal/workload/kit"
	imports := map[string][]string{}
	for _, p := range packages(t) {
		imports[p.ImportPath] = p.Imports
	}
	var found []string
	for _, path := range imports[list] {
		if slices.Contains(imports[path], kit) {
			found = append(found, strings.TrimPrefix(path, module))
		}
	}
	if len(found) < 2 {
		t.Fatalf("%s lists no two drivers: %v", list, found)
	}
	for i, a := range found {
		for _, b := range found[i+1:] {
			pairs = append(pairs, [2]string{a, b})
		}
	}
	return pairs
}

func TestNoDriverImportsAnother(t *testing.T) {
	imports := map[string][]string{}
	for _, p := range packages(t) {
		imports[p.ImportPath] = p.Imports
	}
	for _, pair := range drivers(t) {
		for i, name := range pair {
			if other := pair[1-i]; slices.Contains(imports[module+name], module+other) {
				t.Errorf("%s imports %s: what two drivers share stands in internal/workload/kit", name, other)
			}
		}
	}
}

func TestEqualRunsAreFound(t *testing.T) {
	six := []string{"a", "b", "c", "d", "e", "f"}
	for _, c := range []struct {
		reason string
		a, b   []string
		want   int
	}{
		{"nothing is equal", six, []string{"g", "h", "i", "j", "k", "l"}, 0},
		{"five lines may be", six, []string{"x", "a", "b", "c", "d", "e", "y"}, 0},
		{"six may not", append([]string{"x"}, six...), append([]string{"y", "z"}, six...), 1},
		{"a longer run is told once", append(six, "g", "h"), append(six, "g", "h"), 1},
	} {
		if got := equalRuns(c.a, c.b); len(got) != c.want {
			t.Errorf("%s: %q", c.reason, got)
		}
	}
}

// codeOf returns the lines of a package that say something, without indentation: no blank ones, no comments, no imports, and
// none that only open or close. Its tests are not among them.
func codeOf(t *testing.T, pkg string) (lines []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", pkg, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no code in %s: %v", pkg, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body := string(text)
		_, imports, grouped := strings.Cut(body, "\nimport (\n")
		if _, after, ok := strings.Cut(imports, "\n)\n"); grouped && ok {
			body = after
		}
		for line := range strings.Lines(body) {
			line = strings.TrimSpace(line)
			if strings.Trim(line, "{}(),") != "" && !strings.HasPrefix(line, "//") {
				lines = append(lines, line)
			}
		}
		lines = append(lines, "// end of "+file) // no run goes on in the next file
	}
	return lines
}

// equalRuns returns the runs of lines that stand in both, each once.
func equalRuns(a, b []string) (runs []string) {
	seen := map[string][]int{}
	for j := range len(b) - equalRun + 1 {
		key := strings.Join(b[j:j+equalRun], "\n")
		seen[key] = append(seen[key], j)
	}
	for i := 0; i+equalRun <= len(a); i++ {
		at := seen[strings.Join(a[i:i+equalRun], "\n")]
		if len(at) == 0 {
			continue
		}
		n := equalRun
		for i+n < len(a) && at[0]+n < len(b) && a[i+n] == b[at[0]+n] {
			n++
		}
		runs = append(runs, strings.Join(slices.Clone(a[i:i+n]), "\n"))
		i += n - 1
	}
	return runs
}
