package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/logscan"
	"sluice.dev/sluice/pipelines"
)

// maxQuoted is how many groups of findings a finding names.
const maxQuoted = 5

// judge says what the logs come to. What was found fails, however much could not be read.
func (r *logReading) judge(now time.Time) Finding {
	f := Finding{Seen: r.seen(), Results: map[string]any{
		"lines": r.fresh.report.Lines, "errors": r.fresh.report.Errors, "panics": r.fresh.report.Counts[logscan.Panic],
	}}
	failed := r.found()
	var doubts []string
	for _, judge := range []func(time.Time) (why, doubt string){r.errorsPerMinute, r.rate} {
		why, doubt := judge(now)
		failed = appendIf(failed, why)
		doubts = appendIf(doubts, doubt)
	}
	again := notEnoughAgain
	switch {
	case len(failed) > 0:
		f.Verdict, f.Message = api.Failed, strings.Join(failed, "; ")
		return f
	case len(r.fresh.unreadable) > r.step.MaxUnreadable:
		f.Verdict, f.Message = api.Error, r.unreadable()
		return f
	case r.fresh.read == 0:
		doubts = []string{r.nothing()}
	case r.fresh.report.Cut:
		again = readOnAfter
		doubts = append(doubts, "logs are longer than what is read of them at once (maxBytes)")
	}
	if len(doubts) == 0 {
		f.Verdict, f.Message = api.Passed, r.quiet()
		return f
	}
	f.Verdict, f.Message = api.Inconclusive, strings.Join(doubts, "; ")
	if r.watched < orElse(r.step.CatchUp, defaultCatchUp) {
		f.Again = now.Add(again)
	}
	return f
}

func appendIf(list []string, text string) []string {
	if text == "" {
		return list
	}
	return append(list, text)
}

// found are the findings that fail the step.
func (r *logReading) found() []string {
	var failed []string
	for _, k := range []struct {
		on   bool
		kind logscan.Kind
		name string
	}{
		{r.step.FailsOnPanics(), logscan.Panic, "panic"}, {r.step.FailsOnFatal(), logscan.Fatal, "fatal line"},
		{r.step.StackTraces, logscan.Trace, "stack trace"},
	} {
		if n := r.fresh.report.Counts[k.kind]; k.on && n > 0 {
			failed = append(failed, fmt.Sprintf("%d %s: %s", n, plural(k.name, n), r.first(k.kind, "")))
		}
	}
	for _, p := range r.step.Patterns {
		total := r.kept.Patterns[p.Name]
		if r.fresh.report.Patterns[p.Name] == 0 || total <= int64(p.Max) {
			continue
		}
		what := cmp.Or(p.Message, "lines of pattern "+p.Name)
		failed = append(failed, fmt.Sprintf("%s: %d, %d are borne: %s", what, total, p.Max, r.first(logscan.Matched, p.Name)))
	}
	return failed
}

// first is the first finding of a kind, as it is named in a message.
func (r *logReading) first(kind logscan.Kind, name string) string {
	i := slices.IndexFunc(r.fresh.report.Groups, func(g logscan.Group) bool { return g.Kind == kind && g.Name == name })
	if i < 0 {
		return "" // every finding is in a group, or behind 20 others of its kind
	}
	return about(r.fresh.report.Groups[i])
}

func about(g logscan.Group) string {
	return fmt.Sprintf("%q in %s", g.Title, strings.Join(g.Places, ", "))
}

func plural(name string, n int64) string {
	if n == 1 {
		return name
	}
	return name + "s"
}

// errorsPerMinute compares the errors of the last minutes with what is borne.
func (r *logReading) errorsPerMinute(now time.Time) (why, doubt string) {
	most := r.step.MaxErrorsPerMinute
	if most == nil || r.fresh.sampled == 0 {
		return "", ""
	}
	errors, over := r.kept.lately(now)
	if over < time.Minute {
		return "", "there is less than a minute of log yet"
	}
	rate := float64(errors) / over.Minutes() / float64(r.fresh.sampled)
	if rate <= *most {
		return "", ""
	}
	return fmt.Sprintf("%.2g errors a minute in a pod, %g are borne", rate, *most), ""
}

// rate compares the share of errors of the new revision with that of the old one.
func (r *logReading) rate(time.Time) (why, doubt string) {
	w := r.step.Rate
	if w == nil {
		return "", ""
	}
	fresh, old := r.kept.New, r.kept.Old
	least := int64(cmp.Or(w.MinLines, defaultRateLines))
	if fresh.Entries < least || old.Entries < least {
		if w.NoData == pipelines.LogNoDataPassed {
			return "", ""
		}
		return "", fmt.Sprintf("the share of errors cannot be compared: %d lines of the new revision, %d of the old one, %d of each are needed",
			fresh.Entries, old.Entries, least)
	}
	now, before := float64(fresh.Errors)/float64(fresh.Entries), float64(old.Errors+1)/float64(old.Entries)
	if fresh.Errors < int64(cmp.Or(w.MinErrors, defaultRateErrors)) || now <= w.MaxRatio*before {
		return "", ""
	}
	return fmt.Sprintf("%.2g%% of %d lines are errors, of the old revision %.2g%% of %d: more than %g times as many",
		100*now, fresh.Entries, 100*float64(old.Errors)/float64(old.Entries), old.Entries, w.MaxRatio), ""
}

// nothing says why nothing was read.
func (r *logReading) nothing() string {
	switch {
	case r.fresh.pods == 0:
		return "there is no pod of the new revision"
	case len(r.step.Containers) > 0:
		return "no container of " + strings.Join(r.step.Containers, ", ") + " has begun"
	}
	return "no container has begun"
}

// unreadable says which logs could not be read.
func (r *logReading) unreadable() string {
	pods := slices.Sorted(maps.Keys(r.fresh.unreadable))
	return fmt.Sprintf("the logs of %d of %d pods could not be read, %d are borne: %v",
		len(pods), r.fresh.sampled, r.step.MaxUnreadable, r.fresh.unreadable[pods[0]])
}

// quiet says what was read where nothing was found.
func (r *logReading) quiet() string {
	n, of := r.fresh.report.Lines, fmt.Sprint(r.fresh.sampled)
	if r.fresh.pods > r.fresh.sampled {
		of += " of " + fmt.Sprint(r.fresh.pods)
	}
	said := fmt.Sprintf("%d new %s in %d logs of %s pods, %d of them errors", n, plural("line", n), r.fresh.read, of, r.fresh.report.Errors)
	for _, part := range []struct {
		n    int
		text string
	}{{r.fresh.left, "%d more logs are not read"}, {len(r.fresh.unreadable), "those of %d pods could not be read"}} {
		if part.n > 0 {
			said += "; " + fmt.Sprintf(part.text, part.n)
		}
	}
	return said
}

// seen is what the verdict rests on.
func (r *logReading) seen() map[string]any {
	report := r.fresh.report
	seen := map[string]any{
		"logs.pods": r.fresh.sampled, "logs.podsThere": r.fresh.pods, "logs.read": r.fresh.read, "logs.lines": report.Lines,
		"logs.errors": report.Errors, "logs.panics": report.Counts[logscan.Panic], "logs.fatal": report.Counts[logscan.Fatal],
		"logs.stackTraces": report.Counts[logscan.Trace],
	}
	for _, p := range r.step.Patterns {
		seen["logs.pattern."+p.Name] = r.kept.Patterns[p.Name]
	}
	for name, n := range map[string]int{
		"logs.unreadable": len(r.fresh.unreadable), "logs.leftOut": r.fresh.left, "logs.notBegun": r.fresh.waiting,
	} {
		if n > 0 {
			seen[name] = n
		}
	}
	if r.step.Rate != nil {
		seen["logs.newErrors"], seen["logs.newLines"] = r.kept.New.Errors, r.kept.New.Entries
		seen["logs.oldErrors"], seen["logs.oldLines"] = r.kept.Old.Errors, r.kept.Old.Entries
	}
	var found []string
	for _, g := range report.Groups[:min(len(report.Groups), maxQuoted)] {
		found = append(found, fmt.Sprintf("%s x%d %s", cmp.Or(g.Name, string(g.Kind)), g.Count, about(g)))
	}
	if len(found) > 0 {
		seen["logs.found"], seen["logs.quote"] = found, report.Groups[0].Quote
	}
	return seen
}
