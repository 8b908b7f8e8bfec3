// Package source follows a repository: a look every so often, or sooner where somebody says that something has happened there. What is at
// the head of its branch, and what is proposed to it, is then linted, planned, shown and started by activities. It decides in which order.
package source

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/workflows/ask"
)

// What a follower goes by. An execution that is replayed has to find the numbers that it began with.
const (
	roundsEach = 50              // looks of one execution, before it continues as new
	showsEach  = 10              // requests that are shown in one round
	retryAfter = 1 * time.Minute // between looks where nobody could say how often
	saidMost   = 500             // of why a request could not be shown, in characters
	shownMost  = 100             // of what went wrong, in the Temporal UI, in characters
)

// showsPatiently is since when a request that cannot be shown holds up neither others nor what waits and is open. Before it, whoever may
// propose something that takes too long to plan could keep all of a Source from being started and approved.
const showsPatiently = "shows-patiently"

// Source follows a repository until there is no such Source any more.
func Source(ctx workflow.Context, in api.SourceInput) error {
	f := &follower{in: in, state: in.State, every: retryAfter, nudges: workflow.GetSignalChannel(ctx, api.SignalNudge)}
	return f.run(ctx)
}

// follower is a Source that is followed.
type follower struct {
	in     api.SourceInput
	state  api.SourceState
	every  time.Duration
	nudges workflow.ReceiveChannel
}

func (f *follower) run(ctx workflow.Context) error {
	err := workflow.SetQueryHandler(ctx, api.QuerySource, func() (api.SourceState, error) { return f.state, nil })
	if err != nil {
		return err
	}
	for rounds := 1; ; rounds++ {
		gone, err := f.round(ctx)
		if err != nil || gone {
			return err
		}
		workflow.SetCurrentDetails(ctx, f.details())
		// What was said during the round was said of a repository that was looked at before: it is looked at once more.
		again := f.heard()
		if rounds >= roundsEach || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			f.heard()
			next := f.in
			next.State = f.state
			return workflow.NewContinueAsNewError(ctx, api.SourceWorkflowName, next)
		}
		if !again {
			if err := f.rest(ctx); err != nil {
				return err
			}
		}
	}
}

// heard takes what was said meanwhile, and reports whether anything was.
func (f *follower) heard() bool {
	for said := false; ; said = true {
		var n api.SourceNudge
		if !f.nudges.ReceiveAsync(&n) {
			return said
		}
		f.take(n)
	}
}

func (f *follower) take(n api.SourceNudge) {
	if n.Accept != "" {
		f.state.Accept = n.Accept
	}
}

// rest waits until it is time to look again, or somebody says so.
func (f *follower) rest(ctx workflow.Context) error {
	over, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimerWithOptions(over, f.every, workflow.TimerOptions{Summary: "until the next look"})
	var err error
	workflow.NewSelector(ctx).
		AddFuture(timer, func(t workflow.Future) { err = t.Get(ctx, nil) }).
		AddReceive(f.nudges, func(c workflow.ReceiveChannel, _ bool) {
			var n api.SourceNudge
			c.Receive(ctx, &n)
			f.take(n)
		}).
		Select(ctx)
	return err
}

// round looks once, and has done what is to be done. It reports whether there is nothing to be followed any more. An activity that could
// not be done is shown as what it is, and is asked for again in the next round.
func (f *follower) round(ctx workflow.Context) (gone bool, err error) {
	name, s := f.in.Source, &f.state
	f.heard() // of all that has happened so far this look is the one
	looked, err := ask.For(step.LookAtSource, "look at "+name, api.SourceLook{
		Source: name, Of: s.Of, Commit: s.Commit, Accept: s.Accept,
	}).Get(ctx)
	s.Looked = workflow.Now(ctx).UTC()
	if err != nil {
		return f.failed(ctx, err)
	}
	if looked.Gone {
		return true, nil
	}
	if looked.Of != s.Of {
		*s = api.SourceState{Of: looked.Of, Looked: s.Looked} // what was known is of another repository
	}
	if looked.Every > 0 {
		f.every = looked.Every
	}
	s.Error = looked.Error
	if looked.Head != "" && looked.Head != s.Commit {
		if err := f.follow(ctx, looked.Head); err != nil {
			return f.failed(ctx, err)
		}
	}
	if looked.Listed {
		if err := f.show(ctx, looked.Requests); err != nil {
			return f.failed(ctx, err)
		}
	}
	if len(s.Waiting)+len(s.Runs) == 0 {
		return false, nil
	}
	tended, err := ask.For(step.TendSource, "tend runs of "+name, api.SourceTend{Source: name, State: *s}).Get(ctx)
	if err != nil {
		return f.failed(ctx, err)
	}
	s.Waiting, s.Runs = tended.Waiting, tended.Runs
	f.did(tended.Did)
	f.wrong(tended.Error)
	return false, nil
}

// failed notes that a round came to nothing; it is an error where the follower itself is to end.
func (f *follower) failed(ctx workflow.Context, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, err
	}
	f.state.Error = err.Error()
	return false, nil
}

// follow has the commit at the head of the branch followed.
func (f *follower) follow(ctx workflow.Context, head string) error {
	s := &f.state
	came, err := ask.For(step.FollowSource, fmt.Sprintf("follow %.12s", head), api.SourceFollow{
		Source: f.in.Source, Head: head, State: *s,
	}).Get(ctx)
	if err != nil {
		return err
	}
	if came.Again {
		s.Error = came.Error
		return nil
	}
	s.Commit, s.Followed, s.Accept = head, workflow.Now(ctx).UTC(), ""
	s.Did, s.Wrong = came.Did, came.Error
	s.Waiting, s.Runs = came.Waiting, came.Runs
	if came.Known != "" {
		s.Known, s.KnownAt = came.Known, head
	}
	return nil
}

// show has each request shown whose head is another one than was shown; those that are open no longer are forgotten. Those that could not
// be shown the last time come after the others.
func (f *follower) show(ctx workflow.Context, open []api.SourceRequest) error {
	patiently := workflow.GetVersion(ctx, showsPatiently, workflow.DefaultVersion, 1) == 1
	shown, left := f.state.Requests, showsEach
	if patiently {
		open = freshFirst(open, shown)
	}
	f.state.Requests = nil
	for i, r := range open {
		n := slices.IndexFunc(shown, func(s api.SourceRequest) bool { return s.Number == r.Number })
		if n >= 0 && shown[n].Head == r.Head && shown[n].Error == "" {
			f.state.Requests = append(f.state.Requests, shown[n])
			continue
		}
		if left == 0 || f.state.Known == "" {
			continue // it has its turn in a later round
		}
		left--
		said, err := ask.For(step.ShowRequest, fmt.Sprintf("show request %d", r.Number), api.SourceShow{
			Source: f.in.Source, Known: f.state.Known, KnownAt: f.state.KnownAt, Request: r,
		}).Get(ctx)
		if err != nil && patiently && ctx.Err() == nil {
			said, err = api.SourceRequest{
				Number: r.Number, Head: r.Head, Branch: r.Branch, Fork: r.Fork, Error: fmt.Sprintf("%.*s", saidMost, err.Error()),
			}, nil
		}
		if err != nil {
			f.state.Requests = append(f.state.Requests, still(shown, open[i:])...)
			return err
		}
		f.state.Requests = append(f.state.Requests, said)
	}
	slices.SortFunc(f.state.Requests, func(a, b api.SourceRequest) int { return cmp.Compare(a.Number, b.Number) })
	return nil
}

// freshFirst are open requests, those that could not be shown the last time behind the others.
func freshFirst(open, shown []api.SourceRequest) []api.SourceRequest {
	var fresh, failed []api.SourceRequest
	for _, r := range open {
		if slices.ContainsFunc(shown, func(s api.SourceRequest) bool { return s.Number == r.Number && s.Head == r.Head && s.Error != "" }) {
			failed = append(failed, r)
			continue
		}
		fresh = append(fresh, r)
	}
	return append(fresh, failed...)
}

// still are those of open requests that were shown before.
func still(shown, open []api.SourceRequest) (all []api.SourceRequest) {
	for _, r := range open {
		if slices.ContainsFunc(shown, func(s api.SourceRequest) bool { return s.Number == r.Number && s.Head == r.Head && s.Error == "" }) {
			all = append(all, r)
		}
	}
	return all
}

func (f *follower) did(what string) {
	if what != "" {
		f.state.Did = what
	}
}

func (f *follower) wrong(what string) {
	if what != "" {
		f.state.Error = what
	}
}

// details are what whoever opens the workflow in the Temporal UI sees first.
func (f *follower) details() string {
	s := &f.state
	text := fmt.Sprintf("At `%.12s`, looked at %s\n\n%s\n", s.Commit, s.Looked.Format(time.RFC3339), s.Did)
	for _, wrong := range []string{s.Wrong, s.Error} {
		if wrong != "" {
			text += fmt.Sprintf("\nWrong: %.*s\n", shownMost, wrong)
		}
	}
	return text
}
