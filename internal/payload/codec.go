package payload

import (
	"errors"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
)

// Encoding is what an encrypted payload says of itself.
const Encoding = "binary/sluice-aes-256-gcm"

// keyID is the metadata that names the key of a payload.
const keyID = "sluice-key"

// ErrUnread is what errors are that tell of an encrypted payload that cannot be read here.
var ErrUnread = errors.New("it cannot be read here")

var _ converter.PayloadCodec = (*Ring)(nil)

// Encode implements converter.PayloadCodec: it encrypts whole payloads, with what they say of themselves.
func (r *Ring) Encode(plain []*commonpb.Payload) ([]*commonpb.Payload, error) {
	if !r.Encrypts() {
		return plain, nil
	}
	first := r.keys[0]
	all := make([]*commonpb.Payload, len(plain))
	for i, p := range plain {
		data, err := proto.Marshal(p)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "cannot encrypt a payload")
		}
		all[i] = &commonpb.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(Encoding), keyID: []byte(first.id)},
			Data:     first.box.Seal(nil, nil, data, bound(first.id)),
		}
	}
	return all, nil
}

// Decode implements converter.PayloadCodec. Payloads that are not encrypted come back as they are. The error of one that cannot be read
// is ErrUnread; it names the key, and has nothing of the payload.
func (r *Ring) Decode(encoded []*commonpb.Payload) ([]*commonpb.Payload, error) {
	all := make([]*commonpb.Payload, len(encoded))
	for i, p := range encoded {
		all[i] = p
		if string(p.GetMetadata()[converter.MetadataEncoding]) != Encoding {
			continue
		}
		id := string(p.GetMetadata()[keyID])
		k := r.key(id)
		if k == nil {
			return nil, unread("its key %q is none of those here (%s)", clip.Bytes(id, 100), r.names())
		}
		data, err := k.box.Open(nil, nil, p.GetData(), bound(id))
		if err != nil {
			return nil, unread("key %s does not open it: it was changed, or another key has the same id", id)
		}
		all[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(data, all[i]); err != nil {
			return nil, unread("what key %s opens is no payload", id)
		}
	}
	return all, nil
}

// bound is what a sealed payload is bound to: it opens under no other name of its key, and as no other encoding.
func bound(id string) []byte { return []byte(Encoding + "\x00" + id) }

func (r *Ring) names() string {
	if !r.Encrypts() {
		return "there are none: name their file with --payload-keys"
	}
	return strings.Join(r.IDs(), ", ")
}

func unread(format string, args ...any) error {
	return unreadError{fault.New(fault.Invalid, "cannot read an encrypted payload: "+format, args...)}
}

// unreadError is ErrUnread, in words of its own.
type unreadError struct{ error }

// Is implements what errors.Is asks for.
func (unreadError) Is(target error) bool { return target == ErrUnread }

// Unwrap returns the error that it is besides.
func (e unreadError) Unwrap() error { return e.error }
