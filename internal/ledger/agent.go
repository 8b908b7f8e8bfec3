package ledger

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// Agent is a program that works near the clusters of a site and dials in: as it was let in, and as it said last.
type Agent struct {
	Name       string    `json:"name"`
	Site       string    `json:"site"`
	Enrolled   time.Time `json:"enrolled"`
	EnrolledBy string    `json:"enrolledBy"` // who invited it
	// Certificates are the serial numbers of those that count: the newest first, and the one before, as the newest may never have come.
	Certificates []string  `json:"certificates,omitempty"`
	Revoked      time.Time `json:"revoked,omitzero"`
	RevokedBy    string    `json:"revokedBy,omitempty"`
	AgentSeen
}

// AgentSeen is what an agent said when it beat last.
type AgentSeen struct {
	Instance string         `json:"instance,omitempty"` // random: of the process
	Host     string         `json:"host,omitempty"`
	Build    string         `json:"build,omitempty"`
	Since    time.Time      `json:"since,omitzero"`  // the process is there
	Seen     time.Time      `json:"seen,omitzero"`   // by the server's clock
	Ended    time.Time      `json:"ended,omitzero"`  // it has said that it ends
	Ahead    time.Duration  `json:"ahead,omitempty"` // of its clock before the server's
	Clusters []AgentCluster `json:"clusters,omitempty"`
}

// AgentCluster is a cluster as an agent sees it.
type AgentCluster struct {
	Name    string   `json:"name"`
	UID     string   `json:"uid,omitempty"`     // of its namespace kube-system: which cluster it is, whatever it is called
	Version string   `json:"version,omitempty"` // of Kubernetes
	Nodes   int      `json:"nodes,omitempty"`
	Pods    int      `json:"pods,omitempty"`
	Zones   []string `json:"zones,omitempty"`
	Problem string   `json:"problem,omitempty"` // why it is not reached
	Down    bool     `json:"down,omitempty"`    // its API server does not answer: the agent's own credentials are not what is wrong
}

const (
	// AgentBeatEvery is how often an agent says that it is there.
	AgentBeatEvery = 15 * time.Second
	// AgentBeatsWithin is for how long an agent that was seen is taken to be there.
	AgentBeatsWithin = 3 * AgentBeatEvery
	// MaxAgents bounds the agents of an installation.
	MaxAgents = 5000
)

// There reports whether a process of the agent is there.
func (a *Agent) There(now time.Time) bool {
	return a.Instance != "" && a.Ended.IsZero() && now.Sub(a.Seen).Abs() < AgentBeatsWithin
}

// Counts is fault.Unauthorized where a certificate of the agent does not count.
func (a *Agent) Counts(serial string) error {
	if !a.Revoked.IsZero() {
		return fault.New(fault.Unauthorized, "agent %s was revoked by %s at %s", a.Name, a.RevokedBy, a.Revoked.UTC().Format(time.RFC3339))
	}
	if !slices.Contains(a.Certificates, serial) {
		return fault.New(fault.Unauthorized, "the certificate of agent %s does not count any more: it has a newer one, or was enrolled anew",
			a.Name)
	}
	return nil
}

// Renew makes a certificate the agent's newest, at the hand of one that counts.
func (a *Agent) Renew(by, serial string) error {
	if err := a.Counts(by); err != nil {
		return err
	}
	a.Certificates = []string{serial, by}
	return nil
}

// Revoke has no certificate of the agent count any more. It was revoked already where false.
func (a *Agent) Revoke(by string, at time.Time) bool {
	if !a.Revoked.IsZero() {
		return false
	}
	a.Revoked, a.RevokedBy, a.Certificates = at, by, nil
	return true
}

// Beat notes what a process of the agent says. It is fault.Conflict where another process of it is there, which it names: two would each
// do half of the work, and one of them may be a stranger with a copy of its key.
func (a *Agent) Beat(seen AgentSeen) error {
	if a.Instance != seen.Instance && a.There(seen.Seen) {
		return a.Elsewhere()
	}
	if a.Instance == seen.Instance {
		seen.Since = a.Since
	}
	a.AgentSeen = seen
	return nil
}

// Elsewhere is fault.Conflict, and says where the process of the agent is that is there.
func (a *Agent) Elsewhere() error {
	return fault.New(fault.Conflict, "agent %s is there already: a process on %s, since %s", a.Name, a.Host,
		a.Since.UTC().Format(time.RFC3339))
}

// Invitation lets one agent in, once.
type Invitation struct {
	ID      string            `json:"id"`
	Hash    [sha256.Size]byte `json:"hash"` // of its secret
	Agent   string            `json:"agent"`
	Site    string            `json:"site"`
	By      string            `json:"by"`
	Created time.Time         `json:"created"`
	Expires time.Time         `json:"expires"`
	Key     string            `json:"key,omitempty"` // the public key that came with it: whoever shows it again has to have that one
	Used    time.Time         `json:"used,omitzero"` // when that was
}

// Take notes that whoever has a public key came with the invitation. It is fault.Unauthorized where it is over, or was another's.
func (i *Invitation) Take(key string, now time.Time) error {
	if !now.Before(i.Expires) {
		return fault.New(fault.Unauthorized, "the invitation of agent %s ended at %s", i.Agent, i.Expires.UTC().Format(time.RFC3339))
	}
	if i.Key != "" && i.Key != key {
		return fault.New(fault.Unauthorized, "the invitation of agent %s was used already, by another", i.Agent)
	}
	if i.Key == "" {
		i.Key, i.Used = key, now
	}
	return nil
}

// Enrol has an agent be the one that comes in by an invitation that was taken, with a certificate of a serial number. It is
// fault.Unauthorized where the invitation is older than the agent's revocation, or is shown again though an agent came in since; and
// fault.Conflict where the name is another site's.
//
// Clocks of servers are apart: that somebody came in later than now does not keep a new invitation from counting.
func (a *Agent) Enrol(i Invitation, again bool, serial string) error {
	switch {
	case !a.Revoked.IsZero() && !a.Revoked.Before(i.Created):
		return fault.New(fault.Unauthorized, "the invitation of agent %s is older than its revocation", i.Agent)
	case again && (!a.Enrolled.Equal(i.Used) || a.Instance != ""):
		return fault.New(fault.Unauthorized, "the invitation of agent %s was used already, and it has come in since", i.Agent)
	case a.Revoked.IsZero() && a.Site != "" && a.Site != i.Site:
		return fault.New(fault.Conflict, "agent %s is of site %s, and the invitation for site %s; revoke it first", i.Agent, a.Site, i.Site)
	}
	// What was enrolled before under this name is out: one of the two would be a stranger.
	*a = Agent{Site: i.Site, Enrolled: i.Used, EnrolledBy: i.By, Certificates: []string{serial}}
	return nil
}

// Agents keeps who works near clusters: who is invited, who came in, and which blobs a site may read. It is wide as coming in is one
// truth: an invitation that is used up, and a certificate that counts from then on.
type Agents interface {
	// Invite keeps an invitation, and forgets those that ended a day before. It is fault.Conflict where its ID is taken.
	Invite(ctx context.Context, i Invitation) error
	// Enrol has change decide over an invitation and over the agent that it names, whose Name is "" where it is not known yet, and keeps both
	// unless that is an error. It is fault.NotFound where there is no such invitation, and fault.Refused where there are MaxAgents already.
	Enrol(ctx context.Context, invitation string, change func(*Invitation, *Agent) error) (Agent, error)
	// ChangeAgent has change decide over an agent, and keeps it unless that is an error. It is fault.NotFound where there is none.
	ChangeAgent(ctx context.Context, name string, change func(*Agent) error) (Agent, error)
	// ListAgents returns all, by name.
	ListAgents(ctx context.Context) ([]Agent, error)
	// Share lets a site read blobs, which need not be there.
	Share(ctx context.Context, site string, digests ...string) error
	// Shared reports whether a site may read a blob.
	Shared(ctx context.Context, site, digest string) (bool, error)
}

// Check is Invalid where an invitation lacks what it is known by.
func (i Invitation) Check() error {
	return required("invitation", "ID", i.ID, "agent", i.Agent, "site", i.Site, "inviter", i.By)
}
