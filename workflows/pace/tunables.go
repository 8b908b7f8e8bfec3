// Package pace is the numbers that workflows go by, and the arithmetic of their timers.
package pace

import (
	"time"
)

// Tunables are the numbers that runs, units and looks go by.
type Tunables struct {
	// How long an activity may take: one near a cluster that is soon done, one of the ledger, one that ends when it is done, and
	// one in the workflow's own worker. A short one that exceeds its time is tried again.
	ShortActivity, LedgerActivity, LongActivity, LocalActivity time.Duration
	// How soon an activity near a cluster has to be heard of, and one that only waits or looks: hundreds may do so at once.
	Heartbeat, IdleHeartbeat time.Duration
	SiteWorker               time.Duration // without a worker of its site for so long, a cluster is out of reach
	Attempts                 int32         // tries of a short activity before the unit asks for a person
	MaxBackOff               time.Duration // the longest pause before something that did not work is tried again

	// An activity that does not get on ends itself. The timer beside it goes off StallSlack later, and is there for one that does
	// not: it is tried again and again, or its worker is of a version that only said so. WoundUp is how long one that is told to
	// end is waited for.
	StallSlack, WoundUp time.Duration
	FreeLook            time.Duration // how long looks of another run that were told to end are waited for

	ComesBack  time.Duration // for how long a run that would end waits for a cluster that has just gone out of reach
	BackSpread time.Duration // clusters that may go back at once begin within so long

	Lasting   time.Duration // how long a change of phase that decides nothing lasts before a run is told of it
	TellEvery time.Duration // a unit tells its run of such changes no more often than that
	TellsMost int           // nor do all units of a stage together more often than so many a second

	// How often a part tells its run what it has heard, all at once. A run takes ten thousand signals and no more: what decides
	// nothing is told ever more rarely, the longer the part lives: CalmFraction of its age.
	NewsEvery, CalmEvery time.Duration
	CalmFraction         time.Duration
	NewsAtOnce           int // clusters in one signal of a part
	ErrandsAtOnce        int // errands in one signal to a part, or it would be too long

	MaxChildren   int   // units, and as many looks, that one workflow has open at the most
	DirectUnits   int   // a stage with more than so many is divided into parts
	HistoryBound  int   // events after which a run continues as new at the next stage boundary with nothing in flight
	HeardOrders   int   // orders that a run remembers
	PreviewWindow int64 // clusters that are looked at at once for a plan

	// SaidOfUnits is how much of what units say of their failures a run keeps of all of them together, in bytes: its status is one
	// payload. What a unit said in full is in its own record.
	SaidOfUnits int
	// SaidOfUnit is how much of what its checks say and saw a unit keeps, in bytes.
	SaidOfUnit int
	// SaidOfTasks is the same of what tasks say of their steps and attempts, and SaidOfChecks of what checks of the run and of its
	// stages say and saw.
	SaidOfTasks, SaidOfChecks int
	// MostWitnessed is how many units of a run keep what a check saw after they had ended: more would make its state too big to be
	// carried.
	MostWitnessed int
	MaxMessage    int // of what a unit said, in bytes, that its run keeps; the unit's own record has all of it
	MaxBorne      int // of what a borne batch has failed by, in bytes; its checks say all of it
	MaxHandedOn   int // of what an activity had said last, in bytes, that the next one hears; an activity's input is one payload
	MaxKept       int // objects that stay, of a unit, that its run lists; the unit's own record has all of them
	FewNodes      int // dead nodes of a node set that a run keeps by name; the unit's own record has more
	FewUnits      int // that are told in the order in which they go; of more, first those that are under way or were stopped
	MaxDetails    int // bytes of Markdown, below what the renderer of the Temporal UI takes in a URL
}

// Tuned is what is gone by. An execution that is replayed has to find the numbers that it began with, as far as they decide what
// it asks Temporal for: MaxChildren, DirectUnits, HistoryBound and the bounds on signals change only with a shape.
func Tuned() Tunables {
	return Tunables{
		ShortActivity: 2 * time.Minute, LedgerActivity: 30 * time.Second,
		LongActivity: 10 * 365 * 24 * time.Hour, LocalActivity: 10 * time.Second,
		Heartbeat: 10 * time.Second, IdleHeartbeat: 30 * time.Second,
		SiteWorker: 2 * time.Minute, Attempts: 5, MaxBackOff: 15 * time.Minute,

		StallSlack: time.Minute, WoundUp: time.Minute, FreeLook: 30 * time.Second,

		ComesBack:  30 * time.Second,
		BackSpread: 30 * time.Second,

		Lasting: 2 * time.Second, TellEvery: 10 * time.Second, TellsMost: 4,
		NewsEvery: time.Second, CalmEvery: 10 * time.Second, CalmFraction: 64, NewsAtOnce: 100, ErrandsAtOnce: 200,

		MaxChildren: 400, DirectUnits: 100, HistoryBound: 2000, HeardOrders: 200, PreviewWindow: 16,

		SaidOfUnits: 400_000, SaidOfUnit: 300_000, SaidOfTasks: 160_000, SaidOfChecks: 80_000,
		MostWitnessed: 20, MaxMessage: 1000, MaxBorne: 200, MaxHandedOn: 256 << 10, MaxKept: 10, FewNodes: 3, FewUnits: 40, MaxDetails: 4000,
	}
}

// UnitTells is how often a unit may tell its run of changes that decide nothing, however many units the run has open.
func (t Tunables) UnitTells(units int) time.Duration {
	return max(t.TellEvery, WholeSeconds(time.Duration(units)*time.Second/time.Duration(t.TellsMost)))
}
