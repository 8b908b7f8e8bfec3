package check

import (
	"cmp"
	"context"
	"net"
	"strings"

	"sluice.dev/sluice/internal/probe"
)

// dns asks a name server, or what the batch made as one.
func (p *Probes) dns(ctx context.Context, q Question) Finding {
	d := q.Step.DNS
	ask := probe.DNS{
		Name: d.Name, Type: string(d.Type), Server: d.Server, TCP: d.TCP, Within: within(d.ProbeAim), Reserved: d.AllowReserved != "",
	}
	if e := d.Expect; e != nil {
		ask.Answers, ask.AtLeast, ask.Absent = e.Answers, e.AtLeast, e.Absent
	}
	host, port, err := net.SplitHostPort(d.Server)
	if err != nil {
		host = strings.Trim(d.Server, "[]")
	}
	return p.ask(ctx, q, d.ProbeAim, endpoint{Host: host, Port: cmp.Or(port, "53")}, func(ctx context.Context, at endpoint) probe.Result {
		ask := ask
		if at.Name != "" {
			ask.Server = at.address()
		}
		return p.prober.DNS(ctx, ask)
	})
}
