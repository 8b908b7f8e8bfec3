package pipelines

import "regexp"

// Logs reads the logs of a unit's pods of the new revision, those of containers that have died among them, and judges what is new in
// them since its measurement before. Lines that belong together, such as a panic and its trace, count once. What is quoted has its
// secrets masked.
type Logs struct {
	// a panic fails, and what other languages have in its place: an exception that nobody caught; default true
	Panics *bool `json:"panics,omitempty"`
	// a line at the level fatal, critical or worse fails; default true
	Fatal *bool `json:"fatal,omitempty"`
	// a stack trace fails that no panic or fatal line stands above; default false
	StackTraces bool         `json:"stackTraces,omitempty"`
	Indicators  bool         `json:"indicators,omitempty"` // the log patterns of the component, too
	Patterns    []LogPattern `json:"patterns,omitempty" items:"1..50"`
	// errors a minute in a pod, in the last 10 to 20 minutes; from a minute of log on
	MaxErrorsPerMinute *float64 `json:"maxErrorsPerMinute,omitempty" range:"0..1000000"`
	Rate               *LogRate `json:"rate,omitempty"`                               // of errors, against the old revision
	Containers         []string `json:"containers,omitempty" is:"name" items:"1..50"` // default all, init containers too
	MaxPods            int      `json:"maxPods,omitempty" range:"1..200"`             // that are read of each revision; default 50
	MaxBytes           int      `json:"maxBytes,omitempty" range:"4096..67108864"`    // of a log in one measurement; default 1 MiB
	// pods whose logs cannot be read that are borne; default 0
	MaxUnreadable int       `json:"maxUnreadable,omitempty" range:"0..1000"`
	CatchUp       *Duration `json:"catchUp,omitempty"` // how long it is waited for enough to judge; default 5m
}

// LogPattern is a regular expression (RE2) for one line of a log, and how many lines of it are borne.
type LogPattern struct {
	Name    string `json:"name" is:"name"`
	Regexp  string `json:"regexp" is:"text" expand:"-"`      // names in it stand for nothing: $( is an expression's own
	Max     int    `json:"max,omitempty" range:"0..1000000"` // over all measurements and pods; default 0
	Message string `json:"message,omitempty"`
}

// LogRate compares the share of errors among the lines of the new revision with that of pods that still run another one. It fails
// where the new share is more than maxRatio times the old one, to which one error is added: an old revision without errors is no proof
// that there are none.
type LogRate struct {
	MaxRatio float64 `json:"maxRatio" range:"1..1000"`
	MinLines int     `json:"minLines,omitempty" range:"1..1000000"` // of either revision, or it cannot tell; default 100
	// errors of the new revision below which it does not fail; default 5
	MinErrors int `json:"minErrors,omitempty" range:"1..1000000"`
	// what it is where there are too few lines of either; default Inconclusive
	NoData LogNoData `json:"noData,omitempty"`
}

// LogNoData is what a comparison is for want of lines.
type LogNoData string

// The values of LogNoData.
const (
	LogNoDataInconclusive LogNoData = "Inconclusive"
	LogNoDataPassed       LogNoData = "Passed"
)

func (LogNoData) values() []string {
	return []string{string(LogNoDataInconclusive), string(LogNoDataPassed)}
}

func lintLogs(l *linter, s *Step, at spot) {
	g := s.Logs
	l.logPatterns(g.Patterns, at.at("patterns"))
	if !g.judges() {
		l.report.addAt(at, "it judges nothing: panics, fatal lines and stack traces are all off, and there is neither a pattern nor a rate")
	}
	l.wait(g.CatchUp, at.at("catchUp"), "catchUp")
}

// logPatterns checks patterns of lines.
func (l *linter) logPatterns(patterns []LogPattern, at spot) {
	var names []string
	for i, p := range patterns {
		names = append(names, p.Name)
		if _, err := regexp.Compile(p.Regexp); err != nil {
			l.report.addAt(at.at(i, "regexp"), "regexp: %v", err)
		}
	}
	l.unique("pattern", names, func(i int) spot { return at.at(i) })
}

// judges reports whether anything in a log could fail the step.
func (g *Logs) judges() bool {
	return g.FailsOnPanics() || g.FailsOnFatal() || g.StackTraces || g.Indicators || len(g.Patterns) > 0 ||
		g.MaxErrorsPerMinute != nil || g.Rate != nil
}

// FailsOnPanics reports whether a panic fails the step.
func (g *Logs) FailsOnPanics() bool { return g.Panics == nil || *g.Panics }

// FailsOnFatal reports whether a fatal line fails the step.
func (g *Logs) FailsOnFatal() bool { return g.Fatal == nil || *g.Fatal }
