package server

import (
	"context"
	"errors"
	"os"
	"sync"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/bundle"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
)

// Bounds on what is sent beside the documents, and on how much of it is read at once.
const (
	maxOrigin = 4096 // bytes of a part
	readers   = 2    // what each has in memory may be 400 MB
)

// sent has what somebody has sent be read from a folder of its own, which is gone afterwards. The archive is dropped once it is there.
func (s *server) sent(ctx context.Context, sent *wire.Sent, read func(engine.Files) error) error {
	from := sent.Origin
	if from == nil {
		from = &api.Origin{}
	}
	if max(len(from.Repository), len(from.Commit), len(from.Path)) > maxOrigin {
		return fault.New(fault.Invalid, "cannot read what was sent: it says more than %d bytes of where it comes from", maxOrigin)
	}
	select {
	case s.reading <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := sync.OnceFunc(func() {
		<-s.reading
		leavePlace(ctx)
	})
	defer done()
	dir, err := os.MkdirTemp("", "sluice-")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot keep what was sent")
	}
	err = bundle.Unpack(sent.Archive, dir)
	sent.Archive = nil
	if err == nil {
		err = read(engine.Files{Paths: sent.Paths, Root: dir, Origin: from, Read: done})
	}
	done() // taking it away needs no turn, whatever came of it
	return errors.Join(err, fault.Wrap(fault.Internal, os.RemoveAll(dir), "cannot take away what was sent"))
}
