package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"sluice.dev/sluice/internal/fault"
)

// MaxBlob is the size of the largest blob, before compression.
const MaxBlob = 64 << 20

// Blobs keeps bytes by digest ("sha256:<hex>"), compressed; equal bytes are stored once.
type Blobs interface {
	// PutBlob stores data of at most MaxBlob and returns its digest. Storing it again changes nothing.
	PutBlob(ctx context.Context, data []byte) (digest string, err error)
	// Blob returns the bytes of a digest. NotFound where there is none; bytes that no longer fit their digest are Internal.
	Blob(ctx context.Context, digest string) ([]byte, error)
}

// Digest returns the name under which a blob is stored: "sha256:<hex>".
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return digestPrefix + hex.EncodeToString(sum[:])
}

const digestPrefix = "sha256:"

// CheckBlob is Invalid where data is more than a store may take.
func CheckBlob(data []byte) error {
	if len(data) > MaxBlob {
		return fault.New(fault.Invalid, "%d bytes are more than %d", len(data), MaxBlob)
	}
	return nil
}

// MissingBlob is what a store says where a record names a blob that is not stored: Invalid.
func MissingBlob(of, digest string) error {
	return fault.New(fault.Invalid, "blob %q of %s is not stored", digest, of)
}
