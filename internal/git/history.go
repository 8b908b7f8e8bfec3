package git

import (
	"context"
	"errors"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/storage/memory"
)

// GoesOn reports whether a commit goes on from an earlier one: whether nobody has taken that out of the history. What is between the two
// is fetched, within the bounds of a repository; where it is more than that, it cannot be told, which is fault.Invalid.
func (r *Remote) GoesOn(ctx context.Context, commit, from string) (bool, error) {
	if commit == from {
		return true, nil
	}
	store, err := r.since(ctx, commit, from)
	if err != nil {
		return false, err
	}
	return reaches(store, plumbing.NewHash(commit), plumbing.NewHash(from))
}

// OnTheWay lists the commits that a branch had between two of its own, the oldest first: those that were merged into it were not its heads.
// Of more than most it has the newest. Where the later one does not go on from the other there are none.
func (r *Remote) OnTheWay(ctx context.Context, commit, from string, most int) (all []string, err error) {
	if commit == from {
		return nil, nil
	}
	store, err := r.since(ctx, commit, from)
	if err != nil {
		return nil, err
	}
	before := plumbing.NewHash(from)
	for at := plumbing.NewHash(commit); ; {
		c, err := object.GetCommit(store, at)
		switch {
		case errors.Is(err, plumbing.ErrObjectNotFound) || err == nil && len(c.ParentHashes) == 0:
			return nil, nil
		case err != nil:
			return nil, err
		}
		if at = c.ParentHashes[0]; at == before {
			slices.Reverse(all)
			return all, nil
		}
		if len(all) < most {
			all = append(all, at.String())
		}
	}
}

// since fetches the commits that one has and an earlier one has not, without what is in them.
func (r *Remote) since(ctx context.Context, commit, from string) (*memory.Storage, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limits.Time)
	defer cancel()
	s, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	req, err := s.askingFor(commit)
	if err != nil {
		return nil, err
	}
	req.Haves = []plumbing.Hash{plumbing.NewHash(from)}
	if _, err := s.filter(req, packp.FilterTreeDepth(0)); err != nil {
		return nil, err
	}
	store := memory.NewStorage()
	return store, s.fetch(ctx, req, store)
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
