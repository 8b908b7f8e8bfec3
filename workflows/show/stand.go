package show

import (
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
)

// Reasons is why somebody gives a command, for what then waits; nothing where they do not say.
func Reasons(c api.Command) []string {
	if c.Reason == "" {
		return nil
	}
	return []string{c.Reason}
}

// Stand is a run or a unit that stands still until it may go on: at a check, a pause, an approval, a brake.
type Stand struct {
	Show    func(workflow.Context, api.Phase, *api.Waiting) // says where it is
	Phase   api.Phase                                       // in which it stands
	Waiting *api.Waiting                                    // for what
	Until   func() bool                                     // it may go on
	Ends    func() error                                    // what it was told instead of going on; nil where it always goes on
	Leaves  func()                                          // before it shows that it goes on; may be nil
	Then    api.Phase                                       // what it does then
}

// Wait stops, and stays.
func (s Stand) Wait(ctx workflow.Context) error {
	s.Stop(ctx)
	return s.Stay(ctx)
}

// Stop shows where it stands.
func (s Stand) Stop(ctx workflow.Context) { s.Show(ctx, s.Phase, s.Waiting) }

// Stay returns nil once it may go on and shows so. It returns the error of what ends it, and shows nothing: the end says it.
func (s Stand) Stay(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return s.Until() || s.ended() != nil }); err != nil {
		return err
	}
	if err := s.ended(); err != nil {
		return err
	}
	if s.Leaves != nil {
		s.Leaves()
	}
	s.Show(ctx, s.Then, nil)
	return nil
}

func (s Stand) ended() error {
	if s.Ends == nil {
		return nil
	}
	return s.Ends()
}

// AnyDecider is who owns what stands: everybody who may decide about it.
const AnyDecider = "whoever may resume, abort or roll back"

// Undecided is what somebody waits for who stands at a check that did not pass.
func Undecided(bad api.Check) *api.Waiting {
	return &api.Waiting{
		Kind: api.WaitDecision, Name: bad.Name, Unmet: []string{string(bad.Verdict) + ": " + bad.Message},
		Owner: AnyDecider,
	}
}
