package plan

import (
	"reflect"
	"strings"

	"sluice.dev/sluice/pipelines"
)

// stageChecks say which checks a stage has. A set that a stage before it has as well is printed there, once.
func stageChecks(p *Plan, i int) [][]string {
	checks := p.Stages[i].Rules.Checks
	rows := checkRows("checks", checks)
	if len(rows) < 2 {
		return rows
	}
	for j := range p.Stages[:i] {
		if before := &p.Stages[j]; before.Skipped == "" && reflect.DeepEqual(before.Rules.Checks, checks) {
			return [][]string{{"checks", "as in stage " + before.Name}}
		}
	}
	return rows
}

// checkRows say which checks there are, and what each may read or change.
func checkRows(head string, checks []pipelines.ResolvedCheck) (rows [][]string) {
	for _, c := range checks {
		rows = append(rows, []string{head, checkText(c)})
		if does := c.Does(); len(does) > 0 {
			rows = append(rows, []string{"", "  it " + strings.Join(does, ", ")})
		}
		head = ""
	}
	return rows
}

// checkText is one check: where it runs, and whether it holds anything.
func checkText(c pipelines.ResolvedCheck) string {
	var at []string
	for _, point := range c.At {
		at = append(at, string(point))
	}
	text := c.Name + " at " + strings.Join(at, ", ")
	if c.Enforcement == pipelines.Advisory {
		text += " (Advisory: it holds nothing)"
	}
	return text
}
