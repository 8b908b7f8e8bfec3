package cli

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/engine"
)

// mostSuspects is how many suspects why and a run's tree name.
const mostSuspects = 5

// explainBlame names what had touched a unit before it failed, the most likely first.
func explainBlame(b *strings.Builder, of *engine.Blame) {
	if of == nil {
		return
	}
	for i, s := range of.Suspects[:min(len(of.Suspects), mostSuspects)] {
		head := ""
		if i == 0 {
			head = "suspects"
		}
		fmt.Fprintf(b, "  %-11s %d. %s\n", head, i+1, shortened(s.String(), 240))
	}
	if more := len(of.Suspects) + of.More - mostSuspects; more > 0 {
		fmt.Fprintf(b, "  %-11s and %d more; -o json lists them\n", "", more)
	}
	if of.Note != "" {
		fmt.Fprintf(b, "  %-11s note: %s\n", "", oneLine(of.Note))
	}
}
