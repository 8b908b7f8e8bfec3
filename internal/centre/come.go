package centre

import (
	"context"
	"crypto/subtle"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

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
		again := i.Key != ""
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
		if err := a.Enrol(*i, again, serial); err != nil {
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
	maxName  = 63 // of a zone, a build, a UID
	maxZones = 50
	maxNodes = 100_000
	maxPods  = 10_000_000
	maxBeat  = 1 << 20 // bytes of all that it says
)

// Shapes of what an agent says: it goes into plans, which people read and approve.
var (
	kubernetes = regexp.MustCompile(`^v[0-9]{1,3}\.[0-9]{1,3}[-+.0-9A-Za-z]{0,50}$`)
	plainName  = regexp.MustCompile(`^[0-9A-Za-z]([-._0-9A-Za-z]{0,61}[0-9A-Za-z])?$`)
)

// line is what somebody says, on one line and within bounds.
func line(text string, most int) string {
	return clip.Bytes(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "")), most)
}

// shaped is a text that has a shape; "" for any other.
func shaped(text string, shape *regexp.Regexp) string {
	if len(text) > maxName || !shape.MatchString(text) {
		return ""
	}
	return text
}

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
		Instance: req.Instance, Host: line(req.Host, maxText), Build: line(req.Build, maxName), Since: now, Seen: now,
		Ahead: req.Now.Sub(now).Round(time.Second), Clusters: bounded(req.Clusters, near),
	}
	said, err := encoded(seen)
	if err != nil {
		return uplink.Stand{}, err
	}
	if len(said) > maxBeat {
		return uplink.Stand{}, fault.New(fault.Invalid, "what agent %s says of its clusters has %d bytes, and may have %d", who.Name, len(said),
			maxBeat)
	}
	if err := c.bounds.store(ctx, who.Name, len(said)); err != nil {
		return uplink.Stand{}, err
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
		s.UID, s.Version, s.Problem = shaped(s.UID, plainName), shaped(s.Version, kubernetes), line(s.Problem, maxText)
		s.Nodes, s.Pods = min(max(s.Nodes, 0), maxNodes), min(max(s.Pods, 0), maxPods)
		s.Zones = slices.DeleteFunc(s.Zones[:min(len(s.Zones), maxZones)], func(z string) bool { return shaped(z, plainName) == "" })
		slices.Sort(s.Zones)
		s.Zones = slices.Compact(s.Zones)
		all = append(all, s)
	}
	return all
}
