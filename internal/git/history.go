package git

import (
	"context"
	"errors"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/storage/memory"

	"sluice.dev/sluice/internal/fault"
)

// GoesOn reports whether a commit goes on from an earlier one: whether nobody has taken that out of the history. What is between the two
// is fetched, within the bounds of a repository; where it is more than that, it cannot be told, which is fault.Invalid.
func (r *Remote) GoesOn(ctx context.Context, commit, from string) (bool, error) {
	if commit == from {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.limits.Time)
	defer cancel()
	s, err := r.open(ctx)
	if err != nil {
		return false, err
	}
	defer s.close()
	head, before := plumbing.NewHash(commit), plumbing.NewHash(from)
	if !s.offers(head) {
		return false, fault.New(fault.NotFound, "cannot read commit %.12s of %s: it is at the head of nothing there any more", commit, r.at.URL)
	}
	req, err := s.asking(head)
	if err != nil {
		return false, err
	}
	req.Haves = []plumbing.Hash{before}
	if _, err := s.filter(req, packp.FilterTreeDepth(0)); err != nil {
		return false, err
	}
	store := memory.NewStorage()
	if err := s.fetch(ctx, req, store); err != nil {
		return false, err
	}
	return reaches(store, head, before)
}

// reaches follows parents through the commits that are there.
func reaches(store *memory.Storage, head, before plumbing.Hash) (bool, error) {
	seen := map[plumbing.Hash]bool{head: true}
	for todo := []plumbing.Hash{head}; len(todo) > 0; todo = todo[1:] {
		c, err := object.GetCommit(store, todo[0])
		switch {
		case errors.Is(err, plumbing.ErrObjectNotFound):
			continue // it is from before what was asked for
		case err != nil:
			return false, err
		}
		for _, p := range c.ParentHashes {
			if p == before {
				return true, nil
			}
			if !seen[p] {
				seen[p] = true
				todo = append(todo, p)
			}
		}
	}
	return false, nil
}
