package engine

import (
	"context"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
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
