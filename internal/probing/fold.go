package probing

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
)

// MaxRecent is how many verdicts a stand remembers, and so the most that denoising can look at.
const MaxRecent = 20

// letters are the verdicts as Stand.Recent has them.
var letters = map[api.Verdict]string{
	api.Passed: "P", api.Failed: "F", api.Inconclusive: "I", api.Error: "E", api.Skipped: "S",
}

// LastOf is the last of the verdicts that a stand remembers; "" where there is none.
func LastOf(recent string) api.Verdict {
	for v, letter := range letters {
		if recent != "" && strings.HasSuffix(recent, letter) {
			return v
		}
	}
	return ""
}

// Fold adds a result to what is known of a case at a target, and reports whether that is another state now. A result that is older than
// the last one changes nothing.
//
// A case fails once so many of the last results that looked are failures, and passes again once so many in a row passed. A result that
// could not look, or cannot tell, is no failure and no pass: the state stays for as long as the last look counts, and is Unknown then.
// With a freshness of 0 nothing is too old, and it is Unknown at once.
func Fold(s *Stand, o Outcome, d Denoise, freshness time.Duration) (changed bool) {
	if s.Last != nil && (o.ID == s.Last.ID || o.Ended.Before(s.Last.Ended)) {
		return false
	}
	was := s.At(o.Ended)
	letter := cmp.Or(letters[o.Verdict], "E")
	if strings.HasSuffix(s.Recent, letter) {
		s.Streak++
	} else {
		s.Streak = 1
	}
	s.Recent += letter
	s.Recent = s.Recent[max(0, len(s.Recent)-MaxRecent):]
	s.Last = &o
	looked := true
	switch o.Verdict {
	case api.Passed, api.Failed:
		s.State = d.judge(s.State, s.Recent)
	case api.Skipped:
		s.State = Paused
	default:
		looked = false
		if freshness <= 0 {
			s.State = Unknown
		}
	}
	if looked {
		s.Until = time.Time{}
		if freshness > 0 {
			s.Until = o.Ended.Add(freshness)
		}
	}
	s.State = cmp.Or(s.State, Unknown)
	if s.At(o.Ended) == was && !s.Since.IsZero() {
		return false
	}
	s.Since = o.Ended
	return true
}

// judge is the state after a result that looked.
func (d Denoise) judge(was State, recent string) State {
	failures := max(d.Failures, 1)
	of, passes := max(d.Of, failures), max(d.Passes, 1)
	looks := strings.Map(func(r rune) rune {
		if r == 'P' || r == 'F' {
			return r
		}
		return -1
	}, recent)
	failing := strings.Count(looks[max(0, len(looks)-of):], "F") >= failures
	if strings.HasSuffix(looks, "F") {
		switch {
		case failing:
			return Failing
		case was == Failing || was == Passing:
			return was
		}
		return Unknown
	}
	held := was == Failing || failing && strings.Contains(looks[:len(looks)-1], "F")
	if held && !strings.HasSuffix(looks, strings.Repeat("P", passes)) {
		return Failing
	}
	return Passing
}

// Spread returns what a result says of each target that its parts name, in the order of their names: the worst of the parts of each.
// What it says of its own target is the result itself.
func Spread(o Outcome) (all []Outcome) {
	of := map[string]int{}
	for _, p := range o.Parts {
		if p.Target == "" || p.Target == o.Target {
			continue
		}
		i, there := of[p.Target]
		if !there {
			i = len(all)
			of[p.Target] = i
			one := o
			one.Target, one.ID = p.Target, o.ID+"/"+digest(p.Target) // which is as short however long the target is
			one.Result = Result{By: o.By, Severity: o.Severity}
			all = append(all, one)
		}
		one := &all[i]
		one.Parts = append(one.Parts, p)
		if one.Verdict == "" || worse(p.Verdict, one.Verdict) {
			one.Verdict, one.Code, one.Message = p.Verdict, p.Code, p.Message
		}
	}
	slices.SortFunc(all, func(a, b Outcome) int { return cmp.Compare(a.Target, b.Target) })
	return all
}

// badness is the order in which one of several verdicts stands for all.
var badness = []api.Verdict{api.Skipped, api.Passed, api.Inconclusive, api.Error, api.Failed}

func worse(a, b api.Verdict) bool { return slices.Index(badness, a) > slices.Index(badness, b) }

// Usual is how a case of a mode counts as failing where it does not say.
func (d Denoise) Usual(m Mode) Denoise {
	if d.Failures == 0 && m == Resident {
		d.Failures = 3
	}
	d.Failures = min(max(d.Failures, 1), MaxRecent)
	d.Of = min(max(d.Of, d.Failures), MaxRecent)
	d.Passes = min(max(d.Passes, 1), MaxRecent)
	return d
}
