package authn_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// tokens is a store in memory.
type tokens struct {
	mu   sync.Mutex
	all  map[string]ledger.Token
	used int
	away error
}

var _ ledger.Tokens = (*tokens)(nil)

func newTokens() *tokens { return &tokens{all: map[string]ledger.Token{}} }

func (s *tokens) PutToken(_ context.Context, t ledger.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.all[t.ID]; taken {
		return fault.New(fault.Conflict, "there is a token %s", t.ID)
	}
	s.all[t.ID] = t
	return nil
}

func (s *tokens) Token(_ context.Context, id string) (ledger.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.all[id]
	switch {
	case s.away != nil:
		return ledger.Token{}, s.away
	case !known:
		return ledger.Token{}, fault.New(fault.NotFound, "there is no token %s", id)
	}
	return t, nil
}

func (s *tokens) ListTokens(context.Context) ([]ledger.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.all), func(a, b ledger.Token) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Created.Compare(b.Created))
	}), nil
}

func (s *tokens) RevokeToken(ctx context.Context, id, by string, at time.Time) (ledger.Token, error) {
	t, err := s.Token(ctx, id)
	if err != nil || !t.Revoked.IsZero() {
		return t, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Revoked, t.RevokedBy = at, by
	s.all[id] = t
	return t, nil
}

func (s *tokens) UseToken(ctx context.Context, id string, at time.Time) error {
	t, err := s.Token(ctx, id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used++
	if at.After(t.LastUsed) {
		t.LastUsed = at
	}
	s.all[id] = t
	return nil
}
