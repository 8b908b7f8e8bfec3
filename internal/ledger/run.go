package ledger

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// Run is one execution of a plan. Its state lives in Temporal; the ledger keeps what outlives Temporal's retention.
type Run struct {
	Name    string      `json:"name"` // component-N; also the Temporal workflow ID
	Plan    string      `json:"plan"`
	Subject api.Subject `json:"component"`
	Version string      `json:"version"`
	Back    string      `json:"back,omitempty"` // name of the run that this one rolls back
	Phase   string      `json:"phase"`          // last known; final once Ended is set
	Started time.Time   `json:"started"`
	Ended   time.Time   `json:"ended,omitzero"`
	By      string      `json:"by"`
	Reason  string      `json:"reason,omitempty"`
	Report  string      `json:"report,omitempty"` // blob digest of the run's final status
	Direct  bool        `json:"direct,omitempty"` // it goes without Temporal, which knows nothing of it
	Drill   string      `json:"drill,omitempty"`  // ID of the drill that it is of: it is to be stopped
	Request string      `json:"-"`                // that it came from, where somebody gave a key: WHO and KEY
	// Live is the blob digest of what was seen for its plan when it was started: what whoever started it was asked about. It is "" of
	// runs from before it was kept.
	Live string `json:"-"`
}

// Runs keeps runs by name. It is wide as a run that is made, ended or overtaken is one row, which no two may change apart.
type Runs interface {
	// NewRun stores a run under a name made of its component and the next free number, and returns it. It is Conflict where its request
	// has a run that has not ended.
	NewRun(ctx context.Context, r Run) (Run, error)
	// NewRunAbove is NewRun, under a number above a floor too: names up to there are somebody else's. The floor is as NextFence's.
	NewRunAbove(ctx context.Context, r Run, floor int64) (Run, error)
	// SaveRun replaces Phase, Ended and Report of a run. An ended run is not changed again: Conflict, unless equal. One that
	// was never made is NotFound.
	SaveRun(ctx context.Context, r Run) error
	// Run returns a run by name, or NotFound.
	Run(ctx context.Context, name string) (Run, error)
	// RunOfRequest returns the latest run that came from a request, or NotFound.
	RunOfRequest(ctx context.Context, request string) (Run, error)
	// Overtaken returns the latest direct run that was made after a run and takes back what that one has moved, or what that one
	// takes back itself. It is NotFound where none was made.
	Overtaken(ctx context.Context, name string) (Run, error)
	// ListRuns returns the newest runs first; component "" means all.
	ListRuns(ctx context.Context, subject api.Subject, limit int) ([]Run, error)
	// PageRuns returns a part of that list.
	PageRuns(ctx context.Context, subject api.Subject, p Page) ([]Marked[Run], error)
}

// Check is Invalid where a run that is to be made lacks what it is named by.
func (r Run) Check() error { return required("run", "component", r.Subject.String(), "plan", r.Plan) }

// RunName is the name of a component's run with a number.
func RunName(subject api.Subject, number int64) string { return fmt.Sprintf("%s-%d", subject, number) }

// Number is the number in the name of a run; 0, which no run has, where there is none.
func (r Run) Number() int64 {
	number, err := strconv.ParseInt(strings.TrimPrefix(r.Name, r.Subject.String()+"-"), 10, 64)
	if err != nil || RunName(r.Subject, number) != r.Name {
		return 0
	}
	return number
}

// Becomes tells whether saving a run changes the one that is stored. It is Conflict where that one has ended.
func (r Run) Becomes(next Run) (bool, error) {
	if r.Phase == next.Phase && r.Ended.Equal(next.Ended) && r.Report == next.Report {
		return false, nil
	}
	if !r.Ended.IsZero() {
		return false, fault.New(fault.Conflict, "it ended %s as %s", r.Ended.UTC().Format(timeLayout), r.Phase)
	}
	return true, nil
}

// timeLayout has all nanoseconds, as stores keep them.
const timeLayout = "2006-01-02T15:04:05.000000000Z"
