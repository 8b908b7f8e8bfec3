package remote

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
)

// Bounds on a list.
const (
	maxListed = 10_000 // things; as many as where there is no server
	maxPages  = 1_000  // they may be short, where there is much that the caller may not see
)

// list asks for one page of a list after the other, until it has as many things as are wanted; where that is 0, until it has all. It asks
// where it has asked before: of a link it takes what the page goes on with, and nothing of where it leads.
func list[In, T any](
	ctx context.Context, c *Client, op wire.Operation[In, []T], wanted int, in func(wire.Paged) In,
) ([]T, error) {
	if wanted <= 0 || wanted > maxListed {
		wanted = maxListed
	}
	return listMost(ctx, c, op, wanted, in)
}

// listMost is list of however many things are wanted.
func listMost[In, T any](
	ctx context.Context, c *Client, op wire.Operation[In, []T], wanted int, in func(wire.Paged) In,
) ([]T, error) {
	all, on := []T{}, ""
	for range maxPages {
		some, head, err := askPage(ctx, c, op, in(wire.Paged{Limit: min(wanted-len(all), wire.MaxPage), Continue: on}))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		before := on
		if on = nextOf(head); on == "" || len(all) >= wanted {
			return all[:min(len(all), wanted)], nil
		}
		if on == before {
			return nil, fault.New(fault.Internal, "cannot %s: server %s says that a page follows itself", op.ID, c.options.URL)
		}
	}
	return nil, fault.New(fault.Invalid, "cannot %s: there is more than %d pages of server %s have; narrow it, or ask for fewer",
		op.ID, maxPages, c.options.URL)
}

// nextOf is what the next page of a list goes on with, as the links of an answer say; "" where none follows.
func nextOf(head http.Header) string {
	for _, link := range head.Values("Link") {
		for link != "" {
			_, rest, _ := strings.Cut(link, "<")
			to, rest, ok := strings.Cut(rest, ">")
			if !ok {
				break
			}
			params, after, _ := strings.Cut(rest, "<") // an address stands between these alone
			link = "<" + after
			if after == "" {
				link = ""
			}
			at, err := url.Parse(to)
			if err == nil && isNext(params) {
				return at.Query().Get("continue")
			}
		}
	}
	return ""
}

// isNext reports whether the parameters of a link say that it leads to the next page.
func isNext(params string) bool {
	for _, param := range strings.FieldsFunc(params, func(r rune) bool { return r == ';' || r == ',' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for _, rel := range strings.Fields(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(rel, "next") {
				return true
			}
		}
	}
	return false
}
