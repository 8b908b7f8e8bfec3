package ledger

import (
	"context"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// Freezes keeps what stands still, and since when. Every change of it has a revision of its own, which only grows. It is wide as
// runs that are open have to hear of each change, and who told them may die on the way.
type Freezes interface {
	// AddFreeze stores a freeze under the name freeze-N, with the next free number, and returns it. It is Refused where
	// MaxFreezes hold already. Of a run that has made one, that is returned, lifted or not;
	// and so of a fuse, for each time that it trips.
	AddFreeze(ctx context.Context, f api.Freeze) (api.Freeze, error)
	// LiftFreeze ends a freeze, and returns it. One that has ended stays as it is: Conflict, with it.
	LiftFreeze(ctx context.Context, name string, l Lift) (api.Freeze, error)
	// EndFreezes lifts those whose time is over.
	EndFreezes(ctx context.Context, now time.Time) error
	// Frozen returns those that are not lifted, the oldest first, and the revision at which that is so; 0 where there never was one.
	Frozen(ctx context.Context) (list []api.Freeze, revision int64, err error)
	// Freeze returns the one of a name, lifted or not; NotFound where there is none.
	Freeze(ctx context.Context, name string) (api.Freeze, error)
	// ListFreezes returns the newest first, lifted ones among them.
	ListFreezes(ctx context.Context, limit int) ([]api.Freeze, error)
	// PageFreezes returns a part of that list; lifted ones are left out where they are not asked for.
	PageFreezes(ctx context.Context, lifted bool, p Page) ([]Marked[api.Freeze], error)
	// Untold returns the runs that have not ended and have not been told of a revision, the oldest first.
	Untold(ctx context.Context, revision int64, limit int) ([]Hearer, error)
	// Told notes what a run has heard. A revision before the one that it knows changes nothing.
	Told(ctx context.Context, run string, h Heard) error
}

// Heard is a revision of the freezes that a run was told of, and whether any held it then.
type Heard struct {
	Revision int64
	Held     bool
}

// Hearer is a run that is to hear of freezes, and whether any held it when it heard last.
type Hearer struct {
	Run  Run
	Held bool
}

// Under are those of some freezes that a run is under, whatever they are about: what goes back is under none, nor is a run under the
// one that came from its own rollback, nor under one that somebody else has let it pass. What a drill runs is known to be bad: that it
// was rolled back before does not hold it.
func (r Run) Under(freezes []api.Freeze, bypasses []Bypass) []api.Freeze {
	if r.Back != "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(freezes), func(f api.Freeze) bool {
		if r.Drill != "" && f.Origin == api.FreezeRollback {
			return true
		}
		return f.Run != "" && f.Run == r.Name || Bypassable(f) && r.Bypassing(f.Name, bypasses) != nil
	})
}

// Lift is who ends a freeze, when and why.
type Lift struct {
	By     string
	Reason string
	At     time.Time
}

// MaxFreezes is how many freezes may hold at a time.
const MaxFreezes = 1000

// CheckFreeze is Invalid where a freeze does not say what people have to know of it.
func CheckFreeze(f api.Freeze) error {
	if err := required("freeze", "by", f.By, "reason", f.Reason, "origin", string(f.Origin), "inFlight", string(f.InFlight)); err != nil {
		return err
	}
	if f.Origin == api.FreezeRollback {
		if err := required("freeze", "digest", f.Scope.Digest, "run", f.Run); err != nil {
			return err
		}
	}
	if f.Origin == api.FreezeFuse {
		if err := required("freeze", "fuse", f.Fuse); err != nil {
			return err
		}
	}
	if !f.Until.IsZero() && !f.Until.After(f.Since) {
		return fault.New(fault.Invalid, "freeze is over before it begins")
	}
	return nil
}

// Check is Invalid where nobody lifts, or for no reason.
func (l Lift) Check() error { return required("lift", "by", l.By, "reason", l.Reason) }

// Outlived is the lift of a freeze whose time is over.
func Outlived(f api.Freeze) Lift {
	return Lift{By: api.BySluice, Reason: "its time is over", At: f.Until}
}

// EntryOf is the audit of a freeze that was made.
func EntryOf(f api.Freeze) Entry {
	return Entry{At: f.Since, Who: f.By, Command: "freeze", Object: f.Name, Scope: f.Scope.String(), Reason: f.Reason, Outcome: "accepted"}
}
