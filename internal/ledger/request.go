package ledger

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// Request is something that somebody has asked a server to do, under a key of his own.
type Request struct {
	Who    string
	Key    string
	Digest string    // of what is asked for
	Begun  time.Time // somebody began to do it
	Ended  time.Time // zero while nobody knows what has come of it
	Answer string    // blob digest
}

// KeptRequests is how long a request is remembered: whoever asks again later asks anew.
const KeptRequests = 24 * time.Hour

// Requests keeps what was asked for under keys, so that it is done once however often it is sent.
type Requests interface {
	// BeginRequest stores a request, and returns it; the one that is stored, where the key is that of an earlier one, and new is false
	// then. It is Conflict where that one asks for something else. Those that began longer than KeptRequests before are forgotten.
	BeginRequest(ctx context.Context, r Request) (stored Request, new bool, err error)
	// EndRequest stores what has come of a request. One without an answer is forgotten: it may be sent again.
	EndRequest(ctx context.Context, r Request) error
}

// Check is Invalid where a request is by nobody, or has no key.
func (r Request) Check() error {
	return required("request", "who", r.Who, "key", r.Key, "digest", r.Digest)
}

// CheckSame is Conflict where a key stands for something else already.
func (r Request) CheckSame(stored Request) error {
	if r.Digest == stored.Digest {
		return nil
	}
	return fault.New(fault.Conflict, "the key was sent before, at %s, for something else: each request needs a key of its own",
		stored.Begun.UTC().Format(time.RFC3339))
}
