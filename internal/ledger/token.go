package ledger

import (
	"context"
	"crypto/sha256"
	"time"
)

// Token is what is kept of a service token. The secret is not among it: Hash is its SHA-256. That is enough for 256 random bits, which
// nobody can guess however fast a hash is; a slow hash is for passwords, and here would let whoever sends wrong tokens keep us busy.
type Token struct {
	ID        string            `json:"id"` // random, unique, and no secret
	Name      string            `json:"name"`
	Hash      [sha256.Size]byte `json:"hash"`
	CreatedBy string            `json:"createdBy"`
	Created   time.Time         `json:"created"`
	Expires   time.Time         `json:"expires"`
	LastUsed  time.Time         `json:"lastUsed,omitzero"` // give or take an hour; zero where it never was
	Revoked   time.Time         `json:"revoked,omitzero"`  // zero where it is not
	RevokedBy string            `json:"revokedBy,omitempty"`
}

// Tokens keeps service tokens: one table by ID. Times are kept to the second at least.
type Tokens interface {
	// PutToken adds a token. It is fault.Conflict where its ID is taken.
	PutToken(ctx context.Context, t Token) error
	// Token returns the one of an ID, also where it is expired or revoked. It is fault.NotFound where there is none.
	Token(ctx context.Context, id string) (Token, error)
	// ListTokens returns all, by name, then by time of creation, then by ID.
	ListTokens(ctx context.Context) ([]Token, error)
	// RevokeToken sets who revoked a token and when, and returns it. One that is revoked already stays as it is. It is fault.NotFound where
	// there is none.
	RevokeToken(ctx context.Context, id, by string, at time.Time) (Token, error)
	// UseToken sets when a token was last used, unless a later time is kept. It is fault.NotFound where there is none.
	UseToken(ctx context.Context, id string, at time.Time) error
}
