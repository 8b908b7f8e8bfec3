package wire

import (
	"net/http"
	"time"

	"sluice.dev/sluice/internal/ledger"
)

// TokenBody asks for a token of a service.
type TokenBody struct {
	Name    string    `json:"name" minLength:"1" maxLength:"63" doc:"It is known as service:NAME."`
	Expires time.Time `json:"expires" doc:"At most 366 days from now."`
}

// MadeToken is a token that was just made, with what proves it, which is told this once.
type MadeToken struct {
	Token  ledger.Token `json:"token"`
	Secret string       `json:"secret"`
}

// Revoking has a token no longer be taken.
type Revoking struct {
	Key
	ID   string `path:"token" minLength:"1" maxLength:"63"`
	Body Why
}

// Of tokens. MakeToken takes no key: its answer is kept nowhere.
var (
	MakeToken = Operation[struct{ Body TokenBody }, MadeToken]{
		"make-token", http.MethodPost, "/tokens", "Make a token for a service.", "tokens", false}
	ListTokens = Operation[None, []ledger.Token]{
		"list-tokens", http.MethodGet, "/tokens", "List the tokens of services.", "tokens", false}
	RevokeToken = Operation[Revoking, ledger.Token]{
		"revoke-token", http.MethodPost, "/tokens/{token}/revoke", "Have a token no longer be taken.", "tokens", true}
)
