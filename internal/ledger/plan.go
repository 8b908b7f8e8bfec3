package ledger

import (
	"context"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// Plan is a stored plan. Body is a blob; its digest need not be the hash, which leaves out what does not count.
type Plan struct {
	Hash     string      `json:"hash"`
	Subject  api.Subject `json:"component"`
	Version  string      `json:"version"`
	Pipeline string      `json:"pipeline"`
	Body     string      `json:"body"` // blob digest
	Live     string      `json:"live"` // blob digest of what would change now; "" until it was looked at
	Origin   api.Origin  `json:"origin"`
	Policies string      `json:"policies,omitempty"` // blob digest of the policies among its files; "" where there were none
	Created  time.Time   `json:"created"`
	By       string      `json:"by"`
}

// Plans keeps plans by hash.
type Plans interface {
	// SavePlan stores a plan; storing a hash again replaces Live, Origin, Policies, Created and By only. The body must be stored before:
	// Invalid otherwise.
	SavePlan(ctx context.Context, p Plan) error
	// Plan returns a plan by hash or by a unique prefix of at least 6 characters. NotFound, or Conflict where several match. The
	// "sha256:" of a hash may be left out of a prefix, and does not count in its length.
	Plan(ctx context.Context, hash string) (Plan, error)
	// ListPlans returns the newest plans first; component "" means all.
	ListPlans(ctx context.Context, subject api.Subject, limit int) ([]Plan, error)
	// PagePlans returns a part of that list.
	PagePlans(ctx context.Context, subject api.Subject, p Page) ([]Marked[Plan], error)
}

// Check is Invalid where a plan lacks what a store keeps it by.
func (p Plan) Check() error {
	return required("plan", "hash", p.Hash, "component", p.Subject.String(), "body", p.Body)
}

const minPlanPrefix = 6

// PlanPrefix is what hashes begin with that somebody means by a part of one: as he wrote it without an algorithm, and with it. One
// that is too short to mean a plan is NotFound.
func PlanPrefix(part string) (bare, full string, err error) {
	bare = strings.TrimPrefix(part, digestPrefix)
	if len(bare) < minPlanPrefix {
		return "", "", fault.New(fault.NotFound, "cannot find plan %q: give its hash or at least %d characters of it", part, minPlanPrefix)
	}
	return bare, digestPrefix + bare, nil
}

// OnePlan is the plan that a part of a hash means, of those that begin with it; two are enough.
func OnePlan(part string, found []Plan) (Plan, error) {
	switch len(found) {
	case 0:
		return Plan{}, fault.New(fault.NotFound, "cannot find plan %s", part)
	case 1:
		return found[0], nil
	}
	return Plan{}, fault.New(fault.Conflict, "cannot tell which plan %s is: %s and %s begin with it", part, found[0].Hash, found[1].Hash)
}
