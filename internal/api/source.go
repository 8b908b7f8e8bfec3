package api

import "time"

// SourceWorkflowID is the workflow ID under which a Source of an installation is followed: Temporal itself keeps two workers off it.
func SourceWorkflowID(queue, name string) string { return queue + "/source/" + name }

// SourceSubject is who acts for a Source.
func SourceSubject(name string) string { return "source:" + name }

// What a Source's workflow is told and asked.
const (
	SignalNudge = "nudge" // look soon
	QuerySource = "source"
)

// SourceInput starts the following of a Source, and is the state that it carries when it continues as new.
type SourceInput struct {
	Source string      `json:"source"`
	State  SourceState `json:"state,omitzero"`
}

// SourceNudge has a Source be looked at soon. Accept is a commit that a person takes for the head of the branch, though it does not go on
// from the one before; "" where there is none.
type SourceNudge struct {
	Accept string `json:"accept,omitempty"`
}

// SourceState is how far a Source has been followed.
type SourceState struct {
	Of       string          `json:"of,omitempty"`     // address and branch: of another one nothing is known
	Commit   string          `json:"commit,omitempty"` // of the branch, that was looked at last
	Known    string          `json:"known,omitempty"`  // digest of what components are at KnownAt; "" before the first
	KnownAt  string          `json:"knownAt,omitempty"`
	Looked   time.Time       `json:"looked,omitzero"`   // at the repository
	Followed time.Time       `json:"followed,omitzero"` // since when Commit is the last one
	Did      string          `json:"did,omitempty"`     // what came of Commit
	Wrong    string          `json:"wrong,omitempty"`   // with Commit, for as long as it is the last one
	Error    string          `json:"error,omitempty"`   // why the last look came to nothing; "" where it did not
	Accept   string          `json:"accept,omitempty"`
	Requests []SourceRequest `json:"requests,omitempty"` // open ones, by their number
	Waiting  []SourceStart   `json:"waiting,omitempty"`  // by component
	Runs     []SourceRun     `json:"runs,omitempty"`     // open ones that were started by it, by component
}

// SourceRequest is a proposed change whose plan is shown where it is reviewed.
type SourceRequest struct {
	Number int64  `json:"number"`
	Head   string `json:"head"`
	Branch string `json:"branch,omitempty"` // that has it
	Fork   bool   `json:"fork,omitempty"`   // that is in somebody else's repository
	Says   string `json:"says,omitempty"`   // what was shown of it, in a word
	Error  string `json:"error,omitempty"`
}

// SourceStart is a version of a component that is to be started.
type SourceStart struct {
	Component string `json:"component"`
	Version   string `json:"version"`
	Digest    string `json:"digest"`        // of what the component is
	Was       string `json:"was,omitempty"` // what it was before; "" where it was not there
	Commit    string `json:"commit"`
	After     string `json:"after,omitempty"` // the commit that was followed before
	Trigger   string `json:"trigger"`
	Plan      string `json:"plan"`
	Told      string `json:"told,omitempty"` // the run that was told to end for it
}

// SourceRun is an open run of a version.
type SourceRun struct {
	Component string   `json:"component"`
	Run       string   `json:"run"`
	Plan      string   `json:"plan"`
	Digest    string   `json:"digest"`
	Was       string   `json:"was,omitempty"`
	Paused    bool     `json:"paused,omitempty"`    // since its commit was reverted
	Approvers []string `json:"approvers,omitempty"` // whose review counts as approval
}

// SourceLook asks where a repository is.
type SourceLook struct {
	Source string `json:"source"`
	Of     string `json:"of,omitempty"`
	Commit string `json:"commit,omitempty"`
	Accept string `json:"accept,omitempty"`
}

// SourceLooked is where it is.
type SourceLooked struct {
	Gone     bool            `json:"gone,omitempty"` // there is no such Source any more
	Of       string          `json:"of,omitempty"`
	Every    time.Duration   `json:"every,omitempty"`
	Head     string          `json:"head,omitempty"` // of the branch, where it may be followed
	Requests []SourceRequest `json:"requests,omitempty"`
	Listed   bool            `json:"listed,omitempty"` // Requests are all there are
	Error    string          `json:"error,omitempty"`
}

// SourceFollow asks what comes of a commit of the branch.
type SourceFollow struct {
	Source string      `json:"source"`
	Head   string      `json:"head"`
	State  SourceState `json:"state"`
}

// SourceFollowed is what came of it. Where Again is true nothing of it counts yet, and the same is to be asked again.
type SourceFollowed struct {
	Known   string        `json:"known,omitempty"` // "" where it stays what it was
	Waiting []SourceStart `json:"waiting,omitempty"`
	Runs    []SourceRun   `json:"runs,omitempty"`
	Did     string        `json:"did,omitempty"`
	Error   string        `json:"error,omitempty"`
	Again   bool          `json:"again,omitempty"`
}

// SourceShow asks to show the plan of a request.
type SourceShow struct {
	Source  string        `json:"source"`
	Known   string        `json:"known,omitempty"`
	KnownAt string        `json:"knownAt,omitempty"`
	Request SourceRequest `json:"request"`
}

// SourceTend asks to start what waits, and to see to what is open.
type SourceTend struct {
	Source string      `json:"source"`
	State  SourceState `json:"state"`
}

// SourceTended is what waits, and what is open, after that.
type SourceTended struct {
	Waiting []SourceStart `json:"waiting,omitempty"`
	Runs    []SourceRun   `json:"runs,omitempty"`
	Did     string        `json:"did,omitempty"` // "" where nothing was done
	Error   string        `json:"error,omitempty"`
}
