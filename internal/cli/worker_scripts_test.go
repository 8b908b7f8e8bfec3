package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/fault"
)

func TestOnlyExecutablesAreAllowedAsScripts(t *testing.T) {
	dir := t.TempDir()
	program, plain := filepath.Join(dir, "program"), filepath.Join(dir, "plain")
	for path, mode := range map[string]os.FileMode{program: 0o755, plain: 0o644} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		reason string
		given  []string
		says   string // "": it is allowed
	}{
		{"an executable", []string{"smoke=" + program}, ""},
		{"none", nil, ""},
		{"no path", []string{"smoke"}, "its path"},
		{"no name", []string{"=" + program}, "NAME=PATH is wanted"},
		{"a name that no check can have", []string{"../smoke=" + program}, "NAME=PATH is wanted"},
		{"a path that depends on where the worker was started", []string{"smoke=program"}, "must begin with /"},
		{"what is not there", []string{"smoke=" + program + "-2"}, "no such file"},
		{"what is no executable", []string{"smoke=" + plain}, "is no executable"},
		{"a folder", []string{"smoke=" + dir}, "is no executable"},
		{"two of one name", []string{"smoke=" + program, "smoke=" + program}, "given twice"},
	} {
		got, err := allowedScripts(c.given)
		switch {
		case c.says == "" && (err != nil || len(got) != len(c.given) || len(got) == 1 && got["smoke"] != program):
			t.Errorf("%s: %v, %v", c.reason, got, err)
		case c.says != "" && (fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}
