package forge

import (
	"cmp"
	"context"
	"net/url"
	"slices"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
)

// Standing is how a commit stands by one who looked at it.
type Standing string

// How a commit can stand.
const (
	Pending Standing = "pending"
	Passed  Standing = "success"
	Failed  Standing = "failure"
	Errored Standing = "error" // it could not be looked at; GitLab shows it as failed
)

// Status is what is shown beside a commit, and may keep a request from being merged.
type Status struct {
	Name     string // by which it is told from others'; default sluice/plan
	Standing Standing
	Says     string // a few words; what is more than the forge takes is cut off
	URL      string // of what it is about; may be none
	// Branch is the one that has the commit, as GitLab shows statuses of a branch: without it GitLab takes the first that it finds, and a
	// commit that is only in a fork is fault.NotFound. GitHub has no use for it.
	Branch string
}

// Bounds on a status.
const (
	maxStatusName = 100
	maxStatusURL  = 255
	maxSaysGitHub = 140
	maxSaysGitLab = 255
)

// statusName is what a status is called where nobody calls it otherwise.
const statusName = "sluice/plan"

// SetStatus has a commit bear a status. One that it bears already is left as it is.
func (r *Repository) SetStatus(ctx context.Context, commit string, s Status) (Done, error) {
	s.Name = cmp.Or(s.Name, statusName)
	if err := r.fits(commit, s); err != nil {
		return "", err
	}
	s.Says = clip.Runes(s.Says, map[Kind]int{GitHub: maxSaysGitHub, GitLab: maxSaysGitLab}[r.at.Kind])
	if r.at.Kind == GitLab && s.Standing == Errored {
		s.Standing = Failed
	}
	if r.at.Kind == GitHub {
		s.Branch = ""
	}
	was, err := r.api.statuses(ctx, commit, s)
	if err != nil {
		return "", err
	}
	if slices.Contains(was, s) {
		return Unchanged, nil
	}
	if err := r.api.set(ctx, commit, s); err != nil {
		return "", err
	}
	if len(was) > 0 {
		return Edited, nil
	}
	return Created, nil
}

func (r *Repository) fits(commit string, s Status) error {
	cannot := func(why string, args ...any) error {
		return fault.New(fault.Invalid, "cannot set status %.100q in %s: "+why, append([]any{s.Name, r.at.Repository}, args...)...)
	}
	switch {
	case !commitID.MatchString(commit):
		return cannot("%.100q is no commit", commit)
	case s.Branch != "" && !isBranch(s.Branch):
		return cannot("%.100q is no branch", s.Branch)
	case len(s.Name) > maxStatusName:
		return cannot("its name is longer than %d bytes", maxStatusName)
	case !slices.Contains([]Standing{Pending, Passed, Failed, Errored}, s.Standing):
		return cannot("%.100q is no way to stand", s.Standing)
	}
	if s.URL == "" {
		return nil
	}
	if u, err := url.Parse(s.URL); err != nil || len(s.URL) > maxStatusURL || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return cannot("what it leads to is no URL of at most %d bytes", maxStatusURL)
	}
	return nil
}
