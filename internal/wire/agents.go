package wire

import (
	"net/http"
	"time"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
)

// EnrollBody invites an agent.
type EnrollBody struct {
	Cluster string    `json:"cluster" minLength:"1" maxLength:"253" doc:"A cluster of the installation's fleet: the agent is of its site."`
	Agent   string    `json:"agent,omitempty" maxLength:"63" doc:"The agent's name; that of the cluster where it is empty."`
	Expires time.Time `json:"expires" doc:"At most 7 days from now."`
}

// Invited is an agent that was just invited, with what it comes in with, which is told this once.
type Invited struct {
	Agent      string    `json:"agent"`
	Site       string    `json:"site"`
	Clusters   []string  `json:"clusters"` // of the site
	Expires    time.Time `json:"expires"`
	Invitation string    `json:"invitation"`
}

// RevokingAgent has an agent no longer be let in.
type RevokingAgent struct {
	Key
	Agent string `path:"agent" minLength:"1" maxLength:"63"`
	Body  Why
}

// Of agents. EnrollAgent takes no key: its answer is kept nowhere.
var (
	EnrollAgent = Operation[struct{ Body EnrollBody }, Invited]{
		"enroll-agent", http.MethodPost, "/agents", "Invite an agent of a cluster's site.", "agents", false}
	ListAgents = Operation[None, []engine.Agent]{
		"list-agents", http.MethodGet, "/agents", "List the agents, and whether they are there.", "agents", false}
	RevokeAgent = Operation[RevokingAgent, ledger.Agent]{
		"revoke-agent", http.MethodPost, "/agents/{agent}/revoke", "Have an agent no longer be let in.", "agents", true}
)
