package engine

import (
	"context"
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/git"
	"sluice.dev/sluice/internal/markdown"
	"sluice.dev/sluice/pipelines"
)

// maxShownPlans is how many plans of one request are made and shown.
const maxShownPlans = 10

// ShowRequest lints and plans what a request would change, and shows it where it is reviewed: as one comment, which is edited, and as a
// status of its commit. What comes from somebody else's repository is not read: whoever sends it need not be known to anybody.
func (e *Engine) ShowRequest(ctx context.Context, in api.SourceShow) (api.SourceRequest, error) {
	out := in.Request
	out.Says, out.Error = "", ""
	f, err := e.source(ctx, in.Source)
	if err == nil {
		err = e.ready(f)
	}
	if err == nil && f.forge != nil {
		if err = e.rests(f); err == nil {
			out.Says, err = e.showRequest(ctx, f, in)
		}
		err = e.heed(f, err)
	}
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	if err != nil {
		out.Error = says(err)
	}
	return out, nil
}

// shown is what is said of a request.
type shown struct {
	standing forge.Standing
	says     string
	comment  string
}

func (e *Engine) showRequest(ctx context.Context, f *followed, in api.SourceShow) (string, error) {
	var s shown
	if in.Request.Fork {
		s = shown{standing: forge.Pending, says: "from a fork: it is not read; plan it by hand"}
		if f.spec.Forge.Kind == pipelines.GitLab { // where such a commit bears no status
			s.comment = "### No plan\n\nIt comes from a fork, and is not read: whoever may plan it does so by hand.\n"
		}
	} else {
		err := e.atCommit(ctx, f, in.Request.Head, func(c *git.Commit, files Files) (err error) {
			s, err = e.shownOf(ctx, f, in, files)
			return err
		})
		switch {
		case err != nil && transient(err):
			return "", err
		case err != nil:
			s = shown{forge.Failed, "it cannot be planned: " + err.Error(), fmt.Sprintf(
				"### It cannot be planned\n\n%s\n", markdown.Code(clip.Bytes(err.Error(), maxSourceText)))}
		}
	}
	if s.comment != "" {
		text := fmt.Sprintf("%s\n\nCommit %s, compared with %s at %s.\n", s.comment,
			markdown.Code(fmt.Sprintf("%.12s", in.Request.Head)), markdown.Code(f.spec.Branch), markdown.Code(fmt.Sprintf("%.12s", in.KnownAt)))
		if _, err := f.forge.Comment(ctx, in.Request.Number, "plan:"+in.Source, text); err != nil {
			return "", err
		}
	}
	if in.Request.Fork && f.spec.Forge.Kind == pipelines.GitLab {
		return s.says, nil
	}
	_, err := f.forge.SetStatus(ctx, in.Request.Head, forge.Status{
		Name: statusName(in.Source), Standing: s.standing, Says: s.says, Branch: in.Request.Branch,
	})
	return clip.Bytes(s.says, 200), err
}

// statusName is what the status of a Source is called. Each has its own: of two that read one repository, the one that looked last would
// have what it says stand for both.
func statusName(source string) string { return "sluice/plan/" + source }

// shownOf lints and plans what was read.
func (e *Engine) shownOf(ctx context.Context, f *followed, in api.SourceShow, files Files) (shown, error) {
	docs, err := e.linted(ctx, files)
	if err != nil {
		return shown{}, err
	}
	now, err := e.boardOf(ctx, docs)
	if err != nil {
		return shown{}, err
	}
	before := board{}
	if err := e.read(ctx, in.Known, &before); err != nil {
		return shown{}, err
	}
	changed := now.changed(before)
	if len(changed) == 0 {
		return shown{forge.Passed, "it changes no component", "### Nothing to plan\n\nIt changes no component.\n"}, nil
	}
	triggers, err := e.triggers(ctx, in.Source)
	if err != nil {
		return shown{}, err
	}
	out := shown{standing: forge.Passed}
	limit := commentLimit(f.spec.Forge.Kind) - 2000 // what stands around the plans
	var parts []string
	ready, refused := 0, 0
	for i, name := range changed {
		if i == maxShownPlans {
			parts = append(parts, fmt.Sprintf("### %s more, which are not planned here\n", api.Counted(len(changed)-i, "component")))
			break
		}
		pipeline := "" // it is shown as it would be run
		if t := (change{name: name, before: before[name], now: now[name], triggers: triggers}).trigger(); t != nil {
			pipeline = t.Spec.Pipeline
		}
		planned, err := e.planOf(ctx, docs, PlanRequest{
			Files: files, Component: name, Version: now[name].Version, Pipeline: pipeline, By: f.who(),
			Reason: fmt.Sprintf("request %d of %s", in.Request.Number, f.spec.Forge.Repository),
		})
		if err == nil && planned.TooBig != "" {
			err = fault.New(fault.Refused, "%s", planned.TooBig)
		}
		if err != nil && transient(err) {
			return shown{}, err
		}
		if err != nil {
			refused++
			why := markdown.Code(clip.Bytes(err.Error(), maxSourceText))
			parts = append(parts, fmt.Sprintf("### No plan of %s\n\n%s\n", markdown.Code(name), why))
			continue
		}
		if planned.Refused() != nil || len(planned.Undercuts) > 0 {
			refused++
		} else {
			ready++
		}
		text, err := planned.Shown(func(digest string) (string, error) { return e.Text(ctx, digest) }, e.options.Program)
		if err != nil {
			return shown{}, err
		}
		parts = append(parts, markdown.Plan(text, limit/min(len(changed), maxShownPlans)))
	}
	out.comment = strings.Join(parts, "\n---\n\n")
	out.says = api.Counted(ready, "plan") + " can run"
	if refused > 0 {
		out.standing, out.says = forge.Failed, fmt.Sprintf("%s refused, %s can run", api.Counted(refused, "plan"), api.Counted(ready, "other"))
	}
	return out, nil
}

func commentLimit(kind pipelines.ForgeKind) int {
	if kind == pipelines.GitLab {
		return markdown.GitLabNote
	}
	return markdown.GitHubComment
}
