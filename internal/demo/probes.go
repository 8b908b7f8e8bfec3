package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// shipProbes rolls the component of probes out. From then on the agent runs them in every cluster.
func (p *play) shipProbes(ctx context.Context) error {
	_, err := p.roll(ctx, rollout{blackBox, version1, probesPipeline, 1}, exitDone)
	return err
}

// tellProbes shows what probes know of every cluster, and what came of the case that stopped the web; and proves that it knows all of it.
func (p *play) tellProbes(ctx context.Context) error {
	if err := p.known(ctx); err != nil {
		return err
	}
	cluster := p.shape.clusters[0]
	var came []probing.Outcome
	if err := p.json(ctx, &came, "probe", "history", webCase, "--cluster", cluster); err != nil {
		return err
	}
	if err := proveCame(came); err != nil {
		return fmt.Errorf("%w in %s", err, cluster)
	}
	for _, args := range [][]string{{"get", "probes"}, {"probe", "history", webCase, "--cluster", cluster}} {
		if err := p.types(ctx, operator, args...); err != nil {
			return err
		}
	}
	return nil
}

// known waits until both cases pass in every cluster.
func (p *play) known(ctx context.Context) error {
	for {
		var stands []probing.Stand
		err := p.json(ctx, &stands, "get", "probes")
		if err == nil {
			err = p.provePassing(stands)
		}
		if err == nil {
			return nil
		}
		if waited := pause(ctx, time.Second); waited != nil {
			return fmt.Errorf("%w: %w", waited, err)
		}
	}
}

// provePassing proves that a case of each kind passes in every cluster.
func (p *play) provePassing(stands []probing.Stand) error {
	for _, cluster := range p.shape.clusters {
		for name, mode := range map[string]probing.Mode{webCase: probing.OneShot, apiCase: probing.Resident} {
			i := slices.IndexFunc(stands, func(s probing.Stand) bool { return s.Cluster == cluster && s.Case == name })
			if i < 0 {
				return fmt.Errorf("nothing is known of case %s in %s", name, cluster)
			}
			if s := stands[i]; s.State != probing.Passing || s.Mode != mode {
				return fmt.Errorf("case %s in %s should be %s and %s, and is %s and %s", name, cluster, mode, probing.Passing, s.Mode, s.State)
			}
		}
	}
	return nil
}

// proveCame proves that a check has found the bad version, and that changes of the web have had it asked at once.
func proveCame(all []probing.Outcome) error {
	for by, verdicts := range map[probing.CauseKind][]api.Verdict{
		probing.ByGate:  {api.Failed},
		probing.ByEvent: {api.Failed, api.Passed}, // at once: while the bad pod comes, or goes
	} {
		if !slices.ContainsFunc(all, func(o probing.Outcome) bool { return o.Cause.Kind == by && slices.Contains(verdicts, o.Verdict) }) {
			return fmt.Errorf("a run of %s by %s should be %s, and of %d none is", webCase, strings.ToLower(string(by)), verdicts, len(all))
		}
	}
	return nil
}

// json reads what a command says.
func (p *play) json(ctx context.Context, into any, args ...string) error {
	out, err := p.sluice(ctx, append(args, "-o", "json")...).Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		return fmt.Errorf("cannot read what sluice %s says: %w", strings.Join(args, " "), err)
	}
	return nil
}
