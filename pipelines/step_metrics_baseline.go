package pipelines

import "time"

// Baseline holds the numbers of a query since the step was first measured against what they were before, or against units that the
// run has not changed, by a one-sided Mann-Whitney U test (docs/decisions/0021). It looks twelve times while it lasts; between two
// looks the last verdict stands. Over all looks together it stops at most one unchanged unit in a hundred.
type Baseline struct {
	Against BaselineAgainst `json:"against"`
	Worse   WorseIs         `json:"worse"`
	// how long it compares, such as the whole soak; default interval x count. What it can find depends on it
	Over       *Duration `json:"over,omitempty"`
	MinSamples int       `json:"minSamples,omitempty" range:"1..150"` // numbers on either side, or it is Inconclusive; default 30
	MinEffect  *float64  `json:"minEffect,omitempty" range:"0..1000"` // a smaller shift is no fault; a part of the value, default 0.01
	// of stable-units: the label that has the name of the cluster, of which the query yields one series each; default cluster
	ClusterLabel string `json:"clusterLabel,omitempty" is:"identifier"`
}

// BaselineAgainst is what numbers are held against.
type BaselineAgainst string

// Before is the same time of the seven days before; StableUnits are clusters into which the run has written nothing yet.
const (
	BaselineBefore      BaselineAgainst = "before"
	BaselineStableUnits BaselineAgainst = "stable-units"
)

func (BaselineAgainst) values() []string {
	return []string{string(BaselineBefore), string(BaselineStableUnits)}
}

// WorseIs is which way a number gets worse.
type WorseIs string

// Latency and errors are worse where they are higher; success and throughput where they are lower.
const (
	WorseHigher WorseIs = "higher"
	WorseLower  WorseIs = "lower"
)

func (WorseIs) values() []string { return []string{string(WorseHigher), string(WorseLower)} }

// What a baseline does that does not say.
const (
	DefaultMinSamples   = 30
	DefaultMinEffect    = 0.01
	DefaultClusterLabel = "cluster"

	leastComparison = Duration(10 * time.Minute)
	mostComparison  = 60 * Duration(Day)
)

// Comparison is how long the baseline of a step compares; 0 where nothing says it.
func (b *Baseline) Comparison(r *Repeat) time.Duration {
	switch {
	case b.Over != nil:
		return b.Over.Std()
	case r.Interval != nil && int64(r.Count) <= int64(mostComparison)/max(1, int64(*r.Interval)):
		return r.Interval.Std() * time.Duration(r.Count)
	case r.Interval != nil:
		return (mostComparison + Duration(Day)).Std()
	}
	return 0
}

// Every is how far apart the numbers are that a comparison looks at: enough of them, and not more than a data source likes to answer.
func (b *Baseline) Every(over time.Duration) time.Duration {
	return max(15*time.Second, (over / 192).Truncate(time.Second))
}

// Least is how many numbers it takes on either side.
func (b *Baseline) Least() int {
	if b.MinSamples == 0 {
		return DefaultMinSamples
	}
	return b.MinSamples
}

func lintBaseline(l *linter, s *Step, at spot) {
	b := s.Metrics.Baseline
	for _, field := range []string{"successCondition", "failureCondition", "noData", "range"} {
		if at.has(field) {
			l.report.addAt(at.key(field), "%s and baseline are two questions: write a step for each", field)
		}
	}
	here := at.at("baseline")
	switch over := Duration(b.Comparison(&s.Repeat)); {
	case over == 0:
		l.report.addAt(here, "how long does it compare? give over, or the step's interval and count")
	case over < leastComparison || over > mostComparison:
		l.report.addAt(here, "it compares for %s: it takes %s at least, and %s at most", over, leastComparison, mostComparison)
	case time.Duration(b.Least())*b.Every(over.Std()) > over.Std():
		l.report.addAt(here, "it compares for %s, in which there are fewer than %d samples, one every %s", over, b.Least(), b.Every(over.Std()))
	}
	if b.Against == BaselineBefore && here.has("clusterLabel") {
		l.report.addAt(here.key("clusterLabel"), "clusterLabel goes with stable-units: against before the query yields one series")
	}
}
