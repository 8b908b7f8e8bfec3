package plan

import (
	"slices"

	"sluice.dev/sluice/pipelines"
)

// addLogPatterns adds the log patterns of the component to the steps that ask for them. A pattern of the step's own goes before one of
// the same name.
func (b *builder) addLogPatterns(checks []pipelines.ResolvedCheck) {
	indicators := b.in.Component.Spec.Indicators
	if indicators == nil {
		return
	}
	for i := range checks {
		for j := range checks[i].Steps {
			step := &checks[i].Steps[j]
			if step.Logs == nil || !step.Logs.Indicators {
				continue
			}
			logs := *step.Logs // the document's own stays as it is
			logs.Patterns = slices.Clone(logs.Patterns)
			for _, p := range indicators.LogPatterns {
				if !slices.ContainsFunc(logs.Patterns, func(own pipelines.LogPattern) bool { return own.Name == p.Name }) {
					logs.Patterns = append(logs.Patterns, p)
				}
			}
			step.Logs = &logs
		}
	}
}
