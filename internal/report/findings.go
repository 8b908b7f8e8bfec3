package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/plan"
)

// Finding is a verdict with what was seen, and all places where it was the same.
type Finding struct {
	Name    string
	At      string
	Verdict string
	Message string
	Seen    []Row // at the first of the places, where it passed in several
	Saw     string
	Where   string
	Decided bool // it stopped what it was found at
	Passed  bool
	Advises bool

	places []string
}

// findings are the verdicts: those that decided, those that did not pass, and those that did, which are told as one for each check.
func findings(f Facts) ([]Finding, string) {
	c := collector{by: map[string]*Finding{}, at: map[string]bool{}}
	r := &f.Run
	for _, u := range units(r) {
		if u.Cause != nil {
			c.add(*u.Cause, cmp.Or(u.CauseAt, u.Path), true)
		}
		if u.Failure != nil {
			c.add(*u.Failure, cmp.Or(u.FailedAt, u.Path), true)
		}
	}
	c.addAll(r.Checks, r.Name, true)
	for i := range r.Stages {
		c.addAll(r.Stages[i].Checks, "stage "+r.Stages[i].Name, true)
	}
	for i := range r.Tasks {
		c.addAll(r.Tasks[i].Steps, "task "+r.Tasks[i].Label(), false)
	}
	for _, u := range units(r) {
		for _, of := range []api.UnitStatus{*u, f.Before[u.Path]} {
			c.addAll(of.Checks, u.Path, false)
			for _, b := range of.Batches {
				c.addAll(b.Checks, b.Path, false)
			}
		}
	}
	slices.SortStableFunc(c.all, func(a, b *Finding) int { return a.rank() - b.rank() })
	var out []Finding
	for i, one := range c.all {
		if i == maxFindings {
			return out, fmt.Sprintf("%d more, different from these, are left out", len(c.all)-i)
		}
		one.Where, one.Saw = said(few(one.places)), "saw"
		if n := len(one.places); n > 1 {
			one.Where = fmt.Sprintf("%d places: %s", n, one.Where)
			if one.Passed {
				one.Saw, one.Message = "the first saw", "" // which says what it saw
			}
		}
		out = append(out, *one)
	}
	return out, ""
}

func (f *Finding) rank() int {
	switch {
	case f.Decided:
		return 0
	case !f.Passed && !f.Advises:
		return 1
	case !f.Passed:
		return 2
	}
	return 3
}

type collector struct {
	all []*Finding
	by  map[string]*Finding
	at  map[string]bool // what is known of a place
}

func (c *collector) addAll(checks []api.Check, where string, decides bool) {
	for _, one := range checks {
		_, bad := plan.FirstBad([]api.Check{one})
		c.add(one, where, decides && bad)
	}
}

func (c *collector) add(of api.Check, where string, decides bool) {
	if of.Verdict == api.Skipped {
		return
	}
	f := &Finding{
		Name: said(of.Name), At: said(string(of.At)), Verdict: string(of.Verdict), Message: said(of.Message), Seen: seen(of),
		Decided: decides, Passed: of.Verdict == api.Passed, Advises: of.Advisory,
	}
	key := strings.Join([]string{of.Name, f.At, f.Verdict}, "\x00")
	if !f.Passed {
		key += fmt.Sprint("\x00", f.Message, f.Seen)
	}
	if c.at[key+"\x00"+where] {
		return
	}
	c.at[key+"\x00"+where] = true
	if have := c.by[key]; have != nil {
		have.places, have.Decided = append(have.places, where), have.Decided || decides
		return
	}
	f.places = []string{where}
	c.by[key], c.all = f, append(c.all, f)
}
