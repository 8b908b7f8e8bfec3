package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// PutBlob implements ledger.Blobs.
func (s *Store) PutBlob(ctx context.Context, data []byte) (string, error) {
	if err := ledger.CheckBlob(data); err != nil {
		return "", failed(err, "cannot store blob")
	}
	digest := ledger.Digest(data)
	// Most blobs are there already: looking first spares the compression and the write lock.
	there, err := s.hasBlob(ctx, digest)
	if err != nil {
		return "", failed(err, "cannot store blob %s", digest)
	}
	if there {
		return digest, nil
	}
	packed := s.encoder.EncodeAll(data, nil)
	err = s.put(ctx, `INSERT INTO blobs (digest, size, data) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING`,
		digest, len(data), packed)
	if err != nil {
		return "", failed(err, "cannot store blob %s", digest)
	}
	return digest, nil
}

// Blob implements ledger.Blobs.
func (s *Store) Blob(ctx context.Context, digest string) ([]byte, error) {
	var packed []byte
	err := s.all.QueryRowContext(ctx, `SELECT data FROM blobs WHERE digest = ?`, digest).Scan(&packed)
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
	if ledger.Digest(data) != digest {
		return nil, fault.New(fault.Internal, "cannot read blob %s: its bytes were changed in the store", digest)
	}
	return data, nil
}

func (s *Store) hasBlob(ctx context.Context, digest string) (bool, error) {
	return hasBlob(ctx, s.all, digest)
}

func hasBlob(ctx context.Context, q handle, digest string) (bool, error) {
	var count int
	err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM blobs WHERE digest = ?`, digest).Scan(&count)
	return count > 0, err
}

// needBlob says which blob is missing, in words that a foreign key error does not have. One that is there stays.
func needBlob(ctx context.Context, q handle, noun, digest string) error {
	there, err := hasBlob(ctx, q, digest)
	if err != nil {
		return err
	}
	if !there {
		return ledger.MissingBlob(noun, digest)
	}
	return nil
}
