package pipelines_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"sluice.dev/sluice/pipelines"
)

// at returns what stands at a position of a text.
func at(text string, p pipelines.Position) string {
	lines := strings.Split(text, "\n")
	if p.Line < 1 || p.Line > len(lines) {
		return ""
	}
	line := []rune(lines[p.Line-1])
	if p.Column < 1 || p.Column > len(line) {
		return ""
	}
	return string(line[p.Column-1:])
}

// The golden file of rules writes the same misspelt field in every way that YAML has.
func TestErrorsInRulesPointAtTheWord(t *testing.T) {
	data, err := os.ReadFile("testdata/load/cel.txtar")
	if err != nil {
		t.Fatal(err)
	}
	pointed := 0
	for _, file := range txtar.Parse(data).Files {
		_, err := pipelines.Parse(pipelines.Source{Name: file.Name, Data: file.Data})
		var found pipelines.Diagnostics
		if !errors.As(err, &found) {
			continue
		}
		for _, d := range found {
			if !strings.Contains(d.Message, "has no field redy") {
				continue
			}
			pointed++
			if got := at(string(file.Data), d.Position); !strings.HasPrefix(got, "redy") {
				t.Errorf("%s points at %q, want redy", d, got)
			}
		}
	}
	if pointed < 12 {
		t.Errorf("only %d errors about redy: the golden file has lost some", pointed)
	}
}

// TestErrorsInRulesPointAtTheWordWhereverItStands writes rules of random words and white space in every style.
func TestErrorsInRulesPointAtTheWordWhereverItStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		wrong := rapid.IntRange(0, 3).Draw(t, "line")
		for i := range 4 {
			word := "ready"
			if i == wrong {
				word = "redy"
			}
			text := rapid.SampledFrom([]string{`'é' != "日"`, `"it''s" != ''`, `'\\' != "\\n"`, `1 < 2`}).Draw(t, "text")
			lines = append(lines, fmt.Sprintf("%s && workload.%s == %d", text, word, i))
		}
		indent := strings.Repeat(" ", rapid.IntRange(1, 4).Draw(t, "indent"))
		gap := strings.Repeat("\n", rapid.IntRange(0, 2).Draw(t, "gap"))
		block := func(header string) string {
			return header + "\n" + gap + "      " + indent + strings.Join(lines, " &&\n"+gap+"      "+indent)
		}
		joined := strings.Join(lines, " && ")
		folded := strings.Join(lines, " &&\n      "+indent)
		styles := []string{
			block("|"), block(">"), block("|-"), block(">+ # comment"), block("&anchor |"),
			"'" + strings.ReplaceAll(folded, "'", "''") + "'",
			`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(folded) + `"`,
			`"` + strings.NewReplacer(`\`, `\x5c`, `"`, `\"`, "é", `\u00e9`, " == ", `\t==\n`).Replace(joined) + `"`,
		}
		style := rapid.SampledFrom(styles).Draw(t, "style")
		file := "# é\napiVersion: sluice.dev/v1alpha1\nkind: Task\nmetadata: {name: t}\nspec:\n  steps:\n  - name: s\n    gate:\n      cel: " + style + "\n"
		_, err := pipelines.Parse(pipelines.Source{Name: "x", Data: []byte(file)})
		var found pipelines.Diagnostics
		if !errors.As(err, &found) || len(found) != 1 {
			t.Fatalf("want one error, got %v in\n%s", err, file)
		}
		if got := at(file, found[0].Position); !strings.HasPrefix(got, "redy") {
			t.Fatalf("%s points at %q in\n%s", found[0], got, file)
		}
	})
}

func TestGatePositionIsThatOfTheExpression(t *testing.T) {
	file := header + `kind: Task
metadata: {name: t}
spec:
  steps:
  - {name: a, gate: {cel: workload.ready > 0}}
  - {name: b, gate: {cel: "  workload.ready > 1"}}
  - name: c
    gate:
      cel: |

        workload.ready > 2
`
	docs, err := pipelines.Parse(pipelines.Source{Name: "x", Data: []byte(file)})
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range docs.Tasks["t"].Spec.Steps {
		want := fmt.Sprintf("workload.ready > %d", i)
		if got := at(file, step.Gate.Position); !strings.HasPrefix(got, want) {
			t.Errorf("gate %s: %s points at %q, want %q", step.Name, step.Gate.Position, got, want)
		}
	}
}
