package engine

import (
	"context"
	"fmt"

	"sluice.dev/sluice/internal/git"
	"sluice.dev/sluice/internal/ledger"
)

// tree is what stands at each path of a commit, by its digest.
type tree map[string]string

// treeOf reads a commit.
func (e *Engine) treeOf(ctx context.Context, f *followed, commit string) (tree, *git.Commit, error) {
	select {
	case e.reading <- struct{}{}:
		defer func() { <-e.reading }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	read, err := f.remote.Read(ctx, commit)
	if err != nil {
		return nil, nil, err
	}
	all := make(tree, len(read.Files))
	for _, file := range read.Files {
		all[file.Path] = fmt.Sprintf("%t %q %s", file.Executable, file.Link, ledger.Digest(file.Data))
	}
	read.Files = nil
	return all, read, nil
}

// beside lists the paths at which one tree is not as another.
func (t tree) beside(other tree) (paths []string) {
	for at := range t {
		if t[at] != other[at] {
			paths = append(paths, at)
		}
	}
	for at := range other {
		if _, there := t[at]; !there {
			paths = append(paths, at)
		}
	}
	return paths
}

// mergesOnly reports whether each file of a merge is as it was proposed, or as it was on the branch before. A forge takes for the merge of
// a request what somebody has merged by hand and pushed too, whatever else he put into it; and a file that both sides have changed nobody
// has seen as it is now. Where a commit is not to be had it cannot be told.
func (e *Engine) mergesOnly(ctx context.Context, f *followed, merged tree, proposed, before string) (bool, error) {
	head, _, err := e.treeOf(ctx, f, proposed)
	if err != nil {
		return false, unlessLater(err)
	}
	others := merged.beside(head)
	if len(others) == 0 {
		return true, nil
	}
	was, _, err := e.treeOf(ctx, f, before)
	if err != nil {
		return false, unlessLater(err)
	}
	for _, at := range others {
		if merged[at] != was[at] {
			return false, nil
		}
	}
	return true, nil
}

// unlessLater is an error only where the same may come out otherwise later.
func unlessLater(err error) error {
	if transient(err) {
		return err
	}
	return nil
}
