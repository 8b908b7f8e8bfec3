package step

import "sluice.dev/sluice/internal/permit"

var (
	// Enter asks for a permit to change a cluster. It returns at once where that is given, or where what is in the way is not what was
	// known to be; else once either is so.
	Enter = idle[EnterRequest, permit.Admission]("ledger.Enter")
	// Trouble notes that a unit keeps others out, or does no longer. It is given back with the unit's record.
	Trouble = vital[TroubleRequest, Note]("ledger.Trouble")
)

// EnterRequest asks for a permit of a unit. Known is what was in the way when it was asked for last; "" at first.
type EnterRequest struct {
	Ref
	Holder permit.Holder `json:"holder"`
	Known  string        `json:"known,omitempty"`
}

// TroubleRequest says why a unit keeps others out; "" where it does no longer.
type TroubleRequest struct {
	Ref
	Holder permit.Holder `json:"holder"`
	Why    string        `json:"why,omitempty"`
}
