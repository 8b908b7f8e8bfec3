package api

// Names of the Updates that a run takes, each with a Command, and of its Query, which returns a Run. A unit answers the same
// query with its Unit.
const (
	UpdatePause    = "pause"
	UpdateResume   = "resume"
	UpdateApprove  = "approve"
	UpdateReject   = "reject"
	UpdateAbort    = "abort"
	UpdateRollback = "rollback"
	UpdateSkip     = "skip"
	UpdateEndSoak  = "end-soak"
	UpdateRetry    = "retry"
	UpdateRetreat  = "rollback --batch"
	QueryStatus    = "status"
)

// Command is what an operator asks of a run.
type Command struct {
	Who     string `json:"who"`
	Proven  bool   `json:"proven,omitempty"` // Who is known for sure, or marked, as an engine that took the command knows
	Reason  string `json:"reason,omitempty"`
	ID      string `json:"id,omitempty"`      // that whoever asks has given it: under the same one it acts once
	Scope   Scope  `json:"scope,omitzero"`    // rollback; skip and end-soak, by clusters
	Plan    string `json:"plan,omitempty"`    // approve: the hash that was read
	Abandon bool   `json:"abandon,omitempty"` // abort: also a rollback that is under way, half done as it may be
	Failed  bool   `json:"failed,omitempty"`  // retry: only what failed or was out of reach
	DryRun  bool   `json:"dryRun,omitempty"`  // rollback: say what would go where, and change nothing
}

// Answer is what an operator hears.
type Answer struct {
	Message string   `json:"message"`
	Stands  bool     `json:"stands,omitempty"` // nobody has obeyed it yet: it stands until a worker takes the run up
	Units   []string `json:"units,omitempty"`  // rollback: the units that go back, in order, for people
	// Back is the same as data, with what becomes of the rest of the run.
	Back *TakingBack `json:"back,omitempty"`
}

// An Update that no worker accepts lives for as long as its caller waits. A command that is to be obeyed whenever a worker takes
// the run up again is sent as a signal: it stands in the run's history.

// SignalCommand is the signal that carries a StandingOrder to a run.
const SignalCommand = "command"

// StandingOrder is a command that stands until the run obeys it. It may come as an Update under the same ID too: it acts once.
type StandingOrder struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"` // UpdatePause and its like
	Command Command `json:"command"`
}
