package agent

import (
	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/uplink"
)

// ofSite are the keys of the payloads that go between a site and its server; none where the server is older, and has none.
func ofSite(s uplink.Stand) (*payload.Ring, error) {
	if len(s.Payloads) == 0 {
		return nil, nil
	}
	return payload.OfSite(s.Site, s.Payloads)
}
