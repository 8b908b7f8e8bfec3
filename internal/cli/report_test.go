package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
)

func TestAReportIsPrintedOrWritten(t *testing.T) {
	s := newSession(t, api.PhaseSucceeded)
	if out, err, code := s.types("run agent --go --wait -f " + s.files); code != 0 {
		t.Fatalf("%s%s", out, err)
	}
	out, err, code := s.types("report agent-1")
	if code != 0 || !strings.HasPrefix(out, "# agent-1: ") || !strings.Contains(out, "\n## Timeline\n") {
		t.Errorf("it prints %s%s", out, err)
	}
	file := filepath.Join(t.TempDir(), "a.html")
	if out, err, code := s.types("report agent-1 --output " + file); code != 0 || out != "agent-1 is in "+file+"\n" {
		t.Errorf("it prints %s%s", out, err)
	}
	if page, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(page), "<!DOCTYPE html>") {
		t.Errorf("the file has %.60s, %v", page, err)
	}
	for line, want := range map[string]int{
		"report agent-1 -o pdf": 2, "report": 2, "report nobody-1": 1, "report agent-1 --output " + filepath.Join(file, "x"): 2,
	} {
		if out, err, code := s.types(line); code != want {
			t.Errorf("%s exits with %d: %s%s", line, code, out, err)
		}
	}
}
