package centre

import (
	"context"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/uplink"
)

// ofSite are the keys of a site's payloads. They go encrypted between its agents and the server, whether Temporal's are or not.
func (c *Centre) ofSite(site string) (*payload.Ring, error) {
	return payload.OfSite(site, c.Authority.PayloadKey(site))
}

// toSite has what comes from Temporal be read by whoever calls.
func (t *tasks) toSite(ctx context.Context, from proto.Message) error {
	site, err := t.centre.ofSite(callerOf(ctx).Site)
	if err != nil {
		return err
	}
	return recode(ctx, from, t.centre.Payloads, site, func(plain []*common.Payload) error { return t.centre.give(ctx, plain) })
}

// fromSite has what whoever calls has encrypted be as Temporal keeps it.
func (t *tasks) fromSite(ctx context.Context, from proto.Message) error {
	site, err := t.centre.ofSite(callerOf(ctx).Site)
	if err != nil {
		return uplink.ToStatus(err)
	}
	looks := func(plain []*common.Payload) error { return t.centre.mayName(ctx, plain) }
	if err := recode(ctx, from, site, t.centre.Payloads, looks); err != nil {
		return uplink.ToStatus(err)
	}
	if t.centre.Payloads.Encrypts() {
		return nil
	}
	return proxy.VisitFailures(ctx, from, proxy.VisitFailuresOptions{Visitor: legible})
}

// recode reads the payloads of a message by some keys, and writes them by others once somebody has looked at them. Headers stay as they
// are: they have traces, whose names are those of workflows, and nobody encrypts them.
func recode(ctx context.Context, of proto.Message, from, to *payload.Ring, looks func([]*common.Payload) error) error {
	return proxy.VisitPayloads(ctx, of, proxy.VisitPayloadsOptions{
		SkipSearchAttributes: true,
		Visitor: func(ctx *proxy.VisitPayloadsContext, all []*common.Payload) ([]*common.Payload, error) {
			if _, is := ctx.Parent.(*common.Header); is {
				return all, nil
			}
			plain, err := from.Decode(all)
			if err != nil {
				return nil, err
			}
			if err := looks(plain); err != nil {
				return nil, err
			}
			return to.Encode(plain)
		},
	})
}

// legible has a failure say what it says where everybody looks for it.
func legible(_ *proxy.VisitFailuresContext, f *failure.Failure) error {
	converter.DecodeCommonFailureAttributes(converter.GetDefaultDataConverter(), f)
	f.EncodedAttributes = nil
	return nil
}
