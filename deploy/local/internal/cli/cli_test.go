package cli

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/deploy/local/internal/control"
	"sluice.dev/sluice/deploy/local/internal/stack"
)

func TestEveryCommandHasAnExampleThatParses(t *testing.T) {
	outer := func() *cobra.Command {
		cmd := &cobra.Command{Use: "sluice"}
		cmd.AddCommand(newCommand(environment{}))
		return cmd
	}
	local := outer().Commands()[0]
	for _, c := range append(local.Commands(), local) {
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: no example calls it", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			words := strings.Fields(line)
			cmd, args, err := outer().Find(words[1:])
			if err != nil || cmd.DisableFlagParsing {
				if err != nil {
					t.Errorf("example %q: %v", line, err)
				}
				continue
			}
			if err := cmd.ParseFlags(args); err != nil {
				t.Errorf("example %q: %v", line, err)
				continue
			}
			rest := cmd.Flags().Args()
			if err := cmd.ValidateArgs(rest); err != nil {
				t.Errorf("example %q: %v", line, err)
			}
			if len(rest) > 0 && !slices.Contains(cmd.ValidArgs, rest[0]) {
				t.Errorf("example %q: there is no part %s", line, rest[0])
			}
		}
	}
}

func TestStatusInEveryForm(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	ask := func(args ...string) (string, string, int) {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"status", "--dir", dir}, args...), environment{out: &out, err: &errs})
		return out.String(), errs.String(), code
	}
	f, err := stack.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for form, read := range map[string]func(string, *control.Status) error{
		"json": func(text string, s *control.Status) error { return json.Unmarshal([]byte(text), s) },
		"yaml": func(text string, s *control.Status) error { return yaml.Unmarshal([]byte(text), s) },
	} {
		out, errs, code := ask("-o", form)
		var got control.Status
		if err := read(out, &got); err != nil || got.Dir != f.Root() || code != exitFailed {
			t.Errorf("-o %s: %v, exit code %d, %s\n%s", form, err, code, errs, out)
		}
		if strings.HasPrefix(out, "{") != (form == "json") {
			t.Errorf("-o %s prints %q", form, out)
		}
	}
	if _, errs, code := ask("-o", "toml"); code != exitUsage || errs != "sluice: cannot print as \"toml\": want json or yaml\n" {
		t.Errorf("-o toml: exit code %d, %q", code, errs)
	}
}
