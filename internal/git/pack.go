package git

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/storage/memory"

	"sluice.dev/sluice/internal/fault"
)

// asking is a request for objects by the best ways that both sides know.
func (s *session) asking(wants ...plumbing.Hash) (*packp.UploadPackRequest, error) {
	req := packp.NewUploadPackRequestFromCapabilities(s.refs.Capabilities)
	req.Capabilities.Delete(capability.ThinPack) // it is read without what it builds on
	req.Capabilities.Delete(capability.MultiACK)
	req.Capabilities.Delete(capability.MultiACKDetailed)
	req.Wants = wants
	if s.refs.Capabilities.Supports(capability.NoProgress) {
		if err := req.Capabilities.Set(capability.NoProgress); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// askingFor is a request for one commit. It is fault.NotFound where the server does not give it.
func (s *session) askingFor(commit string) (*packp.UploadPackRequest, error) {
	hash := plumbing.NewHash(commit)
	if !s.offers(hash) {
		return nil, fault.New(fault.NotFound, "cannot read commit %.12s of %s: it is at the head of nothing there any more", commit,
			s.remote.at.URL)
	}
	return s.asking(hash)
}

// shallow has a request be for its commits alone, and not for what came before.
func (s *session) shallow(req *packp.UploadPackRequest) error {
	if !s.refs.Capabilities.Supports(capability.Shallow) {
		return fault.New(fault.Invalid, "cannot read %s: its server gives no part of a history", s.remote.at.URL)
	}
	req.Depth = packp.DepthCommits(1)
	return req.Capabilities.Set(capability.Shallow)
}

// filter leaves out of a request what a server can leave out, and reports whether it does.
func (s *session) filter(req *packp.UploadPackRequest, f packp.Filter) (bool, error) {
	if !s.refs.Capabilities.Supports(capability.Filter) {
		return false, nil
	}
	req.Filter = f
	return true, req.Capabilities.Set(capability.Filter)
}

// fetch stores the objects that a request is answered with. Nothing is stored of a pack before all of it is known to be within bounds:
// a few kilobytes of deltas may stand for any number of gigabytes.
func (s *session) fetch(ctx context.Context, req *packp.UploadPackRequest, into *memory.Storage) error {
	r := s.remote
	res, err := s.UploadPack(ctx, req)
	if err != nil {
		return r.failed(ctx, err)
	}
	defer res.Close()
	var from io.Reader = res
	switch {
	case req.Capabilities.Supports(capability.Sideband64k):
		from = sideband.NewDemuxer(sideband.Sideband64k, res)
	case req.Capabilities.Supports(capability.Sideband):
		from = sideband.NewDemuxer(sideband.Sideband, res)
	}
	pack, err := io.ReadAll(&limited{from, r.limits.Pack})
	if err != nil {
		return r.failed(ctx, err)
	}
	if err := r.weigh(pack); err != nil {
		return err
	}
	parser, err := packfile.NewParserWithStorage(packfile.NewScanner(bytes.NewReader(pack)), into)
	if err == nil {
		_, err = parser.Parse()
	}
	return fault.Wrap(fault.Invalid, err, "cannot read %s: what it sends is no pack of objects", r.at.URL)
}

// weigh is fault.Invalid where a pack stands for more than may be.
func (r *Remote) weigh(pack []byte) error {
	broken := func(err error) error {
		return fault.Wrap(fault.Invalid, err, "cannot read %s: what it sends is no pack of objects", r.at.URL)
	}
	scan := packfile.NewScanner(bytes.NewReader(pack))
	_, objects, err := scan.Header()
	if err != nil {
		return broken(err)
	}
	if int64(objects) > int64(r.limits.Objects) {
		return fault.New(fault.Invalid, "cannot read %s: it has %d objects, and may have %d", r.at.URL, objects, r.limits.Objects)
	}
	var all int64
	for range objects {
		header, err := scan.NextObjectHeader()
		if err != nil {
			return broken(err)
		}
		size := header.Length
		if size > r.limits.File {
			return r.tooLarge(size)
		}
		delta := header.Type == plumbing.OFSDeltaObject || header.Type == plumbing.REFDeltaObject
		begin := &beginning{}
		if _, _, err := scan.NextObject(begin); err != nil {
			return broken(err)
		}
		if delta {
			if size, err = begin.becomes(); err != nil {
				return broken(err)
			}
		}
		if size > r.limits.File {
			return r.tooLarge(size)
		}
		if all += size; all > r.limits.Bytes {
			return fault.New(fault.Invalid, "cannot read %s: unpacked it is larger than %d megabytes", r.at.URL, r.limits.Bytes>>20)
		}
	}
	return nil
}

func (r *Remote) tooLarge(size int64) error {
	return fault.New(fault.Invalid, "cannot read %s: it has a file of %d bytes, and may have none above %d", r.at.URL, size, r.limits.File)
}

// beginning keeps the first bytes of what is written to it.
type beginning struct {
	data [32]byte
	n    int
}

// Write keeps what there is room for, and lets go of the rest.
func (b *beginning) Write(p []byte) (int, error) {
	b.n += copy(b.data[b.n:], p)
	return len(p), nil
}

// becomes reads from a delta how large what it makes is: its second number, where the first is how large what it changes is.
func (b *beginning) becomes() (int64, error) {
	rest := b.data[:b.n]
	var size uint64
	for range 2 {
		size = 0
		for shift := 0; ; shift += 7 {
			if len(rest) == 0 || shift > 56 {
				return 0, errors.New("a delta does not say how large it is")
			}
			c := rest[0]
			rest = rest[1:]
			size |= uint64(c&0x7f) << shift
			if c&0x80 == 0 {
				break
			}
		}
	}
	if int64(size) < 0 {
		return 0, errors.New("a delta is larger than anything can be")
	}
	return int64(size), nil
}
