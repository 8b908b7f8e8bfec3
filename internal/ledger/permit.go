package ledger

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/permit"
)

// Permits keeps which units change their clusters now, which of them are in trouble, and which wait for either. It is wide as asking,
// entering and leaving are one truth, which no two workers may read and write apart.
type Permits interface {
	// Enter asks for a permit for a unit, by (run, cluster), and returns what came of it, by permit.Admit. Who has one keeps it; who waits
	// keeps its turn for as long as it asks again within permit.WaiterLives. What a run had that has ended is gone. It is Refused where a
	// limit says so, where a later unit took its turn, and where permit.Most are there already, for what goes forward; a unit that was
	// refused is the last in turn when it asks again. It is Conflict where the run has ended, and where the unit has asked for something
	// else since, by Holder.At.
	Enter(ctx context.Context, p permit.Permit, limits []permit.Limit, now time.Time) (permit.Admission, error)
	// Trouble notes why a unit keeps others out of its cluster and its failure domains; "" where it does no longer. A unit that has no
	// permit gets one. It is Conflict where Enter is.
	Trouble(ctx context.Context, p permit.Permit, why string, now time.Time) error
	// Leave gives the permit of a unit back, and its turn. There may be none. It does nothing where the unit has asked for something
	// after that time.
	Leave(ctx context.Context, run, cluster string, at time.Time) error
	// LetIn has a unit that waits, or was refused, enter whatever holds it when it asks next. It is NotFound where none is there, or is in.
	LetIn(ctx context.Context, run, cluster string, l Lift) (permit.Permit, error)
	// ListPermits returns all permits of runs that have not ended, in the order in which they were asked for.
	ListPermits(ctx context.Context) ([]permit.Permit, error)
	// PermitRevision is another number once a unit has entered, left, got into trouble or out of it, or was refused or let in, and once a
	// run has ended. It is cheap to ask.
	PermitRevision(ctx context.Context) (int64, error)
}

// CheckPermit is Invalid where a permit lacks what names it.
func CheckPermit(p permit.Permit) error {
	return required("permit", "run", p.Run, "cluster", p.Cluster, "component", p.Subject.String(), "workflow", p.Holder.Workflow)
}
