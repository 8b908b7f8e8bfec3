package ledgertest

import (
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

func testRequests(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	r := ledger.Request{Who: "corp:ann", Key: "k1", Digest: "sha256:1", Begun: at(1).UTC()}
	begin := func(r ledger.Request) (ledger.Request, bool) {
		t.Helper()
		stored, isNew, err := l.BeginRequest(ctx, r)
		ok(t, err)
		return stored, isNew
	}
	stored, isNew := begin(r)
	same(t, stored, r, "what is new is stored")
	same(t, isNew, true, "and is new")
	later := r
	later.Begun = at(2).UTC()
	stored, isNew = begin(later)
	same(t, stored, r, "what is there comes back as it began")
	same(t, isNew, false, "and is not new")
	other := r
	other.Digest = "sha256:2"
	_, _, err := l.BeginRequest(ctx, other)
	wantCode(t, err, fault.Conflict, "a key is for one request")
	other.Who = "corp:bob"
	_, isNew = begin(other)
	same(t, isNew, true, "another's key is another key")
	_, _, err = l.BeginRequest(ctx, ledger.Request{Who: "corp:ann", Digest: "sha256:1", Begun: at(1)})
	wantCode(t, err, fault.Invalid, "a request without a key")

	ok(t, l.EndRequest(ctx, other))
	_, isNew = begin(other)
	same(t, isNew, true, "one that came to nothing may be sent again")
	r.Ended, r.Answer = at(3).UTC(), "sha256:answer"
	ok(t, l.EndRequest(ctx, r))
	stored, isNew = begin(later)
	same(t, stored, r, "an answer is kept")
	same(t, isNew, false, "with its request")
	gone := r
	gone.Ended, gone.Answer = time.Time{}, ""
	ok(t, l.EndRequest(ctx, gone))
	stored, _ = begin(later)
	same(t, stored, r, "an answer is not forgotten by one who has none")

	late := r
	late.Begun, late.Ended, late.Answer = r.Begun.Add(ledger.KeptRequests+time.Second), time.Time{}, ""
	_, isNew = begin(late)
	same(t, isNew, true, "after a day it is forgotten")

	run := must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("agent"), Request: "corp:ann k1"}))
	_, err = l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("agent"), Request: "corp:ann k1"})
	wantCode(t, err, fault.Conflict, "a request has one run at a time")
	run.Phase, run.Ended = "Failed", at(4)
	ok(t, l.SaveRun(ctx, run))
	again := must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("agent"), Request: "corp:ann k1"}))
	must[ledger.Run](t)(l.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("agent")}))
	same(t, must[ledger.Run](t)(l.RunOfRequest(ctx, "corp:ann k1")).Name, again.Name, "the latest run of a request, and not "+run.Name)
	for _, none := range []string{"", "corp:ann k2"} {
		_, err = l.RunOfRequest(ctx, none)
		wantCode(t, err, fault.NotFound, "no run of request "+none)
	}
}

func testTokens(t *testing.T, l ledger.Ledger) { Tokens(t, l) }

// Tokens holds a store without tokens to its contract.
func Tokens(t *testing.T, l ledger.Tokens) {
	t.Helper()
	ctx := t.Context()
	token := func(id, name string, minute int) ledger.Token {
		return ledger.Token{
			ID: id, Name: name, Hash: [32]byte{1, 2, 31: 3}, CreatedBy: "corp:ann", Created: at(minute).UTC(), Expires: at(59).UTC(),
		}
	}
	b, a, older := token("1", "b", 1), token("2", "a", 3), token("3", "a", 2)
	for _, one := range []ledger.Token{b, a, older} {
		ok(t, l.PutToken(ctx, one))
	}
	wantCode(t, l.PutToken(ctx, token("1", "c", 1)), fault.Conflict, "an ID that is taken")
	same(t, must[ledger.Token](t)(l.Token(ctx, "1")), b, "a token comes back as it was put")
	same(t, must[[]ledger.Token](t)(l.ListTokens(ctx)), []ledger.Token{older, a, b}, "by name, and then by age")
	_, err := l.Token(ctx, "4")
	wantCode(t, err, fault.NotFound, "no such token")

	ok(t, l.UseToken(ctx, "1", at(9)))
	ok(t, l.UseToken(ctx, "1", at(8)))
	b.LastUsed = at(9).UTC()
	same(t, must[ledger.Token](t)(l.Token(ctx, "1")), b, "the latest use counts")
	wantCode(t, l.UseToken(ctx, "4", at(8)), fault.NotFound, "use of none")
	b.Revoked, b.RevokedBy = at(10).UTC(), "corp:bob"
	same(t, must[ledger.Token](t)(l.RevokeToken(ctx, "1", "corp:bob", at(10))), b, "it is revoked")
	same(t, must[ledger.Token](t)(l.RevokeToken(ctx, "1", "corp:eve", at(11))), b, "once")
	_, err = l.RevokeToken(ctx, "4", "corp:bob", at(10))
	wantCode(t, err, fault.NotFound, "none to revoke")
}
