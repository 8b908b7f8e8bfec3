package server_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/pipelines"
)

// unlisted is a ledger whose lists of freezes nobody can read: they are long, and end before the oldest.
type unlisted struct{ ledger.Ledger }

var errListed = errors.New("all freezes are read")

func (unlisted) ListFreezes(context.Context, int) ([]api.Freeze, error) { return nil, errListed }

func (unlisted) PageFreezes(context.Context, bool, ledger.Page) ([]ledger.Marked[api.Freeze], error) {
	return nil, errListed
}

func TestAFreezeIsLiftedByItsName(t *testing.T) {
	b := newBench(t)
	b.bind("operator", pipelines.BindingScope{Components: []string{"agent"}}, pipelines.RoleOperator)
	h := b.handler(func(o *server.Options) { o.Engine = b.engine(unlisted{b.ledger}) })
	for _, component := range []string{"agent", "other"} {
		_, err := b.ledger.AddFreeze(t.Context(), api.Freeze{
			Origin: api.FreezePerson, InFlight: api.Finish, Scope: api.FreezeScope{Component: api.Component(component)},
			By: "corp::ann", Reason: "it leaks", Since: noon,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		reason, freeze, who string
		code                int
	}{
		{"who may operate nothing", "freeze-1", "nobody", http.StatusForbidden},
		{"who may operate something else", "freeze-2", "operator", http.StatusForbidden},
		{"a freeze that there is not", "freeze-3", "operator", http.StatusForbidden},
		{"who operates what it is about", "freeze-1", "operator", http.StatusOK},
		{"it was lifted", "freeze-1", "operator", http.StatusConflict},
	} {
		if w := b.ask(h, "POST", "/freezes/"+c.freeze+"/lift", `{"reason":"it is quiet"}`, b.token(c.who)); w.Code != c.code {
			t.Errorf("%s: %d %s, want %d", c.reason, w.Code, w.Body, c.code)
		}
	}
}
