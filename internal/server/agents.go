package server

import (
	"cmp"
	"context"
	"regexp"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/uplink"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// invitationsFor bounds for how long an invitation may count.
const invitationsFor = 7 * 24 * time.Hour

var agentName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Invitations keeps who is invited, and who invited them.
type Invitations interface {
	Invite(ctx context.Context, i ledger.Invitation) error
	AddEntry(ctx context.Context, e ledger.Entry) error
}

func (s *server) agents(a huma.API, e *engine.Engine) {
	on(s, a, wire.EnrollAgent, all[struct{ Body wire.EnrollBody }](pipelines.RightRegister), s.enroll)
	on(s, a, wire.ListAgents, all[wire.None](pipelines.RightView), func(ctx context.Context, _ *wire.None) ([]engine.Agent, error) {
		return e.Agents(ctx)
	})
	on(s, a, wire.RevokeAgent, all[wire.RevokingAgent](pipelines.RightRegister),
		func(ctx context.Context, in *wire.RevokingAgent) (ledger.Agent, error) {
			return e.RevokeAgent(ctx, in.Agent, name(ctx), in.Body.Reason)
		})
}

// enroll makes an invitation, and has it in the audit before anybody is told it.
func (s *server) enroll(ctx context.Context, in *struct{ Body wire.EnrollBody }) (out wire.Invited, err error) {
	if s.Authority == nil {
		return out, fault.New(fault.Refused, "cannot invite an agent: this server lets none in; start it with --agents ADDRESS")
	}
	now, agent := s.Clock.Now().UTC(), cmp.Or(in.Body.Agent, in.Body.Cluster)
	if !agentName.MatchString(agent) {
		return out, fault.New(fault.Invalid, "cannot invite agent %q: its name is lower-case letters, digits and dashes, at most 63", agent)
	}
	if until := in.Body.Expires; !until.After(now) || until.After(now.Add(invitationsFor)) {
		return out, fault.New(fault.Invalid, "cannot invite agent %s until %s: invitations count for 7 days at most",
			agent, until.UTC().Format(time.RFC3339))
	}
	fleet, err := s.Engine.Fleet(ctx)
	if err != nil {
		return out, err
	}
	at, known := fleet.Cluster(in.Body.Cluster)
	if !known {
		return out, fault.New(fault.NotFound, "cannot find cluster %s in the installation's fleet; apply it first: sluice apply -f FLEET",
			in.Body.Cluster)
	}
	if at.Site == "" {
		return out, fault.New(fault.Invalid, "cannot invite an agent of cluster %s: it is of no site, and so its work is the central workers'; "+
			"give it one (spec.site), and apply the fleet", at.Cluster)
	}
	for _, c := range fleet.Site(at.Site) {
		out.Clusters = append(out.Clusters, c.Cluster)
	}
	if err := s.another(ctx, agent, at.Site); err != nil {
		return out, err
	}
	shown := s.Authority.Invite()
	invitation := ledger.Invitation{
		ID: shown.ID, Hash: shown.Hash(), Agent: agent, Site: at.Site, By: name(ctx), Created: now, Expires: in.Body.Expires.UTC(),
	}
	if err := s.Invitations.Invite(ctx, invitation); err != nil {
		return out, err
	}
	out.Agent, out.Site, out.Expires, out.Invitation = agent, at.Site, invitation.Expires, shown.String()
	return out, s.Invitations.AddEntry(ctx, ledger.Entry{
		At: now, Who: invitation.By, Command: "agent enroll", Object: "agent " + agent, Scope: "site " + at.Site,
		Outcome: "accepted, until " + invitation.Expires.Format(time.RFC3339),
	})
}

// another is fault.Conflict where an agent of that name is of another site: whoever comes in would turn it out.
func (s *server) another(ctx context.Context, agent, site string) error {
	all, err := s.Engine.Agents(ctx)
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Name == agent && a.Site != site && a.State != engine.AgentRevoked {
			return fault.New(fault.Conflict, "cannot invite agent %s of site %s: there is one of that name at site %s, which would be out then; "+
				"give another name with --agent, or revoke that one", agent, site, a.Site)
		}
	}
	return nil
}

// sites are those of the installation's fleet.
type sites struct{ engine *engine.Engine }

// Site implements centre.Sites.
func (s sites) Site(ctx context.Context, name string) (all []uplink.Near, err error) {
	fleet, err := s.engine.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	for _, at := range fleet.Site(name) {
		all = append(all, uplink.Near{Name: at.Cluster, Context: at.Context})
	}
	return all, nil
}

// statesWithin is how long a look at the states of agents may take.
const statesWithin = 5 * time.Second

// agentStates counts the agents by their state; nil where the ledger does not answer.
func agentStates(ctx context.Context, e *engine.Engine) map[string]int {
	ctx, stop := context.WithTimeout(ctx, statesWithin)
	defer stop()
	all, err := e.Agents(ctx)
	if err != nil {
		return nil
	}
	states := map[string]int{
		engine.AgentThere: 0, engine.AgentSilent: 0, engine.AgentEnded: 0, engine.AgentAwaited: 0, engine.AgentRevoked: 0,
	}
	for _, a := range all {
		states[a.State]++
	}
	return states
}
