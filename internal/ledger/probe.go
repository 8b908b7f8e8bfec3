package ledger

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// ProbeOutcome is what came of a run of a probe, and what people say of it.
type ProbeOutcome struct {
	probing.Outcome
	Label *ProbeLabel `json:"label,omitempty"` // nil: nobody has looked at it
}

// ProbeLabel is what somebody found who looked at a failure.
type ProbeLabel struct {
	FalsePositive bool      `json:"falsePositive"` // nothing was wrong but the probe
	By            string    `json:"by"`
	Because       string    `json:"because"`
	At            time.Time `json:"at"`
}

// ProbeHour is how many runs of a case came to a verdict in a cluster within an hour.
type ProbeHour struct {
	Cluster string        `json:"cluster"`
	Case    string        `json:"case"`
	Hour    time.Time     `json:"hour"` // its beginning
	Verdict api.Verdict   `json:"verdict"`
	Runs    int64         `json:"runs"`
	Worst   time.Duration `json:"worst"` // that one of them took
	Total   time.Duration `json:"total"` // that all of them took
}

// ProbeCount is how many stands of a case are in a state.
type ProbeCount struct {
	Case  string
	State probing.State
	Count int
}

// ProbeFailures is how many failures of a program of a case there are, by what people say of them.
type ProbeFailures struct {
	Program                 string // "": nobody noted it
	Unlabelled, False, True int
	// Noise is when the last of those ended that nobody has found to be true; zero where there is none. One that is forgotten nobody has
	// found to be true any more: it counts as of the beginning of its hour.
	Noise time.Time
	// Quiet is how many runs passed since then, in hours that began later.
	Quiet int64
}

// Bounds on what is kept of probes. Hours say of all runs how many there were; outcomes are there for whoever looks closer.
const (
	ProbePassesFor   = 24 * time.Hour
	MaxProbePasses   = 500_000
	ProbeFailuresFor = 30 * 24 * time.Hour // of what did not pass
	MaxProbeFailures = 200_000
	ProbeHoursFor    = 90 * 24 * time.Hour
	MaxProbeStands   = 5_000 // of one cluster
	// ProbeUnsaid is for how long a stand is kept that its cluster does not mention any more, though it goes on talking.
	ProbeUnsaid = time.Hour
)

// ProbeNoise is how noisy a case was within a time, in all clusters together.
type ProbeNoise struct {
	Case     string        `json:"case"`
	From     time.Time     `json:"from"`
	To       time.Time     `json:"to"`
	Runs     int64         `json:"runs"`
	Failed   int64         `json:"failed"`   // of them
	CouldNot int64         `json:"couldNot"` // runs that could not look, or could not tell
	Missed   int64         `json:"missed"`   // runs that were due, and did not begin
	False    int64         `json:"false"`    // failures that were labelled so
	True     int64         `json:"true"`
	Turned   int64         `json:"turned"` // times that a state changed, at any target
	Events   int64         `json:"events"` // runs for an event that came to a verdict
	Half     time.Duration `json:"half"`   // within which of its event half of them did; a fifth too long at most
	Most     time.Duration `json:"most"`   // within which 99 of 100 did
}

// Add counts runs that came to a verdict.
func (n *ProbeNoise) Add(v api.Verdict, runs int64) {
	n.Runs += runs
	switch v {
	case api.Failed:
		n.Failed += runs
	case api.Error, api.Inconclusive:
		n.CouldNot += runs
	}
}

// ProbesOf narrows what is asked of probes. Empty fields narrow nothing.
type ProbesOf struct {
	Cluster, Case string
	Target        *string
	Bad           bool // outcomes that did not pass; stands that are not Passing, or Skipped, at Now
	Now           time.Time
}

// Probes keeps what is known of cases in clusters. It is wide because what is said at once is kept at once.
type Probes interface {
	// SaveSaid keeps what was said, all of it or nothing. Said twice it is said once: an outcome goes by its cluster and ID, and of two
	// stands of one case and target the one with the later result counts, and of two with one result the one that was said later. A pass
	// is left out that ended longer than ProbePassesFor before now: whether it was counted, nobody knows. Stands go whose case is in Gone,
	// or is not in a list that is Whole, and that were not said later. It is Refused where a cluster would have more than MaxProbeStands
	// stands.
	SaveSaid(ctx context.Context, all []probing.Said, now time.Time) error
	// PageStands returns a part of the stands, the one first whose case came last. States are as they were said.
	PageStands(ctx context.Context, of ProbesOf, p Page) ([]Marked[probing.Stand], error)
	// CountStands counts the stands by case and by their states at a time.
	CountStands(ctx context.Context, now time.Time) ([]ProbeCount, error)
	// PageProbeOutcomes returns a part of the outcomes, the one first that came last.
	PageProbeOutcomes(ctx context.Context, of ProbesOf, p Page) ([]Marked[ProbeOutcome], error)
	// ListProbeHours returns what came of runs after a time, by cluster, case and hour, the latest hour first.
	ListProbeHours(ctx context.Context, of ProbesOf, after time.Time) ([]ProbeHour, error)
	// CountProbeFailures counts the failures of each program that a case had in some clusters, the one first that has passed most since.
	CountProbeFailures(ctx context.Context, probeCase string, clusters []string) ([]ProbeFailures, error)
	// ListProbeNoise returns how noisy cases were from one time to another, as far as hours and labels are kept: all cases, or one.
	ListProbeNoise(ctx context.Context, probeCase string, from, to time.Time) ([]ProbeNoise, error)
	// LabelProbeOutcome labels the failure of an ID, in a cluster or in the only one that has it. It is NotFound where there is none,
	// Conflict where several clusters have one, and Invalid where it is no failure. The last label counts.
	LabelProbeOutcome(ctx context.Context, cluster, id string, l ProbeLabel) (ProbeOutcome, error)
	// SweepProbes forgets what is older or more than the bounds above, and says how much of it.
	SweepProbes(ctx context.Context, now time.Time) (int64, error)
}

// Check is Invalid where a label is by nobody, or says nothing.
func (l ProbeLabel) Check() error {
	return required("label", "name of who gives it", l.By, "reason", l.Because)
}
