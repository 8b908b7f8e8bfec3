package ledger

import (
	"context"
	"slices"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/identity"
)

// Bypass is a second person's word that one plan may pass one thing that holds it: a freeze, or a policy. It is about nothing else: no
// other plan passes, and no other thing. A stage that a plan itself leaves out is plan.Bypass.
type Bypass struct {
	Plan   string    `json:"plan"` // hash
	Of     string    `json:"of"`   // freeze-N, or PolicyPrefix and a name
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// String says what may be passed, by whose word, and why.
func (b Bypass) String() string { return b.Of + " by the word of " + b.By + ": " + b.Reason }

// PolicyPrefix is what the name of a policy follows where one says what is bypassed.
const PolicyPrefix = "policy/"

// MaxBypasses is how many bypasses a plan may have.
const MaxBypasses = 100

// Bypasses keeps who has let which plan pass what. What is there stays.
type Bypasses interface {
	// AddBypass stores a bypass and returns it; the one that is there, where the same person has said the same before. It is a
	// change of the freezes: open runs hear of it. It is Refused where the plan has MaxBypasses.
	AddBypass(ctx context.Context, b Bypass) (Bypass, error)
	// Bypasses returns those of a plan, the oldest first.
	Bypasses(ctx context.Context, plan string) ([]Bypass, error)
	// BypassesOf returns those of one freeze or policy, the oldest first.
	BypassesOf(ctx context.Context, of string) ([]Bypass, error)
}

// Check is Invalid where a bypass does not say what people have to know of it.
func (b Bypass) Check() error {
	return required("bypass", "plan", b.Plan, "of", b.Of, "by", b.By, "reason", b.Reason)
}

// Bypassing is the bypass by which a run may pass something: somebody else's than who started it. Nil where there is none.
func (r Run) Bypassing(of string, bypasses []Bypass) *Bypass {
	i := slices.IndexFunc(bypasses, func(b Bypass) bool { return b.Of == of && b.Plan == r.Plan && !identity.MaybeSame(b.By, r.By) })
	if i < 0 {
		return nil
	}
	return &bypasses[i]
}

// Bypassable reports whether a freeze can be bypassed. One of a version that was rolled back is about nothing else than that version:
// who says that it is good says so for all of its plans, and lifts the freeze.
func Bypassable(f api.Freeze) bool { return f.Origin != api.FreezeRollback }

// CheckRoom is Refused where a plan that has so many bypasses can have no more.
func CheckRoom(has int) error {
	if has >= MaxBypasses {
		return fault.New(fault.Refused, "%d bypasses of the plan are there already, and no more may be (MaxBypasses)", has)
	}
	return nil
}
