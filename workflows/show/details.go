package show

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/workflows/pace"
)

// WaitingWords are the few words of a search attribute; the same as the command line prints.
func WaitingWords(w *api.Waiting) string {
	if w == nil {
		return ""
	}
	words := strings.TrimSpace(string(w.Kind) + " " + w.Name)
	if len(w.Unmet) > 0 {
		words += ": " + w.Unmet[0]
	}
	return clip.Bytes(words, 200)
}

func UnitDetails(u api.UnitStatus) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**: %s", u.Path, u.Phase)
	if u.Waiting != nil {
		fmt.Fprintf(&b, ", waits for %s since %s", WaitingWords(u.Waiting), u.Waiting.Since.Format("15:04:05"))
		if !u.Waiting.Until.IsZero() {
			fmt.Fprintf(&b, " until %s", u.Waiting.Until.Format("15:04:05"))
		}
	}
	b.WriteString("\n\n")
	if u.Phase.Final() && u.Ending != nil {
		fmt.Fprintf(&b, "%s\n\n", endedBy(u.Phase, u.Ending))
	}
	if u.Failure != nil {
		fmt.Fprintf(&b, "Stopped at `%s` by **%s**: %s: %s\n\n", u.FailedAt, u.Failure.Name, u.Failure.Verdict, u.Failure.Message)
	}
	b.WriteString("| batch | workload | pods | phase |\n|---|---|---|---|\n")
	for i := len(u.Batches) - 1; i >= 0; i-- {
		t := u.Batches[i]
		line := fmt.Sprintf("| %s | %s | %d of %d, target %d | %s |\n", t.Path, t.Workload, t.Updated, t.Total, t.Target, t.Phase)
		if b.Len()+len(line) > pace.Tuned().MaxDetails {
			fmt.Fprintf(&b, "| ... %d earlier | | | |\n", i+1)
			break
		}
		b.WriteString(line)
	}
	return b.String()
}
