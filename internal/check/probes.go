package check

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/pipelines"
)

// Probes are the checks that ask over the network: http, tcp, dns and certificate.
type Probes struct {
	prober *probe.Prober
	clock  clock.PassiveClock
}

// NewProbes returns the kinds of checks that ask over the network, by name.
func NewProbes(p *probe.Prober, c clock.PassiveClock) Sources {
	probes := &Probes{p, c}
	return Sources{
		"http":        SourceFunc(probes.http),
		"tcp":         SourceFunc(probes.tcp),
		"dns":         SourceFunc(probes.dns),
		"certificate": SourceFunc(probes.certificate),
	}
}

// endpoint is one of those whom a probe asks.
type endpoint struct {
	name string // of the pod or node; "" where the step names an address
	host string
	port string
}

func (e endpoint) address() string { return net.JoinHostPort(e.host, e.port) }

// asking asks one endpoint once.
type asking func(ctx context.Context, at endpoint) probe.Result

// ask asks whom a step is aimed at: an address, each of its addresses, or what the batch made.
func (p *Probes) ask(ctx context.Context, q Question, aim pipelines.ProbeAim, at endpoint, one asking) Finding {
	switch {
	case aim.Target != "":
		return p.askTarget(ctx, q, aim, one)
	case aim.EveryAddress:
		addresses, r := p.prober.Addresses(ctx, at.host)
		if r.Verdict != api.Passed {
			return found([]probe.Result{r}, 1)
		}
		var all []endpoint
		for _, a := range addresses {
			all = append(all, endpoint{name: a.String(), host: a.String(), port: at.port})
		}
		return found(askAll(ctx, all, one), len(all))
	}
	return found([]probe.Result{one(ctx, at)}, 1)
}

// askAll asks endpoints beside each other, and has the results speak of them by name.
func askAll(ctx context.Context, all []endpoint, one asking) []probe.Result {
	return probe.Each(ctx, all, func(ctx context.Context, at endpoint) probe.Result {
		r := one(ctx, at)
		if at.name != "" {
			r.Target = at.name
		}
		return r
	})
}

// askTarget asks each pod or node that the batch made. Where nobody can be reached at all it asks some of the old ones too: that
// these cannot be reached either says that the worker has no way there, and nothing about the change.
func (p *Probes) askTarget(ctx context.Context, q Question, aim pipelines.ProbeAim, one asking) Finding {
	if q.Place == nil {
		return Finding{Verdict: api.Error, Message: "it is about no cluster, where there are pods and nodes"}
	}
	pods, err := q.Place.Pods(ctx)
	if err != nil {
		return Finding{Verdict: api.Error, Message: err.Error()}
	}
	fresh, waiting, err := endpoints(pods.New, aim)
	if err != nil {
		return Finding{Verdict: api.Error, Message: err.Error()}
	}
	if len(fresh) == 0 {
		return p.nobody(q, waiting)
	}
	results := askAll(ctx, fresh, one)
	f := found(results, len(fresh))
	if waiting > 0 {
		f.Seen["notReady"] = int64(waiting)
	}
	if f.Verdict == api.Passed && waiting > 0 {
		f.Message += fmt.Sprintf("; %d pods are not ready, and were not asked", waiting)
	}
	if f.Verdict != api.Failed || !allOutOfReach(results) || ctx.Err() != nil {
		return f
	}
	old, _, _ := endpoints(pods.Old, aim)
	old = slices.DeleteFunc(old, func(o endpoint) bool {
		return slices.ContainsFunc(fresh, func(f endpoint) bool { return f.name == o.name })
	})
	old = old[:min(len(old), controls)]
	switch before := askAll(ctx, old, one); {
	case len(old) == 0:
		f.Verdict, f.Message = api.Inconclusive, "no connection to any, and none of the old revision to compare with: "+f.Message
	case allOutOfReach(before):
		f.Verdict, f.Message = api.Error, "no connection to any, nor to those of the old revision: the worker has no way there: "+f.Message
	}
	return f
}

// controls is how many of the old revision are asked where none of the new one can be reached.
const controls = 3

// again is how long after a look without anybody to ask the next one is made, in the background.
const again = 5 * time.Second

// nobody is the finding where nobody of the new revision is ready. In the background they are waited for.
func (p *Probes) nobody(q Question, waiting int) Finding {
	f := Finding{Verdict: api.Inconclusive, Message: "there is no pod of the new revision"}
	if waiting > 0 {
		f.Message = fmt.Sprintf("none of the %d pods of the new revision is ready", waiting)
	}
	if q.Point == pipelines.During {
		f.Again = p.clock.Now().Add(again)
	}
	return f
}

// allOutOfReach reports whether not even a connection was there in time, or a refusal of one.
func allOutOfReach(results []probe.Result) bool {
	return !slices.ContainsFunc(results, func(r probe.Result) bool { return r.Layer != probe.Connect || !r.Late })
}

// found is the finding of results about so many targets.
func found(results []probe.Result, targets int) Finding {
	f := Finding{Seen: map[string]any{}}
	f.Verdict, f.Message = probe.Sum(results, targets)
	if f.Verdict == api.Passed {
		f.Message = answered(results)
	}
	if targets == 1 && len(results) == 1 {
		maps.Copy(f.Seen, results[0].Seen)
		if results[0].Layer != "" {
			f.Seen["layer"] = string(results[0].Layer)
		}
		f.Results = plainOf(f.Seen)
		return f
	}
	var bad []string
	var slowest int64
	for _, r := range results {
		slowest = max(slowest, r.Took.Milliseconds())
		if r.Verdict != api.Passed {
			bad = append(bad, r.Target)
		}
	}
	f.Seen["asked"], f.Seen["targets"], f.Seen["millis"] = int64(len(results)), int64(targets), slowest
	f.Seen["notPassed"] = int64(len(bad))
	f.Results = plainOf(f.Seen)
	if len(bad) > 0 {
		f.Seen["who"] = bad[:min(len(bad), probe.Enough)]
	}
	return f
}

// answered says what results that have passed have seen.
func answered(results []probe.Result) string {
	var slowest time.Duration
	for _, r := range results {
		slowest = max(slowest, r.Took)
	}
	took := fmt.Sprintf("%d ms", slowest.Milliseconds())
	if len(results) > 1 {
		return fmt.Sprintf("all %d answered as they are to, within %s", len(results), took)
	}
	for _, known := range []struct{ name, text string }{
		{"status", "status %v"}, {"code", "%v"}, {"daysLeft", "a certificate for %v more days"},
	} {
		if v, there := results[0].Seen[known.name]; there {
			return fmt.Sprintf(known.text, v) + " within " + took
		}
	}
	return "it answered within " + took
}

// plainOf are the results of a step: what was seen of numbers and texts.
func plainOf(seen map[string]any) map[string]any {
	plain := map[string]any{}
	for name, v := range seen {
		switch v.(type) {
		case string, int64, float64, bool:
			plain[name] = v
		}
	}
	return plain
}

// within is the time of a probe; 0 is its default.
func within(a pipelines.ProbeAim) time.Duration {
	return orElse(a.Within, 0)
}

// trust is how a step verifies an identity.
func trust(t *pipelines.ProbeTLS) probe.TLS {
	if t == nil {
		return probe.TLS{}
	}
	return probe.TLS{CA: []byte(t.CA), ServerName: t.ServerName, Insecure: t.InsecureBecause != ""}
}
