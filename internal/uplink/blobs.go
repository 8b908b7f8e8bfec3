package uplink

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// partBytes is how much of a blob one message has.
const partBytes = 1 << 20

// part is some of a blob.
type part struct {
	Data []byte `json:"data"`
}

// blobAsked names a blob.
type blobAsked struct {
	Digest string `json:"digest"`
}

// blobKept is what an upload is answered with.
type blobKept = blobAsked

var (
	readBlob = grpc.StreamDesc{StreamName: "Blob", ServerStreams: true}
	putBlob  = grpc.StreamDesc{StreamName: "PutBlob", ClientStreams: true}
)

// Blob reads a blob of the server. What comes is held against its digest.
func Blob(ctx context.Context, server grpc.ClientConnInterface, digest string) ([]byte, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	stream, err := server.NewStream(ctx, &readBlob, "/"+service+"/"+readBlob.StreamName, grpc.CallContentSubtype(jsonCodec))
	if err != nil {
		return nil, FromStatus(err)
	}
	if err := errors.Join(stream.SendMsg(blobAsked{digest}), stream.CloseSend()); err != nil {
		return nil, ended(stream, err)
	}
	data, err := gather(stream)
	if err != nil {
		return nil, FromStatus(err)
	}
	if ledger.Digest(data) != digest {
		return nil, fault.New(fault.Internal, "cannot read blob %s: the server sent another one", digest)
	}
	return data, nil
}

// PutBlob has the server keep a blob.
func PutBlob(ctx context.Context, server grpc.ClientConnInterface, data []byte) (string, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	stream, err := server.NewStream(ctx, &putBlob, "/"+service+"/"+putBlob.StreamName, grpc.CallContentSubtype(jsonCodec))
	if err != nil {
		return "", FromStatus(err)
	}
	if err := scatter(stream, data); err != nil {
		return "", ended(stream, err)
	}
	if err := stream.CloseSend(); err != nil {
		return "", ended(stream, err)
	}
	var kept blobKept
	return kept.Digest, FromStatus(receive(stream, &kept))
}

func receive(stream grpc.ClientStream, kept *blobKept) error { return stream.RecvMsg(kept) }

// ended is why a stream takes nothing more: the other side says it where it has ended it.
func ended(stream grpc.ClientStream, err error) error {
	if errors.Is(err, io.EOF) {
		err = stream.RecvMsg(&part{})
	}
	return FromStatus(err)
}

type receiver interface{ RecvMsg(any) error }

type sender interface{ SendMsg(any) error }

// gather reads parts to their end.
func gather(from receiver) ([]byte, error) {
	var all bytes.Buffer
	for {
		var p part
		switch err := from.RecvMsg(&p); {
		case errors.Is(err, io.EOF):
			return all.Bytes(), nil
		case err != nil:
			return nil, err
		}
		if all.Len()+len(p.Data) > ledger.MaxBlob {
			return nil, ToStatus(fault.New(fault.Invalid, "a blob has more than %d bytes", ledger.MaxBlob))
		}
		all.Write(p.Data)
	}
}

// scatter sends data in parts.
func scatter(to sender, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), partBytes)
		if err := to.SendMsg(part{data[:n]}); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// Blobs is what keeps blobs for those who call. Place is asked before a blob is taken into memory, and left afterwards.
type Blobs interface {
	Blob(ctx context.Context, digest string) ([]byte, error)
	PutBlob(ctx context.Context, data []byte) (string, error)
	Place(ctx context.Context) (leave func(), err error)
}

// mostWaits bounds how long a blob is under way, in times that one part may take.
const mostWaits = 30

// moving is a stream that says when a part has come or gone.
type moving struct {
	grpc.ServerStream
	moved chan struct{}
}

// RecvMsg implements grpc.ServerStream.
func (m moving) RecvMsg(msg any) error { return m.note(m.ServerStream.RecvMsg(msg)) }

// SendMsg implements grpc.ServerStream.
func (m moving) SendMsg(msg any) error { return m.note(m.ServerStream.SendMsg(msg)) }

func (m moving) note(err error) error {
	select {
	case m.moved <- struct{}{}:
	default:
	}
	return err
}

// timely moves parts over a stream, and gives up where one of them takes too long: others wait for the place.
func timely(stream grpc.ServerStream, part time.Duration, move func(grpc.ServerStream) error) error {
	ended, moved := make(chan error, 1), make(chan struct{}, 1)
	go func() { ended <- move(moving{stream, moved}) }() // it ends with the stream, and so with the handler
	next, last := time.NewTimer(part), time.NewTimer(mostWaits*part)
	defer next.Stop()
	defer last.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-moved:
			next.Reset(part)
			continue
		case <-next.C:
		case <-last.C:
		}
		return ToStatus(fault.New(fault.Unreachable, "a blob takes too long: a part of it has to pass within %s, and the whole within %s",
			part, mostWaits*part))
	}
}

// HandleBlobs answers those who read and store blobs. A part of one has to pass within a while.
func HandleBlobs(s *Service, blobs Blobs, within time.Duration) {
	read, put := readBlob, putBlob
	read.Handler = func(_ any, stream grpc.ServerStream) error {
		var asked blobAsked
		if err := stream.RecvMsg(&asked); err != nil {
			return err
		}
		leave, err := blobs.Place(stream.Context())
		if err != nil {
			return ToStatus(err)
		}
		defer leave()
		data, err := blobs.Blob(stream.Context(), asked.Digest)
		if err != nil {
			return ToStatus(err)
		}
		return timely(stream, within, func(to grpc.ServerStream) error { return scatter(to, data) })
	}
	put.Handler = func(_ any, stream grpc.ServerStream) error {
		leave, err := blobs.Place(stream.Context())
		if err != nil {
			return ToStatus(err)
		}
		defer leave()
		var data []byte
		err = timely(stream, within, func(from grpc.ServerStream) (err error) {
			data, err = gather(from)
			return err
		})
		if err != nil {
			return err
		}
		digest, err := blobs.PutBlob(stream.Context(), data)
		if err != nil {
			return ToStatus(err)
		}
		return stream.SendMsg(blobKept{digest})
	}
	s.desc.Streams = append(s.desc.Streams, read, put)
}
