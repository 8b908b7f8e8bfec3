package markdown

import (
	"strings"

	"sluice.dev/sluice/internal/api"
)

// Mistake is something that is wrong with a file.
type Mistake struct{ Where, What string }

// Mistakes are what is wrong with files, in Markdown of at most limit bytes. Where nothing is, it is "".
func Mistakes(errors, warnings []Mistake, limit int) string {
	if len(errors)+len(warnings) == 0 {
		return ""
	}
	limit = max(limit, Least)
	verdict := "**" + api.Counted(len(errors), "error") + ", nothing was planned.**"
	if len(errors) == 0 {
		verdict = api.Counted(len(warnings), "warning") + "."
	}
	all := block{open: "### Lint\n\n" + verdict + "\n\n", noun: "list"}
	for _, part := range []struct {
		name string
		list []Mistake
	}{{"error", errors}, {"warning", warnings}} {
		var cells [][]string
		for _, m := range part.list {
			cells = append(cells, []string{cell(m.Where), cell(m.What)})
		}
		all.parts = append(all.parts, rows(api.Counted(len(cells), part.name), part.name, []string{"where", "what"}, cells)...)
	}
	all = parted(all)
	var out strings.Builder
	all.write(&out, limit, &lost{})
	return out.String()
}
