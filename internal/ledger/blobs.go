package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"

	"sluice.dev/sluice/internal/fault"
)

// MaxBlob is the size of the largest blob, before compression.
const MaxBlob = 64 << 20

// Digest returns the name under which a blob is stored: "sha256:<hex>".
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// PutBlob implements Blobs.
func (s *SQLite) PutBlob(ctx context.Context, data []byte) (string, error) {
	if len(data) > MaxBlob {
		return "", fault.New(fault.Invalid, "cannot store blob: %d bytes are more than %d", len(data), MaxBlob)
	}
	digest := Digest(data)
	// Most blobs are there already: looking first spares the compression and the write lock.
	there, err := s.hasBlob(ctx, digest)
	if err != nil {
		return "", failed(err, "cannot store blob %s", digest)
	}
	if there {
		return digest, nil
	}
	packed := s.encoder.EncodeAll(data, nil)
	err = s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO blobs (digest, size, data) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING`,
			digest, len(data), packed)
		return err
	})
	if err != nil {
		return "", failed(err, "cannot store blob %s", digest)
	}
	return digest, nil
}

// Blob implements Blobs. Bytes that no longer fit their digest are Internal.
func (s *SQLite) Blob(ctx context.Context, digest string) ([]byte, error) {
	var packed []byte
	err := s.db.QueryRowContext(ctx, `SELECT data FROM blobs WHERE digest = ?`, digest).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "cannot find blob %s", digest)
	}
	if err != nil {
		return nil, failed(err, "cannot read blob %s", digest)
	}
	data, err := s.decoder.DecodeAll(packed, nil)
	if err != nil {
		return nil, failed(err, "cannot read blob %s", digest)
	}
	if Digest(data) != digest {
		return nil, fault.New(fault.Internal, "cannot read blob %s: its bytes were changed in the store", digest)
	}
	return data, nil
}

func (s *SQLite) hasBlob(ctx context.Context, digest string) (bool, error) {
	return hasBlob(ctx, s.db, digest)
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func hasBlob(ctx context.Context, q queryer, digest string) (bool, error) {
	var count int
	err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM blobs WHERE digest = ?`, digest).Scan(&count)
	return count > 0, err
}

// needBlob says which blob is missing, in words that a foreign key error does not have.
func needBlob(ctx context.Context, q queryer, noun, digest string) error {
	there, err := hasBlob(ctx, q, digest)
	if err != nil {
		return err
	}
	if !there {
		return fault.New(fault.Invalid, "blob %q of %s is not stored", digest, noun)
	}
	return nil
}
