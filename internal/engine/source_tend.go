package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/git"
	"sluice.dev/sluice/pipelines"
)

// TendSource starts what waits for it, as its Trigger says what becomes of it while a run of the component is open, and gives open runs the
// approvals that the review of their commit is. Asked twice it does once.
func (e *Engine) TendSource(ctx context.Context, in api.SourceTend) (api.SourceTended, error) {
	out := api.SourceTended{}
	f, err := e.source(ctx, in.Source)
	if err == nil {
		err = e.ready(f)
	}
	if err != nil {
		out.Waiting, out.Runs, out.Error = in.State.Waiting, in.State.Runs, says(err)
		return out, ctx.Err()
	}
	var did, wrong []string
	for _, r := range in.State.Runs {
		open, err := e.tendRun(ctx, f, &r)
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		if open {
			out.Runs = append(out.Runs, r)
		}
	}
	triggers, err := e.triggers(ctx, in.Source)
	if err != nil {
		return out, err
	}
	waiting := in.State.Waiting
	if moved, err := f.moved(ctx, in.State); moved != "" || err != nil {
		out.Waiting, waiting = waiting, nil
		if err != nil {
			wrong = append(wrong, err.Error())
		} else {
			did = append(did, moved)
		}
	}
	for _, w := range waiting {
		i := slices.IndexFunc(triggers, func(t *pipelines.Trigger) bool { return t.Metadata.Name == w.Trigger })
		if i < 0 || !triggers[i].Spec.Run {
			did = append(did, fmt.Sprintf("%s %s is not started: Trigger %s does not say so any more", w.Component, w.Version, w.Trigger))
			continue
		}
		s := starting{followed: f, in: in, trigger: triggers[i], SourceStart: w}
		said, err := e.tendStart(ctx, &s, &out)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s %s: %s", w.Component, w.Version, err))
		}
		if said != "" {
			did = append(did, said)
		}
	}
	if len(did) > 0 {
		out.Did = clipped(did, "")
	}
	if len(wrong) > 0 {
		out.Error = clipped(wrong, "")
	}
	return out, ctx.Err()
}

// moved says that the branch is at another commit than the one that was followed; "" where it is not, or nothing waits for it. Nothing is
// started then: somebody may have taken it back, or pushed over it.
func (f *followed) moved(ctx context.Context, s api.SourceState) (string, error) {
	if len(s.Waiting) == 0 {
		return "", nil
	}
	heads, err := f.remote.Look(ctx)
	if err != nil || heads.Branch == s.Commit {
		return "", err
	}
	return fmt.Sprintf("nothing is started: %s is at %.12s by now, and %.12s is what was followed", f.spec.Branch, heads.Branch, s.Commit), nil
}

// tendRun reports whether a run is open still, and approves it where it waits for what reviewers have said already.
func (e *Engine) tendRun(ctx context.Context, f *followed, r *api.SourceRun) (bool, error) {
	run, err := e.ledger.Run(ctx, r.Run)
	if err != nil {
		return fault.CodeOf(err) != fault.NotFound, err
	}
	if !run.Ended.IsZero() {
		return false, nil
	}
	if len(r.Approvers) == 0 {
		return true, nil
	}
	view, err := e.Status(ctx, r.Run)
	if err != nil {
		return true, err
	}
	var waits *api.StageStatus
	for i := range view.Stages {
		if w := view.Stages[i].Waiting; w != nil && w.Kind == api.WaitApproval {
			waits = &view.Stages[i]
		}
	}
	if waits == nil {
		return true, nil
	}
	for _, who := range r.Approvers {
		if slices.ContainsFunc(waits.Approvals, func(v api.Vote) bool { return v.Who == who }) {
			continue
		}
		_, err := e.Command(ctx, r.Run, api.UpdateApprove, api.Command{Who: who, Plan: r.Plan, Reason: "reviewed where it was merged"})
		if err != nil {
			return true, err
		}
	}
	return true, nil
}

// starting is a version that is to be started.
type starting struct {
	*followed
	api.SourceStart
	in      api.SourceTend
	trigger *pipelines.Trigger
}

// tendStart starts a version, lets it wait, or leaves it. It says what it did.
func (e *Engine) tendStart(ctx context.Context, s *starting, out *api.SourceTended) (string, error) {
	what := s.Component + " " + s.Version
	open, err := e.openRuns(ctx, api.Component(s.Component))
	if err != nil {
		out.Waiting = append(out.Waiting, s.SourceStart)
		return "", err
	}
	begun := func(r openRun) bool { return r.Request == s.request() } // it was started, and nobody heard of it
	if len(open) > 0 && !slices.ContainsFunc(open, begun) {
		return e.busyBehind(ctx, s, open[0], out)
	}
	started, err := e.startSource(ctx, s)
	if err == nil {
		out.Runs = slices.DeleteFunc(out.Runs, func(r api.SourceRun) bool { return r.Component == s.Component })
		out.Runs = append(out.Runs, started)
		slices.SortFunc(out.Runs, func(a, b api.SourceRun) int { return strings.Compare(a.Component, b.Component) })
		return fmt.Sprintf("%s: started as %s", what, started.Run), nil
	}
	var idle *NothingToDo
	if errors.As(err, &idle) {
		return what + ": " + idle.Message, nil
	}
	if transient(err) {
		out.Waiting = append(out.Waiting, s.SourceStart)
		return "", err
	}
	if open, failed := e.openRuns(ctx, api.Component(s.Component)); failed == nil && len(open) > 0 { // somebody was quicker
		return e.busyBehind(ctx, s, open[0], out)
	}
	return what + " is not started", err
}

// busyBehind says what becomes of a version while a run of its component is open.
func (e *Engine) busyBehind(ctx context.Context, s *starting, other openRun, out *api.SourceTended) (string, error) {
	what := s.Component + " " + s.Version
	switch s.trigger.Spec.WhileOpen {
	case pipelines.OpenRefuse:
		return fmt.Sprintf("%s is not started: %s (%s) is open, and Trigger %s refuses what comes meanwhile",
			what, other.Name, other.Version, s.trigger.Metadata.Name), nil
	case pipelines.OpenSupersede:
		w := s.SourceStart
		said := fmt.Sprintf("%s waits until %s, which was told to end for it, has ended", what, other.Name)
		if w.Told != other.Name {
			why := fmt.Sprintf("superseded by %s, %s", what, commitReason(s.spec, s.Commit))
			if _, err := e.Command(ctx, other.Name, api.UpdateAbort, api.Command{Who: s.who(), Reason: why}); err != nil {
				out.Waiting = append(out.Waiting, w)
				return "", err
			}
			w.Told = other.Name
		}
		out.Waiting = append(out.Waiting, w)
		return said, nil
	}
	out.Waiting = append(out.Waiting, s.SourceStart)
	return fmt.Sprintf("%s waits behind %s (%s)", what, other.Name, other.Version), nil
}

// request is what a run is asked for by: it is started once, whoever asks again.
func (s *starting) request() string {
	return fmt.Sprintf("%s/%s/%s/%.12s", api.SourceSubject(s.name), s.Component, s.Commit, strings.TrimPrefix(s.Digest, "sha256:"))
}

// startSource starts a version: by the plan that was made, or by one made anew where what it goes back to is another by now.
func (e *Engine) startSource(ctx context.Context, s *starting) (api.SourceRun, error) {
	approvers, err := e.reviewers(ctx, s)
	if err != nil {
		return api.SourceRun{}, err
	}
	planned, err := e.LoadPlan(ctx, s.Plan)
	if err != nil {
		return api.SourceRun{}, err
	}
	back, err := e.waysBack(ctx, api.Component(s.Component))
	if err != nil {
		return api.SourceRun{}, err
	}
	hash := s.Plan
	if len(planned.stale(back)) > 0 {
		if hash, err = e.replanned(ctx, s); err != nil {
			return api.SourceRun{}, err
		}
	}
	run, err := e.Run(ctx, RunRequest{Plan: hash, By: s.who(), Reason: commitReason(s.spec, s.Commit), Request: s.request()})
	if err != nil {
		return api.SourceRun{}, err
	}
	return api.SourceRun{
		Component: s.Component, Run: run.Name, Plan: run.Plan, Digest: s.Digest, Was: s.Was, Approvers: approvers,
	}, nil
}

// replanned plans a version anew, from the commit that is at the head of the branch: had that changed the component, this version would not
// wait any more.
func (e *Engine) replanned(ctx context.Context, s *starting) (hash string, err error) {
	err = e.atCommit(ctx, s.followed, s.in.State.Commit, func(c *git.Commit, files Files) error {
		docs, err := e.linted(ctx, files)
		if err != nil {
			return err
		}
		now, err := e.boardOf(ctx, docs)
		if err != nil {
			return err
		}
		if now[s.Component].Digest != s.Digest {
			return fault.New(fault.Refused, "%.12s has another %s than %.12s", s.in.State.Commit, s.Component, s.Commit)
		}
		planned, err := e.planOf(ctx, docs, PlanRequest{
			Files: files, Component: s.Component, Version: s.Version, Pipeline: s.trigger.Spec.Pipeline, By: s.who(),
			Reason: commitReason(s.spec, s.Commit),
		})
		if err != nil {
			return err
		}
		hash = planned.Hash
		return nil
	})
	return hash, err
}

// reviewers are the people whose review of a commit counts as approval of its plan, by the names that they have here. None do where the
// Trigger does not say so, or where it cannot be told that all that is started was reviewed: then people approve as they do for any run.
func (e *Engine) reviewers(ctx context.Context, s *starting) ([]string, error) {
	asked := s.trigger.Spec.Asked()
	if asked == 0 || s.forge == nil {
		return nil, nil
	}
	files, c, err := e.treeOf(ctx, s.followed, s.in.State.Commit)
	if err != nil {
		return nil, err
	}
	if s.Commit != s.in.State.Commit || len(c.Parents) == 0 || c.Parents[0] != s.After {
		return nil, nil // several commits came at once: not all of them need have been reviewed
	}
	if err := e.rests(s.followed); err != nil {
		return nil, err
	}
	request, merged, err := s.forge.MergeOf(ctx, s.Commit, s.spec.Branch)
	if err != nil || !merged {
		return nil, e.heed(s.followed, err)
	}
	review, err := s.forge.Review(ctx, request.Number)
	if err = e.heed(s.followed, err); err != nil || len(review.Doubts) > 0 || len(review.Approved) < asked {
		return nil, err
	}
	only, err := e.mergesOnly(ctx, s.followed, files, review.Request.Head, s.After)
	if err != nil || !only {
		return nil, err
	}
	var names []string
	for _, p := range review.Approved {
		names = append(names, api.SourceSubject(s.name)+":"+p.Login)
	}
	return names, nil
}
