package demo

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"sluice.dev/sluice/internal/clip"
)

// asked are the checks of the pipeline that look further than Kubernetes, by what they ask.
var asked = []struct{ check, what string }{
	{"open", "the clock"}, {"api-answers", "Prometheus"}, {logsCheck, "pods' logs"}, {"smoke-test", "a job"},
}

// proveAsked proves that the checks that look further than Kubernetes have passed in every cluster of a run, and shows what each saw last.
func (p *play) proveAsked(run Rolled) error {
	var text strings.Builder
	tw := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nCHECK\tASKS\tVERDICTS\tWHAT IT SAW LAST")
	for _, a := range asked {
		var all []Verdict
		for _, cluster := range p.shape.clusters {
			there := run.verdicts(cluster, a.check)
			if len(there) == 0 {
				return fmt.Errorf("check %s of run %s should have been asked in %s, and was not", a.check, run.Name, cluster)
			}
			all = append(all, there...)
		}
		if i := slices.IndexFunc(all, func(v Verdict) bool { return v.Verdict != "Passed" }); i >= 0 {
			return fmt.Errorf("check %s of run %s should have passed, and is %s: %s", a.check, run.Name, all[i].Verdict, all[i].Message)
		}
		last := all[len(all)-1]
		fmt.Fprintf(tw, "%s\t%s\t%d passed\t%s\n", a.check, a.what, len(all), last.saw())
	}
	tw.Flush()
	p.print(text.String())
	return nil
}

// verdicts are those of a check in a cluster.
func (r Rolled) verdicts(cluster, check string) []Verdict {
	var found []Verdict
	for _, u := range r.Units {
		if u.Cluster != cluster {
			continue
		}
		for _, v := range u.all() {
			if v.Check == check {
				found = append(found, v)
			}
		}
	}
	return found
}

// all are the verdicts of a unit's batches, then its own.
func (u Unit) all() []Verdict {
	var all []Verdict
	for _, b := range u.Batches {
		all = append(all, b.Verdicts...)
	}
	return append(all, u.Verdicts...)
}

// maxSaw is how much is shown of what a check saw.
const maxSaw = 60

// saw is what a check says that it saw, in a line.
func (v Verdict) saw() string {
	text := v.Message
	if values, there := v.Seen["values"].([]any); there && text == "" {
		text = fmt.Sprint("the query yields ", strings.Trim(fmt.Sprint(values), "[]"))
	}
	if text == "" {
		var facts []string
		for name, value := range v.Seen {
			facts = append(facts, fmt.Sprintf("%s=%v", name, value))
		}
		slices.Sort(facts)
		text = strings.Join(facts, " ")
	}
	return clip.Runes(text, maxSaw)
}
