package server

import (
	"errors"
	"os"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/bundle"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
)

// sent has what somebody has sent be read from a folder of its own, which is gone afterwards.
func sent(s wire.Sent, read func(engine.Files) error) error {
	dir, err := os.MkdirTemp("", "sluice-")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot keep what was sent")
	}
	err = bundle.Unpack(s.Archive, dir)
	if err == nil {
		from := s.Origin
		if from == nil {
			from = &api.Origin{}
		}
		err = read(engine.Files{Paths: s.Paths, Root: dir, Origin: from})
	}
	return errors.Join(err, fault.Wrap(fault.Internal, os.RemoveAll(dir), "cannot take away what was sent"))
}
