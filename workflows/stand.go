package workflows

import (
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
)

// stand is a run or a unit that stands still until it may go on: at a check, a pause, an approval, a brake.
type stand struct {
	show    func(workflow.Context, api.Phase, *api.Waiting) // says where it is
	phase   api.Phase                                       // in which it stands
	waiting *api.Waiting                                    // for what
	until   func() bool                                     // it may go on
	ends    func() error                                    // what it was told instead of going on; nil where it always goes on
	leaves  func()                                          // before it shows that it goes on; may be nil
	then    api.Phase                                       // what it does then
}

// wait stops, and stays.
func (s stand) wait(ctx workflow.Context) error {
	s.stop(ctx)
	return s.stay(ctx)
}

func (s stand) stop(ctx workflow.Context) { s.show(ctx, s.phase, s.waiting) }

// stay returns nil once it may go on and shows so. It returns the error of what ends it, and shows nothing: the end says it.
func (s stand) stay(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return s.until() || s.ended() != nil }); err != nil {
		return err
	}
	if err := s.ended(); err != nil {
		return err
	}
	if s.leaves != nil {
		s.leaves()
	}
	s.show(ctx, s.then, nil)
	return nil
}

func (s stand) ended() error {
	if s.ends == nil {
		return nil
	}
	return s.ends()
}

// undecided is what somebody waits for who stands at a check that did not pass.
func undecided(bad api.Check) *api.Waiting {
	return &api.Waiting{
		Kind: "decision", Name: bad.Name, Unmet: []string{string(bad.Verdict) + ": " + bad.Message}, Owner: "whoever may resume, abort or roll back",
	}
}
