package house_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// columns is how long a line of code may be that is still read at one glance. A tab is one.
const columns = 140

func TestLinesCanBeRead(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(strings.TrimPrefix(p.ImportPath, module)), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			seen++
			long(t, name)
		}
	}
	if seen < 200 {
		t.Errorf("only %d files were looked at", seen)
	}
}

func long(t *testing.T, name string) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		if length := utf8.RuneCountInString(lines.Text()); length > columns {
			t.Errorf("%s:%d has %d columns", name, n, length)
		}
	}
	if err := lines.Err(); err != nil {
		t.Errorf("cannot read %s: %v", name, err)
	}
}
