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

// once does what an operation asks for; where it changes something, once under its key. Sent again it has the answer that it had; what came
// to nothing may be sent again. Where the server was killed before it could answer, what may be done again is: it finds what it has done.
func once[In, Out any](
	ctx context.Context, s *server, op wire.Operation[In, Out], in *In, do func(context.Context, *In) (Out, error),
) (out Out, err error) {
	key := keyOf(in)
	if !op.Mutates() || key == "" || s.Requests == nil {
		return do(ctx, in)
	}
	asked, err := json.Marshal(in)
	if err != nil {
		return out, fault.Wrap(fault.Internal, err, "cannot tell what is asked for")
	}
	sum := sha256.Sum256(append([]byte(op.ID+" "), asked...))
	request := ledger.Request{Who: name(ctx), Key: key, Digest: hex.EncodeToString(sum[:]), Begun: s.Clock.Now().UTC()}
	stored, isNew, err := s.Requests.BeginRequest(ctx, request)
	if err != nil {
		return out, err
	}
	switch {
	case stored.Answer != "":
		data, err := s.Requests.Blob(ctx, stored.Answer)
		if err == nil {
			err = json.Unmarshal(data, &out)
		}
		return out, fault.Wrap(fault.Internal, err, "cannot read what was answered before")
	case !isNew && !op.Again:
		return out, fault.New(fault.Conflict, "the same request began at %s, and is not answered: it is being done, or who did it was killed; "+
			"look whether it is there, and else send it under another key", stored.Begun.UTC().Format(time.RFC3339))
	}
	// Whoever asked may be gone by now; what was begun is brought to its end all the same.
	if out, err = do(context.WithoutCancel(ctx), in); err == nil {
		var data []byte
		if data, err = json.Marshal(out); err == nil {
			if request.Answer, err = s.Requests.PutBlob(ctx, data); err == nil {
				request.Ended = s.Clock.Now().UTC()
			}
		}
		if err != nil {
			// It is done, and only its answer cannot be kept.
			s.Logger.Error("cannot keep an answer", "operation", op.ID, "error", err)
			return out, nil
		}
	}
	ended := s.Requests.EndRequest(context.WithoutCancel(ctx), request)
	if err != nil {
		return out, err
	}
	if ended != nil {
		s.Logger.Error("cannot keep an answer", "operation", op.ID, "error", ended)
	}
	return out, nil
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
