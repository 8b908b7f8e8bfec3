package pipelines_test

import (
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/pipelines"
)

// TestSentValuesAreBounded loads documents that take much more in memory than they are long.
func TestSentValuesAreBounded(t *testing.T) {
	const much = "cannot read file: more than 400000 lines and values at once"
	for name, c := range map[string]struct {
		reason string
		files  map[string]string
		says   string // "": nothing is wrong
	}{
		"ten thousand clusters": {"the largest fleet there is", map[string]string{"a.yaml": string(tenThousandClusters())}, ""},
		"a list of numbers":     {"a file of a megabyte", map[string]string{"a.yaml": "a: [0" + strings.Repeat(",0", 400_000) + "]\n"}, much},
		"a list in lines":       {"each begins a value", map[string]string{"a.yaml": "a:\n" + strings.Repeat("- 0\n", 200_001)}, much},
		"lines that end otherwise": {"YAML has several ends of lines", map[string]string{
			"a.yaml": "a:\r" + strings.Repeat("- 0\r", 200_001)}, much},
		"lists in a list":      {"the shortest values", map[string]string{"a.yaml": "[[]" + strings.Repeat(",[]", 200_001) + "]"}, much},
		"keys without a value": {"a value that is not there takes as much", map[string]string{"a.yaml": "{" + strings.Repeat("?,", 200_001) + "}"}, much},
		"many files": {"they are kept together", map[string]string{
			"a.yaml": "a: [0" + strings.Repeat(",0", 200_001) + "]\n", "b.yaml": "a: [0" + strings.Repeat(",0", 200_001) + "]\n"}, "b.yaml: " + much},
		"dashes in words": {"they begin nothing", map[string]string{"a.yaml": "a: " + strings.Repeat("-a", 400_001) + "\n"}, "not a Sluice document"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range c.files {
				writeFile(t, filepath.Join(dir, file), []byte(text))
			}
			_, err := pipelines.Loader{Root: dir}.Load(".")
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%s: %.500v", c.reason, err)
			}
			if c.says == much {
				if _, err := pipelines.Load(dir); err != nil && strings.Contains(err.Error(), much) {
					t.Errorf("%s: what nobody has sent is not bounded so: %.500v", c.reason, err)
				}
			}
		})
	}
}
