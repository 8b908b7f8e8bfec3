package centre

import (
	"context"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/uplink"
)

// notLetIn is all that is said of an invitation that is none.
func notLetIn() error {
	return fault.New(fault.Unauthorized, "the invitation does not count: it is unknown, was used, or is over; make another one with: "+
		"sluice cluster enroll CLUSTER")
}

// enrol lets an agent in by its invitation.
func (c *Centre) enrol(ctx context.Context, req uplink.EnrolRequest) (uplink.Enrolled, error) {
	if err := c.bounds.come(); err != nil {
		return uplink.Enrolled{}, err
	}
	key, err := credential.KeyOf(req.Request)
	if err != nil {
		return uplink.Enrolled{}, err
	}
	shown := credential.Invitation{Secret: req.Secret}.Hash()
	var out uplink.Enrolled
	a, err := c.Ledger.Enrol(ctx, req.Invitation, func(i *ledger.Invitation, a *ledger.Agent) error {
		if subtle.ConstantTimeCompare(shown[:], i.Hash[:]) != 1 {
			return fault.New(fault.NotFound, "its secret is another one")
		}
		now := c.Clock.Now().UTC()
		if err := i.Take(key, now); err != nil {
			return err
		}
		if err := speaks(i.Agent, req.Build, c.Build); err != nil {
			return err
		}
		certificate, serial, err := c.Authority.Agent(i.Agent, req.Request, now)
		if err != nil {
			return err
		}
		if err := a.Enrol(*i, serial); err != nil {
			return err
		}
		out = uplink.Enrolled{Agent: i.Agent, Site: i.Site, Certificate: certificate, Authority: c.Authority.Certificate()}
		return nil
	})
	if fault.CodeOf(err) == fault.NotFound {
		err = notLetIn()
	}
	if err != nil {
		c.Logger.Warn("an agent was not let in", "invitation", clip.Bytes(req.Invitation, 40), "why", err)
		return uplink.Enrolled{}, err
	}
	c.roster.put(a)
	c.Logger.Info("an agent came in", "agent", a.Name, "site", a.Site)
	return out, c.Ledger.AddEntry(ctx, ledger.Entry{
		At: c.Clock.Now().UTC(), Who: "agent:" + a.Name, Command: "enrolled", Object: "agent " + a.Name,
		Reason: fmt.Sprintf("invited by %s, for site %s", a.EnrolledBy, a.Site), Outcome: "done",
	})
}

// renew gives an agent a newer certificate.
func (c *Centre) renew(ctx context.Context, req uplink.RenewRequest) (uplink.Enrolled, error) {
	who := callerOf(ctx)
	certificate, serial, err := c.Authority.Agent(who.Name, req.Request, c.Clock.Now())
	if err != nil {
		return uplink.Enrolled{}, err
	}
	a, err := c.Ledger.ChangeAgent(ctx, who.Name, func(a *ledger.Agent) error { return a.Renew(who.serial, serial) })
	if err != nil {
		return uplink.Enrolled{}, err
	}
	c.roster.put(a)
	return uplink.Enrolled{Agent: a.Name, Site: a.Site, Certificate: certificate, Authority: c.Authority.Certificate()}, nil
}

// Bounds on what an agent says of its clusters.
const (
	maxText  = 500
	maxZones = 50
)

// beat hears that an agent is there, and tells it what it has to know.
func (c *Centre) beat(ctx context.Context, req uplink.BeatRequest) (uplink.Stand, error) {
	who := callerOf(ctx)
	if err := speaks(who.Name, req.Build, c.Build); err != nil {
		return uplink.Stand{}, err
	}
	if len(req.Instance) < 8 || len(req.Instance) > 64 {
		return uplink.Stand{}, fault.New(fault.Invalid, "an instance is named by 8 to 64 characters")
	}
	near, err := c.Sites.Site(ctx, who.Site)
	if err != nil {
		return uplink.Stand{}, err
	}
	now := c.Clock.Now().UTC()
	seen := ledger.AgentSeen{
		Instance: req.Instance, Host: clip.Bytes(req.Host, maxText), Build: clip.Bytes(req.Build, maxText), Since: now, Seen: now,
		Ahead: req.Now.Sub(now).Round(time.Second), Clusters: bounded(req.Clusters, near),
	}
	if req.Ends {
		seen.Ended = now
	}
	if err := c.others(who, seen.Clusters, now); err != nil {
		return uplink.Stand{}, err
	}
	a, err := c.Ledger.ChangeAgent(ctx, who.Name, func(a *ledger.Agent) error {
		if err := a.Counts(who.serial); err != nil {
			return err
		}
		return a.Beat(seen)
	})
	if err != nil {
		return uplink.Stand{}, err
	}
	c.roster.put(a)
	temporal, err := c.Temporal(ctx)
	if err != nil {
		return uplink.Stand{}, err
	}
	return uplink.Stand{
		Now: now, Build: c.Build, Installation: c.Installation, Namespace: temporal.Namespace, Site: who.Site, Clusters: near,
		Payloads: c.Authority.PayloadKey(who.Site),
	}, nil
}

// others is fault.Conflict where another agent that is there reaches a cluster by the same name that is another one.
func (c *Centre) others(who caller, clusters []ledger.AgentCluster, now time.Time) error {
	mine := map[string]string{}
	for _, cluster := range clusters {
		mine[cluster.Name] = cluster.UID
	}
	for _, other := range c.roster.others(who.Site, who.Name) {
		if !other.There(now) {
			continue
		}
		for _, cluster := range other.Clusters {
			if uid := mine[cluster.Name]; uid != "" && cluster.UID != "" && uid != cluster.UID {
				return fault.New(fault.Conflict, "cluster %s is another one (%s) than the one that agent %s on %s reaches by that name (%s)",
					cluster.Name, uid, other.Name, other.Host, cluster.UID)
			}
		}
	}
	return nil
}

// bounded is what an agent says of clusters of its site, each once and within bounds.
func bounded(said []ledger.AgentCluster, near []uplink.Near) (all []ledger.AgentCluster) {
	known := map[string]bool{}
	for _, n := range near {
		known[n.Name] = true
	}
	for _, s := range said {
		if !known[s.Name] {
			continue
		}
		delete(known, s.Name)
		s.UID, s.Version, s.Problem = clip.Bytes(s.UID, maxText), clip.Bytes(s.Version, maxText), clip.Bytes(s.Problem, maxText)
		s.Nodes, s.Pods = max(s.Nodes, 0), max(s.Pods, 0)
		s.Zones = s.Zones[:min(len(s.Zones), maxZones)]
		for i, z := range s.Zones {
			s.Zones[i] = clip.Bytes(strings.ToValidUTF8(z, ""), maxText)
		}
		all = append(all, s)
	}
	return all
}
