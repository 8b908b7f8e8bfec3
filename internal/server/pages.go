package server

import (
	"context"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/wire"
)

// page is what huma writes of a list.
type page[T any] struct {
	Link string `header:"Link" doc:"To the next page, rel=\"next\": a page may be short, or empty, and have one. The last has none."`
	Body []T
}

// queryKey is of the query of a request, as it was sent.
type queryKey struct{}

// onPages has an operation answered that lists something page by page.
func onPages[In interface{ Asked() wire.Paged }, T any](
	s *server, a huma.API, op wire.Operation[In, []T], needs need[In],
	do func(context.Context, *In, ledger.Page) (engine.Page[T], error),
) {
	listing := described(s, op)
	listing.Middlewares = huma.Middlewares{func(hc huma.Context, next func(huma.Context)) {
		sent := hc.URL()
		next(huma.WithValue(hc, queryKey{}, sent.Query()))
	}}
	huma.Register(a, listing, func(ctx context.Context, in *In) (*page[T], error) {
		if err := needs.met(ctx, s, in); err != nil {
			return nil, problemOf(err)
		}
		asked, err := (*in).Asked().Of(op.ID)
		if err != nil {
			return nil, problemOf(err)
		}
		out, err := do(ctx, in, asked)
		if err != nil {
			return nil, problemOf(err)
		}
		link, err := nextPage(ctx, op.ID, op.Path, out.Next)
		if err != nil {
			return nil, problemOf(err)
		}
		return &page[T]{Link: link, Body: out.Items}, nil
	})
}

// nextPage links to the page after a mark: it is what this one is of, but goes on there. "" where nothing follows.
func nextPage(ctx context.Context, list, path string, after ledger.Mark) (string, error) {
	if after == (ledger.Mark{}) {
		return "", nil
	}
	on, err := wire.Continue(list, after)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot say where %s goes on", list)
	}
	query, _ := ctx.Value(queryKey{}).(url.Values)
	if query == nil {
		query = url.Values{}
	}
	query.Set("continue", on)
	return "<" + wire.Prefix + path + "?" + query.Encode() + `>; rel="next"`, nil
}
