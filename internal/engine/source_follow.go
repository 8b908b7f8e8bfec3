package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/git"
	"sluice.dev/sluice/pipelines"
)

// FollowSource says what comes of a commit at the head of a branch: it is verified, linted, and each component that it changed is planned,
// where a Trigger of the Source is about it. What may be started then waits for it. The first commit of all is only noted: what was merged
// before anybody followed has run, or was not meant to.
func (e *Engine) FollowSource(ctx context.Context, in api.SourceFollow) (api.SourceFollowed, error) {
	out := api.SourceFollowed{Waiting: in.State.Waiting, Runs: in.State.Runs}
	f, err := e.source(ctx, in.Source)
	if err == nil {
		err = e.ready(f)
	}
	if err == nil {
		err = e.atCommit(ctx, f, in.Head, func(c *git.Commit, files Files) error {
			if f.spec.Verify != nil {
				if _, err := c.Verify(f.spec.Verify.Signers); err != nil {
					return err
				}
			}
			return e.followed(ctx, f, in, files, &out)
		})
	}
	if err == nil {
		if wrong := e.onTheWay(ctx, f, in); len(wrong) > 0 {
			out.Error = clipped(wrong, "") // with the head, which is followed all the same
		}
	}
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	if err != nil {
		out.Error, out.Again = says(err), transient(err)
	}
	return out, nil
}

// followed plans what a commit that was read has changed.
func (e *Engine) followed(ctx context.Context, f *followed, in api.SourceFollow, files Files, out *api.SourceFollowed) error {
	docs, err := e.linted(ctx, files)
	if err != nil {
		return err
	}
	now, err := e.boardOf(ctx, docs)
	if err != nil {
		return err
	}
	known, err := e.keepBlob(ctx, now)
	if err != nil {
		return err
	}
	if in.State.Known == "" {
		out.Known, out.Did = known, fmt.Sprintf("first look: %s noted, and nothing planned", api.Counted(len(now), "component"))
		return nil
	}
	before := board{}
	if err := e.read(ctx, in.State.Known, &before); err != nil {
		return err
	}
	triggers, err := e.triggers(ctx, in.Source)
	if err != nil {
		return err
	}
	changed := now.changed(before)
	if len(changed) > maxSourceChanges {
		out.Known = known
		return fault.New(fault.Refused, "cannot plan %.12s: it changes %d components, and may change %d at once; plan them by hand",
			in.Head, len(changed), maxSourceChanges)
	}
	var did, wrong []string
	for _, name := range changed {
		c := change{f, in, files, docs, name, before[name], now[name], triggers}
		paused, err := e.reverted(ctx, c, out)
		if err != nil {
			return err
		}
		did = append(did, paused...)
		said, err := e.planned(ctx, c, out)
		if err != nil && transient(err) {
			return err
		}
		if err != nil {
			wrong = append(wrong, name+": "+err.Error())
			continue
		}
		did = append(did, said)
	}
	gone, err := e.vanished(ctx, change{followed: f, in: in, triggers: triggers}, now, out)
	if err != nil {
		return err
	}
	did = append(did, gone...)
	out.Known, out.Did = known, clipped(did, "no component has changed")
	if len(wrong) > 0 {
		return fault.New(fault.Refused, "%s", strings.Join(wrong, "; "))
	}
	return nil
}

// change is a component that a commit has changed.
type change struct {
	*followed
	in          api.SourceFollow
	files       Files
	docs        *pipelines.Documents
	name        string
	before, now boardEntry // before is zero where it was not there
	triggers    []*pipelines.Trigger
}

// trigger is the first that answers to the change; nil where none does.
func (c change) trigger() *pipelines.Trigger {
	for _, t := range c.triggers {
		if !t.Spec.Components.Matches(c.now.Labels, c.name) {
			continue
		}
		if t.Spec.On != pipelines.OnImage || c.before.Rest == c.now.Rest {
			return t
		}
	}
	return nil
}

// planned plans a change, and has it wait for its start where its Trigger says so. It says what it did.
func (e *Engine) planned(ctx context.Context, c change, out *api.SourceFollowed) (string, error) {
	what := c.name + " " + c.now.Version
	out.Waiting = slices.DeleteFunc(slices.Clone(out.Waiting), func(w api.SourceStart) bool { return w.Component == c.name })
	t := c.trigger()
	if t == nil {
		return what + ": no Trigger is about it", nil
	}
	if i := slices.IndexFunc(out.Runs, func(r api.SourceRun) bool { return r.Component == c.name }); i >= 0 {
		switch r := out.Runs[i]; c.now.Digest {
		case r.Digest:
			return fmt.Sprintf("%s: %s is open, and brings it already", what, r.Run), nil
		case r.Was:
			return what + ": it is what it was before " + r.Run, nil
		}
	}
	planned, err := e.planOf(ctx, c.docs, PlanRequest{
		Files: c.files, Component: c.name, Version: c.now.Version, Pipeline: t.Spec.Pipeline, By: c.who(), Reason: c.reason(),
	})
	if err != nil {
		return "", err
	}
	what += fmt.Sprintf(": plan %.12s", planned.Hash)
	switch state := planned.State(); {
	case planned.TooBig != "":
		return "", fault.New(fault.Refused, "%s", planned.TooBig)
	case state == PlanRefused:
		return "", fault.Wrap(fault.Refused, planned.Refused(), "%s cannot run", what)
	case state == PlanUnseen:
		return "", fault.New(fault.Unreachable, "%s: nobody could look at its clusters", what)
	case state == PlanDone:
		return what + " has nothing to do", nil
	case !t.Spec.Run:
		return what + ", which a person starts: Trigger " + t.Metadata.Name + " only plans", nil
	}
	if len(planned.Undercuts) > 0 {
		return "", fault.New(fault.Refused, "%s cannot run: %s", what, strings.Join(planned.RefusedByPolicy(), "; "))
	}
	out.Waiting = append(out.Waiting, api.SourceStart{
		Component: c.name, Version: c.now.Version, Digest: c.now.Digest, Was: c.before.Digest, Commit: c.in.Head, After: c.in.State.KnownAt,
		Trigger: t.Metadata.Name, Plan: planned.Hash,
	})
	slices.SortFunc(out.Waiting, func(a, b api.SourceStart) int { return strings.Compare(a.Component, b.Component) })
	return what + ", to be started", nil
}

// reason is why a plan of a commit is made and started.
func (c change) reason() string { return commitReason(c.spec, c.in.Head) }

func commitReason(s *pipelines.GitSourceSpec, commit string) string {
	return fmt.Sprintf("commit %.12s on %s of %s", commit, s.Branch, s.URL)
}

// reverted pauses an open run whose component is on the branch what it was before: what it brings is not wanted any more. A person says
// whether it goes back. It says what it did, and is an error where the same is to be tried again.
func (e *Engine) reverted(ctx context.Context, c change, out *api.SourceFollowed) (did []string, err error) {
	out.Runs = slices.Clone(out.Runs)
	for i := range out.Runs {
		r := &out.Runs[i]
		if r.Component != c.name || r.Was != c.now.Digest || r.Paused {
			continue
		}
		why := fmt.Sprintf("%s takes back what it brings: %s is again what it was before", commitReason(c.spec, c.in.Head), c.name)
		_, err := e.Command(ctx, r.Run, api.UpdatePause, api.Command{Who: c.who(), Reason: why})
		if err != nil && transient(err) {
			return nil, err
		}
		if err != nil {
			did = append(did, fmt.Sprintf("cannot pause %s, whose commit was reverted: %.200s", r.Run, err))
			continue
		}
		r.Paused = true
		did = append(did, fmt.Sprintf("%s is paused: its commit was reverted", r.Run))
	}
	return did, nil
}

// vanished drops what waits of components that the branch has no more, and pauses the runs that brought them there for the first time. It
// says what it did, and is an error where the same is to be tried again.
func (e *Engine) vanished(ctx context.Context, c change, now board, out *api.SourceFollowed) (did []string, err error) {
	var waits []api.SourceStart
	for _, w := range out.Waiting {
		if _, there := now[w.Component]; there {
			waits = append(waits, w)
			continue
		}
		did = append(did, fmt.Sprintf("%s %s is not started: %s has no %s any more", w.Component, w.Version, c.spec.Branch, w.Component))
	}
	out.Waiting = waits
	for _, r := range slices.Clone(out.Runs) {
		if _, there := now[r.Component]; !there {
			c.name = r.Component
			paused, err := e.reverted(ctx, c, out)
			if err != nil {
				return nil, err
			}
			did = append(did, paused...)
		}
	}
	return did, nil
}

// clipped joins what was done, within bounds.
func clipped(did []string, none string) string {
	if len(did) == 0 {
		return none
	}
	return says(fault.New(fault.Internal, "%s", strings.Join(did, "; ")))
}
