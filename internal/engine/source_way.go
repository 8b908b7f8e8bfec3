package engine

import (
	"context"
	"fmt"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/git"
)

const (
	// maxOnTheWay is how many commits between two heads are linted; of more those that came last.
	maxOnTheWay = 10
	// wayWithin is how long that may take. A template that never ends is left then: it must not keep the head from being followed.
	wayWithin = time.Minute
)

// onTheWay says which commits do not lint that came with the head of a branch at one time. Nothing comes of them: the head is what is
// followed, and who looks for what broke something finds it said of the commit that did. A server that gives no commit but heads is not
// asked for others.
func (e *Engine) onTheWay(ctx context.Context, f *followed, in api.SourceFollow) (wrong []string) {
	if in.State.Commit == "" || in.State.Commit == in.Head {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, wayWithin)
	defer cancel()
	said := make(chan string, maxOnTheWay) // one of each at the most: nobody waits to say it
	go func() {
		defer close(said)
		e.lintOnTheWay(ctx, f, in, said)
	}()
	for {
		select {
		case text, more := <-said:
			if !more {
				return wrong
			}
			wrong = append(wrong, text)
		case <-ctx.Done():
			return wrong
		}
	}
}

func (e *Engine) lintOnTheWay(ctx context.Context, f *followed, in api.SourceFollow, said chan<- string) {
	way, err := f.remote.OnTheWay(ctx, in.Head, in.State.Commit, maxOnTheWay)
	if err != nil {
		return
	}
	for _, commit := range way {
		err := e.atCommit(ctx, f, commit, func(_ *git.Commit, files Files) error {
			_, err := e.linted(ctx, files)
			return err
		})
		switch fault.CodeOf(err) {
		case "", fault.NotFound:
		case fault.Invalid:
			said <- fmt.Sprintf("commit %.12s on the way does not lint: %.200s", commit, err)
		default:
			return // the server does not answer any more: the head decides
		}
	}
}
