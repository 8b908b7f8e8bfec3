package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/wire"
)

// Requests keeps what was asked for under keys. It is a part of the ledger.
type Requests interface {
	ledger.Requests
	PutBlob(ctx context.Context, data []byte) (digest string, err error)
	Blob(ctx context.Context, digest string) ([]byte, error)
}

// once does what an operation asks for; where it changes something, once under its key. What comes out the same is done again, and finds
// what it has done; the rest has the answer that it had. What came to nothing may be sent again.
func once[In, Out any](
	ctx context.Context, s *server, op wire.Operation[In, Out], in *In, do func(context.Context, *In) (Out, error),
) (out Out, err error) {
	key := keyOf(in)
	if op.Mutates() {
		// Whoever asks may go while it is done: what is begun is brought to its end all the same.
		ctx = context.WithoutCancel(ctx)
	}
	if !op.Mutates() || key == "" || s.Requests == nil {
		return do(ctx, in)
	}
	asked, err := json.Marshal(in)
	if err != nil {
		return out, fault.Wrap(fault.Internal, err, "cannot tell what is asked for")
	}
	sum := sha256.New()
	_, _ = sum.Write([]byte(op.ID + " "))
	_, _ = sum.Write(asked) // which may be large, and is not copied
	request := ledger.Request{Who: name(ctx), Key: key, Digest: hex.EncodeToString(sum.Sum(nil)), Begun: s.Clock.Now().UTC()}
	stored, isNew, err := s.Requests.BeginRequest(ctx, request)
	switch {
	case err != nil:
		return out, err
	case op.Again:
		return do(ctx, in)
	case stored.Answer != "":
		data, err := s.Requests.Blob(ctx, stored.Answer)
		if err == nil {
			err = json.Unmarshal(data, &out)
		}
		return out, fault.Wrap(fault.Internal, err, "cannot read what was answered before")
	case !isNew:
		return out, fault.New(fault.Conflict, "the same request began at %s, and is not answered: it is being done, or who did it was killed; "+
			"look whether it is there, and else send it under another key", stored.Begun.UTC().Format(time.RFC3339))
	}
	if out, err = do(ctx, in); err == nil {
		if request.Answer, request.Ended = s.keep(ctx, out), s.Clock.Now().UTC(); request.Answer == "" {
			return out, nil // it is done; sent again, it is said that nobody knows
		}
	}
	if ended := s.Requests.EndRequest(ctx, request); ended != nil {
		s.Logger.Error("cannot note what has come of a request", "operation", op.ID, "error", ended)
	}
	return out, err
}

// keep stores an answer, and returns its digest; "" where it cannot be stored.
func (s *server) keep(ctx context.Context, out any) string {
	data, err := json.Marshal(out)
	if err == nil {
		var digest string
		if digest, err = s.Requests.PutBlob(ctx, data); err == nil {
			return digest
		}
	}
	s.Logger.Error("cannot keep an answer", "error", err)
	return ""
}

// keyOf is the key that was sent; "" where there is none.
func keyOf(in any) string {
	field := reflect.ValueOf(in).Elem().FieldByName("Key")
	if !field.IsValid() {
		return ""
	}
	if key, ok := field.Interface().(wire.Key); ok {
		return key.Key
	}
	return ""
}

// requestOf is what a request is called in the ledger; "" where it has no key.
func requestOf(ctx context.Context, key wire.Key) string {
	if key.Key == "" {
		return ""
	}
	return name(ctx) + " " + key.Key
}
