package lint

import (
	"maps"
	"slices"

	"sluice.dev/sluice/internal/notify"
	"sluice.dev/sluice/pipelines"
)

// Receivers says which templates of receivers cannot be rendered.
func Receivers(docs *pipelines.Documents) pipelines.Diagnostics {
	var wrong pipelines.Diagnostics
	for _, name := range slices.Sorted(maps.Keys(docs.Receivers)) {
		r := docs.Receivers[name]
		texts := [][2]string{{"title", r.Spec.Title}, {"text", r.Spec.Text}}
		if r.Spec.Webhook != nil {
			texts = append(texts, [2]string{"body", r.Spec.Webhook.Body})
		}
		for _, t := range texts {
			if t[1] == "" {
				continue
			}
			for _, ofProbes := range []bool{false, true} {
				if !hears(&r.Spec, ofProbes) {
					continue
				}
				if err := notify.CheckTemplate(t[1], ofProbes); err != nil {
					wrong = append(wrong, pipelines.Diagnostic{Position: r.Position, Message: "Receiver " + name + ": " + t[0] + ": " + err.Error()})
					break
				}
			}
		}
	}
	return wrong
}

// hears reports whether a receiver is told of probes, or of runs.
func hears(s *pipelines.ReceiverSpec, ofProbes bool) bool {
	return slices.ContainsFunc(pipelines.NotifyEvents(), func(e pipelines.NotifyEvent) bool { return e.OfProbes() == ofProbes && s.Hears(e) })
}
