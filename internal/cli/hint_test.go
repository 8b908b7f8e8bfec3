package cli_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/plan"
)

// hint is a command in a message: behind "with: ", "is: ", "of it: " and their like, in quotes, or in brackets.
var hint = regexp.MustCompile(`(?:(?:: |'|\()sluice|(?:with|all of it): %s) ([a-z]+(?: [^'"\n;,()]*)?)`)

// sample is a value for a verb of a format.
var sample = regexp.MustCompile(`%[.0-9]*[a-z]`)

// hintsOf lists the commands that the texts of a package's sources offer.
func hintsOf(t *testing.T, dir string) (hints []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, is := n.(*ast.BasicLit)
			if !is || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				return true
			}
			for _, found := range hint.FindAllStringSubmatch(text, -1) {
				words := sample.ReplaceAllString(found[1], "3f2a9c01d2e4")
				if strings.HasSuffix(words, " ") {
					words += "3f2a9c01d2e4" // what follows is put in behind the text
				}
				hints = append(hints, strings.TrimSpace(words))
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hints
}

// parses returns an error unless a command line is one that the program understands.
func parses(t *testing.T, words []string) error {
	cmd, args, err := cli.NewRoot(silent(t)).Find(words)
	if err != nil {
		return err
	}
	if !cmd.Runnable() || cmd.Parent() == nil {
		return fmt.Errorf("there is no such command")
	}
	if cmd.DisableFlagParsing {
		return nil
	}
	if err := cmd.ParseFlags(args); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// Whatever a message tells people to type is a command that this program has.
func TestHintsAreCommands(t *testing.T) {
	var all []string
	for _, dir := range []string{".", "../engine", "../plan", "../../workflows", "../../activities", "../../worker", "../../pipelines"} {
		all = append(all, hintsOf(t, dir)...)
	}
	for _, line := range all {
		words := strings.Fields(line)
		if slices.Contains([]string{"has", "is", "on"}, words[0]) { // a sentence about the program
			continue
		}
		if err := parses(t, words); err != nil {
			t.Errorf("a message offers %q: %v", "sluice "+line, err)
		}
	}
	for _, wanted := range []string{"worker", "abort 3f2a9c01d2e4", "local up"} {
		if !slices.Contains(all, wanted) {
			t.Errorf("the hint %q is not found among %q", wanted, all)
		}
	}
	for _, wrong := range []string{"abrt agent-1", "abort", "rollback agent-1 --clusters c1", "get a b"} {
		if parses(t, strings.Fields(wrong)) == nil {
			t.Errorf("%q is taken for a command", wrong)
		}
	}
}

// typed takes a hint out of what was printed, as a person would paste it.
func typed(text string) []string {
	at := strings.LastIndex(text, ": sluice ")
	if at < 0 {
		return nil
	}
	line, _, _ := strings.Cut(text[at+len(": sluice "):], "\n")
	return strings.Fields(line)
}

// A hint that is pasted as it stands does what it says: it speaks of the ledger that the command was about.
func TestAHintCanBePasted(t *testing.T) {
	s := newSession(t, api.PhaseMoving)
	s.server.seen = plan.ClusterDiff{Diff: "sha256:d", Objects: []plan.Object{{Object: "ConfigMap/a", Action: "create"}}}
	out, _, _ := s.types("plan agent -f " + s.files)
	paste := func(text string) (string, string, int) {
		words := typed(text)
		if len(words) == 0 {
			t.Fatalf("there is no hint in %q", text)
		}
		return s.runs(words)
	}
	started, errs, code := paste(out)
	if code != 0 || !strings.Contains(started, "run agent-1 has started") {
		t.Fatalf("the hint of a plan: exit code %d, %s%s", code, started, errs)
	}
	_, refused, code := s.types("run agent --go -f " + s.files)
	if code != 3 || !strings.Contains(refused, "run agent-1 (agent 1.0.0") {
		t.Fatalf("a second run: exit code %d, %s", code, refused)
	}
	if words := typed(refused); !slices.Equal(words, []string{"--ledger", s.server.ledger, "abort", "agent-1"}) || parses(t, words) != nil {
		t.Errorf("the refusal says %q", refused)
	}
	busy, _, _ := s.types("plan agent -f " + s.files)
	if !strings.HasPrefix(busy, "1 cluster to change, 1 object to write\nwarning: run agent-1 (agent 1.0.0") {
		t.Errorf("a plan made meanwhile does not begin with that:\n%s", busy)
	}
	if shown, errs, code := paste(busy); code != 0 || !strings.Contains(shown, "agent-1") {
		t.Errorf("the hint of a plan that cannot start: exit code %d, %s%s", code, shown, errs)
	}
	s.server.phases, s.server.says = []api.Phase{api.PhaseHeld}, "containers restart"
	why, _, _ := s.types("why agent-1")
	if want := "sluice --ledger " + s.server.ledger + " resume agent-1"; !strings.Contains(why, want) {
		t.Errorf("why does not offer %q:\n%s", want, why)
	}
}
