package engine

import (
	"context"
	"slices"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// The states of an agent.
const (
	AgentThere   = "There"   // it beats
	AgentSilent  = "Silent"  // it has not beaten for a while, and did not say that it ends
	AgentEnded   = "Ended"   // it has said so
	AgentAwaited = "Awaited" // it came in, and has said nothing yet
	AgentRevoked = "Revoked"
)

// Agent is an agent that the ledger knows, and whether it is there.
type Agent struct {
	ledger.Agent
	State string `json:"state"`
}

// Agents lists the agents, by name. It asks none of them.
func (e *Engine) Agents(ctx context.Context) ([]Agent, error) {
	kept, err := e.ledger.ListAgents(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Agent, len(kept))
	for i, a := range kept {
		all[i] = Agent{Agent: a, State: AgentSilent}
		switch {
		case !a.Revoked.IsZero():
			all[i].State = AgentRevoked
		case a.There(e.now()):
			all[i].State = AgentThere
		case a.Instance == "":
			all[i].State = AgentAwaited
		case !a.Ended.IsZero():
			all[i].State = AgentEnded
		}
	}
	return all, nil
}

// sighted is what agents say of clusters. Where two say something, the one that was seen last counts, and none that the cluster has left.
func (e *Engine) sighted(ctx context.Context) (map[string]plan.Sighted, error) {
	agents, err := e.ledger.ListAgents(ctx)
	if err != nil {
		return nil, err
	}
	fleet, err := e.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(agents, func(a, b ledger.Agent) int { return a.Seen.Compare(b.Seen) })
	seen := map[string]plan.Sighted{}
	for _, a := range agents {
		for _, c := range a.Clusters {
			at, known := fleet.Cluster(c.Name) // it may have left the site since
			if c.Problem == "" && a.Revoked.IsZero() && (!known || at.Site == a.Site) {
				seen[c.Name] = plan.Sighted{Nodes: c.Nodes, Pods: c.Pods, Zones: c.Zones, Version: c.Version}
			}
		}
	}
	return seen, nil
}

// reached is fault.Refused where an agent that is there does not reach a cluster of its site though it should: its tasks would fail now and
// then. A cluster that nobody reaches is none of these: it is out of reach, and counted so.
func (e *Engine) reached(ctx context.Context, p *plan.Plan) error {
	agents, err := e.ledger.ListAgents(ctx)
	if err != nil {
		return err
	}
	agents = slices.DeleteFunc(agents, func(a ledger.Agent) bool { return !a.Revoked.IsZero() || !a.There(e.now()) })
	sites := map[string]bool{}
	for _, at := range p.Places() {
		sites[at.Site] = at.Site != ""
	}
	by := map[string]string{} // cluster: an agent that reaches it
	for _, a := range agents {
		for _, c := range a.Clusters {
			if c.Problem == "" {
				by[c.Name] = a.Name
			}
		}
	}
	for _, a := range agents {
		for _, c := range a.Clusters {
			if !sites[a.Site] || c.Problem == "" || c.Down && by[c.Name] == "" {
				continue
			}
			other := ""
			if by[c.Name] != "" {
				other = ", and agent " + by[c.Name] + " does"
			}
			return fault.New(fault.Refused, "cannot plan for site %s: its agent %s on %s does not reach cluster %s%s: %s",
				a.Site, a.Name, a.Host, c.Name, other, c.Problem)
		}
	}
	return nil
}

// RevokeAgent has an agent no longer be let in, and its certificates no longer count: within seconds it reads and writes nothing. It needs
// no server. It is fault.NotFound where there is none, and fault.Invalid without a reason.
func (e *Engine) RevokeAgent(ctx context.Context, name, by, reason string) (ledger.Agent, error) {
	if reason == "" {
		return ledger.Agent{}, fault.New(fault.Invalid, "cannot revoke agent %s for no reason", name)
	}
	by, fresh := e.named(by), false
	a, err := e.ledger.ChangeAgent(ctx, name, func(a *ledger.Agent) error {
		fresh = a.Revoke(by, e.now().UTC())
		return nil
	})
	if err != nil || !fresh {
		return a, err
	}
	return a, e.audit(ctx, ledger.Entry{
		Who: by, Command: "agent revoke", Object: "agent " + name, Scope: "site " + a.Site, Reason: reason, Outcome: "accepted",
	})
}
