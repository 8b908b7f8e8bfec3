package plan

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// checkEmpty refuses stages that select nothing and do not say that they may.
func (b *builder) checkEmpty(p *Plan) error {
	var lines []string
	for i := range p.Stages {
		s := &p.Stages[i]
		chosen := &b.in.Pipeline.Spec.Stages[i]
		if !b.empty[i] || chosen.MayBeEmpty {
			continue
		}
		text := fmt.Sprintf("%s: stage %s %s", api.RuleEmptyStage, s.Name, s.Skipped)
		for _, d := range b.labels.Doubts(chosen) {
			if d.Similar {
				text += "; " + d.Message
			}
		}
		if chosen.Position.File != "" {
			text += " (" + chosen.Position.String() + ")"
		}
		lines = append(lines, text)
	}
	if len(lines) == 0 {
		return nil
	}
	return fault.New(fault.Refused, "cannot plan %s with pipeline %s:\n  %s\nwhat follows a stage that is skipped would go without "+
		"its checks and approvals; a stage that may select nothing says mayBeEmpty: true", p.Subject, p.Pipeline, strings.Join(lines, "\n  "))
}

// doubts are what is hardly meant in a stage's selectors, as notes.
func (b *builder) doubts(s *pipelines.Stage) []string {
	var notes []string
	for _, d := range b.labels.Doubts(s) {
		notes = append(notes, d.Message)
	}
	return notes
}
