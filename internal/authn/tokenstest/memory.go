// Package tokenstest has a store of service tokens in memory, for tests. No server keeps tokens in it.
package tokenstest

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

// Memory keeps tokens in memory. It is safe for concurrent use.
type Memory struct {
	mu   sync.Mutex
	all  map[string]ledger.Token
	uses int
	away error
}

var _ ledger.Tokens = (*Memory)(nil)

// NewMemory is a store without tokens.
func NewMemory() *Memory { return &Memory{all: map[string]ledger.Token{}} }

// Fail has the store answer with an error, or, with nil, as it did before.
func (s *Memory) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = err
}

// Uses is how often it was written down that a token was used.
func (s *Memory) Uses() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.uses
}

// PutToken implements ledger.Tokens.
func (s *Memory) PutToken(_ context.Context, t ledger.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return s.away
	}
	if _, taken := s.all[t.ID]; taken {
		return fault.New(fault.Conflict, "cannot add token %s: there is one", t.ID)
	}
	s.all[t.ID] = t
	return nil
}

// Token implements ledger.Tokens.
func (s *Memory) Token(_ context.Context, id string) (ledger.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(id)
}

func (s *Memory) find(id string) (ledger.Token, error) {
	if s.away != nil {
		return ledger.Token{}, s.away
	}
	t, known := s.all[id]
	if !known {
		return ledger.Token{}, fault.New(fault.NotFound, "there is no token %s", id)
	}
	return t, nil
}

// ListTokens implements ledger.Tokens.
func (s *Memory) ListTokens(context.Context) ([]ledger.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return nil, s.away
	}
	return slices.SortedFunc(maps.Values(s.all), func(a, b ledger.Token) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	}), nil
}

// RevokeToken implements ledger.Tokens.
func (s *Memory) RevokeToken(_ context.Context, id, by string, at time.Time) (ledger.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(id)
	if err != nil || !t.Revoked.IsZero() {
		return t, err
	}
	t.Revoked, t.RevokedBy = at, by
	s.all[id] = t
	return t, nil
}

// UseToken implements ledger.Tokens.
func (s *Memory) UseToken(_ context.Context, id string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(id)
	if err != nil {
		return err
	}
	s.uses++
	if at.After(t.LastUsed) {
		t.LastUsed = at
	}
	s.all[id] = t
	return nil
}
