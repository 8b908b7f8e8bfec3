package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/cli"
)

// TestTheGuideToWindowsIsReal: what the guide shows is what its documents and the command come to.
func TestTheGuideToWindowsIsReal(t *testing.T) {
	guide, err := os.ReadFile("../../docs/windows.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string) string {
		found := regexp.MustCompile("(?s)```" + kind + "\n(.*?)```").FindSubmatch(guide)
		if found == nil {
			t.Fatalf("the guide shows no %s", kind)
		}
		return string(found[1])
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "files.yaml"), []byte(block("yaml")), 0o600); err != nil {
		t.Fatal(err)
	}
	line, want, _ := strings.Cut(block("console"), "\n")
	args := strings.Fields(strings.Replace(strings.TrimPrefix(line, "$ sluice "), "-f files", "-f "+dir, 1))

	f := cli.System()
	var out, errs strings.Builder
	f.Out, f.Err = &out, &errs
	if code := cli.Execute(t.Context(), args, f); code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, code, errs.String())
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("%s (-guide +real):\n%s", line, diff)
	}
}
