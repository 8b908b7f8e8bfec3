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
	"sluice.dev/sluice/internal/logscan"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/pipelines"
)

// Probes are the checks that ask over the network: http, tcp, dns and certificate. They ask the same way wherever they run.
type Probes struct {
	prober *probe.Prober
	here   string // who asks
}

// NewProbes returns the kinds of checks that ask over the network, by name. Image is what pods run that ask from inside a cluster,
// a sluice as this one; "" where there is none.
func NewProbes(p *probe.Prober, c clock.WithDelayedExecution, image string) Sources {
	inside := &inside{pods: newPods(c, logscan.Mask), image: image}
	sources := Sources{}
	for kind, ask := range (&Probes{p, "the worker"}).kinds() {
		sources[kind] = SourceFunc(func(ctx context.Context, q Question) Finding {
			aim := q.Step.Aim()
			if aim.Target != "" {
				to, none := targetsOf(ctx, q, *aim, c)
				if none != nil {
					return *none
				}
				q.targets = to
			}
			from := ask
			if aim.From == pipelines.FromCluster {
				from = inside.ask
			}
			f := from(ctx, q)
			if q.targets != nil {
				f = q.targets.told(f)
			}
			return f
		})
	}
	return sources
}

// kinds are what each kind asks, of whom a question says.
func (p *Probes) kinds() map[string]SourceFunc {
	return map[string]SourceFunc{"http": p.http, "tcp": p.tcp, "dns": p.dns, "certificate": p.certificate}
}

// endpoint is one of those whom a probe asks.
type endpoint struct {
	Name string `json:"name,omitempty"` // of the pod or node; "" where the step names an address
	Host string `json:"host"`
	Port string `json:"port"`
}

func (e endpoint) address() string { return net.JoinHostPort(e.Host, e.Port) }

// asking asks one endpoint once.
type asking func(ctx context.Context, at endpoint) probe.Result

// ask asks whom a step is aimed at: an address, each of its addresses, or what the batch made.
func (p *Probes) ask(ctx context.Context, q Question, aim pipelines.ProbeAim, at endpoint, one asking) Finding {
	switch {
	case q.targets != nil:
		return p.askTarget(ctx, *q.targets, one)
	case aim.EveryAddress:
		addresses, r := p.prober.Addresses(ctx, at.Host)
		if r.Verdict != api.Passed {
			return found([]probe.Result{r}, 1)
		}
		var all []endpoint
		for _, a := range addresses {
			all = append(all, endpoint{a.String(), a.String(), at.Port})
		}
		return found(askAll(ctx, all, one), len(all))
	}
	return found([]probe.Result{one(ctx, at)}, 1)
}

// askAll asks endpoints beside each other, and has the results speak of them by name.
func askAll(ctx context.Context, all []endpoint, one asking) []probe.Result {
	return probe.Each(ctx, all, func(ctx context.Context, at endpoint) probe.Result {
		r := one(ctx, at)
		if at.Name != "" {
			r.Target = at.Name
		}
		return r
	})
}

// askTarget asks each of a target. Where nobody can be reached at all it asks some of the old ones too: that these cannot be
// reached either says that there is no way from here, and nothing about the change.
func (p *Probes) askTarget(ctx context.Context, to targets, one asking) Finding {
	results := askAll(ctx, to.New, one)
	f := found(results, len(to.New))
	if to.Waiting > 0 {
		f.Seen["notReady"] = int64(to.Waiting)
	}
	if f.Verdict == api.Passed && to.Waiting > 0 {
		f.Message += fmt.Sprintf("; %d pods are not ready, and were not asked", to.Waiting)
	}
	if f.Verdict != api.Failed || !allOutOfReach(results) || ctx.Err() != nil {
		return f
	}
	switch before := askAll(ctx, to.Old, one); {
	case len(to.Old) == 0:
		f.Verdict, f.Message = api.Inconclusive, "no connection to any, and none of the old revision to compare with: "+f.Message
	case allOutOfReach(before):
		f.Verdict = api.Error
		f.Message = "no connection to any, nor to those of the old revision: " + p.here + " has no way there: " + f.Message
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
