package check

import (
	"context"
	"net"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probe"
)

// tcp connects to an address, or to a port of what the batch made.
func (p *Probes) tcp(ctx context.Context, q Question) Finding {
	t := q.Step.TCP
	expect, err := patternOf("expect", t.Expect)
	if err != nil {
		return Finding{Verdict: api.Error, Message: err.Error()}
	}
	ask := probe.TCP{Send: t.Send, Expect: expect, Within: within(t.ProbeAim), Reserved: t.AllowReserved != ""}
	host, port, _ := net.SplitHostPort(t.Address)
	return p.ask(ctx, q, t.ProbeAim, endpoint{Host: host, Port: port}, func(ctx context.Context, at endpoint) probe.Result {
		ask := ask
		ask.Address = at.address()
		if t.TLS != nil {
			identity := trust(t.TLS)
			if identity.ServerName == "" {
				identity.ServerName = host
			}
			ask.TLS = &identity
		}
		return p.prober.TCP(ctx, ask)
	})
}
