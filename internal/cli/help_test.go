package cli_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/pipelines/catalog"
)

// silent is a factory whose every dependency fails the test: help may use none.
func silent(t *testing.T) *cli.Factory {
	t.Helper()
	return &cli.Factory{
		In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Library: catalog.Sources(),
		Who:    func() string { t.Error("help asks who we are"); return "" },
		Getenv: func(string) string { t.Error("help reads the environment"); return "" },
		Exec:   func(context.Context, string, []string) error { t.Error("help runs a program"); return nil },
	}
}

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	for _, c := range cmd.Commands() {
		if c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		visit(c)
		walk(c, visit)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	var paths [][]string
	walk(cli.NewRoot(silent(t)), func(c *cobra.Command) {
		paths = append(paths, strings.Fields(c.CommandPath())[1:])
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: its short text is %q; want one without a full stop", c.CommandPath(), c.Short)
		}
		if c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Long) {
			if len(strings.TrimRight(line, "\n")) > 110 {
				t.Errorf("%s: its text has a line of %d columns", c.CommandPath(), len(line))
			}
		}
	})
	if len(paths) < 18 {
		t.Fatalf("there are only %d commands", len(paths))
	}
	for _, path := range paths {
		f := silent(t)
		args := append(path, "--help")
		if path[0] == "local" {
			// Its help is that of the program it hands over to.
			args = append([]string{"help"}, path...)
		}
		if code := cli.Execute(t.Context(), args, f); code != 0 {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

// examples lists the lines of every example, without what a shell would do with their output.
func examples(root *cobra.Command) []string {
	texts := []string{root.Example}
	walk(root, func(c *cobra.Command) { texts = append(texts, c.Example) })
	var all []string
	for _, text := range texts {
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " > ")
			if line != "" {
				all = append(all, line)
			}
		}
	}
	return all
}

func TestEveryExampleParses(t *testing.T) {
	check := func(line string) {
		t.Helper()
		words := split(line)
		if len(words) < 2 || words[0] != "sluice" {
			t.Errorf("example %q does not call sluice", line)
			return
		}
		cmd, args, err := cli.NewRoot(silent(t)).Find(words[1:])
		if err != nil {
			t.Errorf("example %q: %v", line, err)
			return
		}
		if cmd.DisableFlagParsing {
			return
		}
		if err := cmd.ParseFlags(args); err != nil {
			t.Errorf("example %q: %v", line, err)
			return
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("example %q: %v", line, err)
		}
	}
	root := cli.NewRoot(silent(t))
	walk(root, func(c *cobra.Command) {
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: no example calls it", c.CommandPath())
		}
	})
	for _, line := range examples(root) {
		check(line)
	}
}

// split takes a line apart as a shell does, as far as examples go: words, and words in double quotes.
func split(line string) []string {
	var words []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words
}
