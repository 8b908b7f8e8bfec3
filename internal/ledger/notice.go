package ledger

import (
	"context"
	"time"
)

// Notices keeps what receivers are to be told of runs, until they took it or it is too late. It is wide as noting what a run does and
// queueing what follows from it are one write, and as several workers tell.
type Notices interface {
	// Since is when receivers were heard of first, by name; of new ones that is now.
	Since(ctx context.Context, receivers []string, now time.Time) (map[string]time.Time, error)
	// Unnoticed returns the runs that are open, and those that have ended since a time and of which that was not noticed, the oldest
	// first.
	Unnoticed(ctx context.Context, since time.Time, limit int) ([]Noticed, error)
	// Notice replaces what was noticed of a run, and queues what follows from it. It is Conflict where somebody else has noticed
	// something in between. A notice of a key that the receiver has already is left out; one that finds MaxNotices waiting is given up.
	Notice(ctx context.Context, was Noticed, now string, queue []Notice) error
	// Claim hands out the oldest notice of a receiver that is due, and keeps it from others for a while. Of one run an earlier notice
	// goes first. It is NotFound where none is due, or where the receiver was told as often in the last minute as it may be.
	Claim(ctx context.Context, c Claim) (Notice, error)
	// Settle notes what came of a claimed notice. What is given up goes into the audit.
	Settle(ctx context.Context, n Notice, s Settlement) error
	// GiveUp gives up what was queued before a time and waits still, whoever should have taken it, and forgets what was settled
	// before another.
	GiveUp(ctx context.Context, queued, settled, now time.Time) error
	// ListNotices returns the newest first; receiver "" means all.
	ListNotices(ctx context.Context, receiver string, limit int) ([]Notice, error)
	// PageNotices returns a part of that list.
	PageNotices(ctx context.Context, receiver string, p Page) ([]Marked[Notice], error)
}

// Noticed is a run, and what was noticed of it last; "" where nothing was.
type Noticed struct {
	Run  Run
	Last string
}

// NoticesOfProbes is what notices have for a run that are about probes: a receiver hears one after the other.
const NoticesOfProbes = "probes"

// NoticedEnd is what is noticed of a run last of all.
const NoticedEnd = "end"

// Notice is one thing that one receiver is to be told.
type Notice struct {
	ID       int64     `json:"-"`
	Key      string    `json:"key"` // of what happened: the same for each receiver, each attempt and each worker
	Receiver string    `json:"receiver"`
	Run      string    `json:"run"`             // or NoticesOfProbes
	About    string    `json:"about,omitempty"` // in a few words, where it is about no run
	Event    string    `json:"event"`
	Body     string    `json:"-"` // JSON of what happened
	At       time.Time `json:"at"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next,omitzero"` // not before
	Told     time.Time `json:"told,omitzero"` // the first time that the receiver took it
	Settled  time.Time `json:"settled,omitzero"`
	Outcome  string    `json:"outcome,omitempty"` // what the receiver said last, or why it was given up
}

// Claim asks for a notice.
type Claim struct {
	Receiver  string
	Now       time.Time
	Until     time.Time // nobody else gets it before
	PerMinute int
}

// Settlement is what came of an attempt.
type Settlement struct {
	At      time.Time
	Outcome string
	Took    bool      // the receiver has it
	GaveUp  bool      // it never will
	Again   time.Time // when it is to be told next; zero: not again
	Quiet   time.Time // the receiver is told nothing before
}

// MaxNotices is how many notices may wait for one receiver.
const MaxNotices = 1000

// Check is Invalid where a notice is for nobody, or about nothing.
func (n Notice) Check() error {
	return required("notice", "key", n.Key, "receiver", n.Receiver, "run", n.Run, "event", n.Event)
}
