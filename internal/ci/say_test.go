package ci_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/ci"
)

func TestAnnotationsAreEscaped(t *testing.T) {
	for _, c := range []struct {
		reason string
		a      ci.Annotation
		want   string
	}{
		{"a place in a file", ci.Annotation{Kind: ci.Error, File: "a/b.yaml", Line: 3, Column: 7, Message: "spec is missing"}, "::error file=a/b.yaml,line=3,col=7::spec is missing\n"},
		{"a file alone", ci.Annotation{Kind: ci.Warning, File: "a.yaml", Column: 7, Message: "x"}, "::warning file=a.yaml::x\n"},
		{"nowhere", ci.Annotation{Kind: ci.Warning, Line: 3, Message: "100%\r\n::stop"}, "::warning::100%25%0D%0A::stop\n"},
		{"a name that would say more", ci.Annotation{Kind: ci.Error, File: "a,line=1:b%.yaml\n::x", Message: "m"}, "::error file=a%2Cline=1%3Ab%25.yaml%0A%3A%3Ax::m\n"},
	} {
		if got := c.a.Command(); got != c.want {
			t.Errorf("%s: %q, want %q", c.reason, got, c.want)
		}
	}
}

// command is what GitHub takes for a command in a line of a log.
var command = regexp.MustCompile(`(?m)^[\s\pZ\x{85}\x{feff}]*::|##\[`)

func TestALogHasNoCommands(t *testing.T) {
	for _, c := range []struct{ reason, text, want string }{
		{"text", "a::b\n", "a::b\n"},
		{"a command", "::add-mask::x\n", ": :add-mask::x\n"},
		{"a command behind blanks", "x\n \t::error::y\n", "x\n \t: :error::y\n"},
		{"a command behind a wide blank", "\u3000\u2003::add-mask::x\n", "\u3000\u2003: :add-mask::x\n"},
		{"a command behind a line separator", "\u2028\u0085::stop-commands::x\n", "\u2028\u0085: :stop-commands::x\n"},
		{"one of the older kind", "a ##[command]x\n", "a ## [command]x\n"},
		{"one behind a carriage return", "a\r::error::x\n", "a::error::x\n"},
		{"one that a carriage return hides", ":\r:error::x", ": :error::x"},
	} {
		var out bytes.Buffer
		n, err := ci.Log{Writer: &out}.Write([]byte(c.text))
		if err != nil || n != len(c.text) || out.String() != c.want || command.MatchString(out.String()) {
			t.Errorf("%s: %q, %d, %v; want %q", c.reason, out.String(), n, err, c.want)
		}
	}
}

func FuzzALogHasNoCommands(f *testing.F) {
	for _, text := range []string{"::error::x", "\r::x", "#\r#[x", ":\r:", " \u00a0::", "##\r[", "###[["} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var out bytes.Buffer
		if _, err := (ci.Log{Writer: &out}).Write([]byte(text)); err != nil || command.MatchString(out.String()) {
			t.Errorf("%q, %v", out.String(), err)
		}
	})
}

// parseOutputs reads a file of outputs as a runner of GitHub does.
func parseOutputs(t *testing.T, text string) map[string]string {
	t.Helper()
	all := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		name, end, heredoc := strings.Cut(lines[i], "<<")
		if !heredoc {
			t.Fatalf("line %d is %q", i+1, lines[i])
		}
		var value []string
		for i++; i < len(lines) && lines[i] != end; i++ {
			value = append(value, lines[i])
		}
		all[name] = strings.Join(value, "\n")
	}
	return all
}

func TestOutputs(t *testing.T) {
	const evil = "ready\nsluice_\nEOF\nplan<<EOF\nother"
	all := []ci.Output{{Name: "verdict", Value: evil}, {Name: "plan", Value: "3f70"}}
	path := filepath.Join(t.TempDir(), "outputs")
	for range 2 {
		if err := ci.Of(onGitHub().get).WriteOutputs(path, all); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := parseOutputs(t, string(text)); got["verdict"] != evil || got["plan"] != "3f70" || len(got) != 2 {
		t.Errorf("they read %q", got)
	}
	ends := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		if _, end, ok := strings.Cut(line, "<<sluice_"); ok {
			ends[end] = true
		}
	}
	if len(ends) != 4 {
		t.Errorf("four delimiters are %d: they can be guessed", len(ends))
	}
	dotenv := filepath.Join(t.TempDir(), "sluice.env")
	if err := ci.Of(onGitLab().get).WriteOutputs(dotenv, all); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(dotenv); err != nil || string(text) != "SLUICE_VERDICT=ready sluice_ EOF plan<<EOF other\nSLUICE_PLAN=3f70\n" {
		t.Errorf("%v: %q", err, text)
	}
	if err := ci.Of(onGitLab().get).WriteOutputs(dotenv, []ci.Output{{Name: "a=b"}}); err == nil {
		t.Error("a name that is none is written")
	}
}

func TestRoomOfASummary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "summary")
	if got := ci.Room(path, 10); got != 10 {
		t.Errorf("a file that is not there has room for %d", got)
	}
	for want := range 3 {
		if err := ci.Append(path, "12345"); err != nil {
			t.Fatal(err)
		}
		if got := ci.Room(path, 10); got != max(0, 5-5*want) {
			t.Errorf("after %d of 10 bytes there is room for %d", 5+5*want, got)
		}
	}
	if err := ci.Append(filepath.Join(path, "x"), "x"); err == nil {
		t.Error("what cannot be written is no error")
	}
}
