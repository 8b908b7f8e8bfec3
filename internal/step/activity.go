// Package step is the activities: what workflows ask of the outside, and the shapes that go in and come back. A file for each
// outside system. Workflows and activities both import it, and neither imports the other. Nothing here does anything, and
// nothing here knows Temporal.
package step

// Activity is one thing that workflows ask of the outside. Who asks and who serves are held by the compiler to the same request
// and answer. Each is idempotent under its request.
type Activity[Req, Res any] struct {
	name  string
	class Class
}

// Name is what Temporal knows the activity by. It stands in histories, and never changes.
func (a Activity[Req, Res]) Name() string { return a.name }

// Class is how long the activity may take and what becomes of it where it does not work.
func (a Activity[Req, Res]) Class() Class { return a.class }

// Class is how long an activity may take, how it is known to be alive, and how often it is tried.
type Class int

const (
	// Short is near a cluster and soon done. It is tried a few times; then the unit asks for a person.
	Short Class = iota
	// Lasting is near a cluster and ends when it is done, or told to end. It is known to be alive by its heartbeats.
	Lasting
	// Idle is Lasting, and only waits or looks on: hundreds may do so at once, so that their hearts beat slowly.
	Idle
	// Patient is Idle, and waits for a worker of its site too.
	Patient
	// Checking is Idle, and is done by the workers that are there for checks.
	Checking
	// Ledger is one of the ledger's: short, without heartbeats.
	Ledger
	// Vital is one of the ledger's that is tried until it succeeds: what it reads or writes down is what others go by.
	Vital
	// Local is done in the worker that has the workflow, in no time.
	Local
)

// Note is what an activity answers that has nothing to tell its workflow: words for whoever reads the history.
type Note = string

func short[Req, Res any](name string) Activity[Req, Res]   { return Activity[Req, Res]{name, Short} }
func lasting[Req, Res any](name string) Activity[Req, Res] { return Activity[Req, Res]{name, Lasting} }
func idle[Req, Res any](name string) Activity[Req, Res]    { return Activity[Req, Res]{name, Idle} }
func patient[Req, Res any](name string) Activity[Req, Res] { return Activity[Req, Res]{name, Patient} }
func checking[Req, Res any](name string) Activity[Req, Res] {
	return Activity[Req, Res]{name, Checking}
}
func ofLedger[Req, Res any](name string) Activity[Req, Res] {
	return Activity[Req, Res]{name, Ledger}
}
func vital[Req, Res any](name string) Activity[Req, Res] { return Activity[Req, Res]{name, Vital} }
func local[Req, Res any](name string) Activity[Req, Res] { return Activity[Req, Res]{name, Local} }
