package server

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// Tokens keeps the tokens of services, and who made and revoked them. It is as wide as the part of the ledger that it is.
type Tokens interface {
	ledger.Tokens
	AddEntry(ctx context.Context, e ledger.Entry) error
}

func (s *server) tokens(a huma.API) {
	on(s, a, wire.MakeToken, all[struct{ Body wire.TokenBody }](pipelines.RightBind), s.makeToken)
	on(s, a, wire.ListTokens, all[wire.None](pipelines.RightBind), func(ctx context.Context, _ *wire.None) ([]ledger.Token, error) {
		return s.Tokens.ListTokens(ctx)
	})
	on(s, a, wire.RevokeToken, all[wire.Revoking](pipelines.RightBind), s.revokeToken)
}

// makeToken makes a token, and has it in the audit before anybody is told it.
func (s *server) makeToken(ctx context.Context, in *struct{ Body wire.TokenBody }) (wire.MadeToken, error) {
	token, secret, err := authn.NewToken(in.Body.Name, name(ctx), s.Clock.Now().UTC(), in.Body.Expires.UTC())
	if err != nil {
		return wire.MadeToken{}, err
	}
	if err := s.Tokens.PutToken(ctx, token); err != nil {
		return wire.MadeToken{}, err
	}
	err = s.Tokens.AddEntry(ctx, ledger.Entry{
		At: token.Created, Who: name(ctx), Command: "token create", Object: "service:" + token.Name, Scope: token.ID,
		Outcome: "accepted, until " + token.Expires.Format("2006-01-02T15:04:05Z"),
	})
	return wire.MadeToken{Token: token, Secret: secret}, err
}

func (s *server) revokeToken(ctx context.Context, in *wire.Revoking) (ledger.Token, error) {
	if in.Body.Reason == "" {
		return ledger.Token{}, fault.New(fault.Invalid, "cannot revoke token %s for no reason", in.ID)
	}
	now := s.Clock.Now().UTC()
	token, err := s.Tokens.RevokeToken(ctx, in.ID, name(ctx), now)
	if err != nil || !token.Revoked.Equal(now) {
		return token, err // it was revoked before
	}
	return token, s.Tokens.AddEntry(ctx, ledger.Entry{
		At: now, Who: name(ctx), Command: "token revoke", Object: "service:" + token.Name, Scope: token.ID,
		Reason: in.Body.Reason, Outcome: "accepted",
	})
}
