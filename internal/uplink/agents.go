package uplink

import (
	"time"

	"sluice.dev/sluice/internal/ledger"
)

// None is a request or an answer that says nothing.
type None struct{}

// The calls by which an agent comes in, stays and goes. Enrol is the only one that needs no certificate.
var (
	Enrol = Method[EnrolRequest, Enrolled]{"Enrol"}
	Renew = Method[RenewRequest, Enrolled]{"Renew"}
	Beat  = Method[BeatRequest, Stand]{"Beat"}
)

// EnrolRequest shows an invitation.
type EnrolRequest struct {
	Invitation string `json:"invitation"` // its ID
	Secret     string `json:"secret"`
	Request    []byte `json:"request"` // for a certificate, in PEM
	Build      string `json:"build"`
}

// RenewRequest asks for a newer certificate.
type RenewRequest struct {
	Request []byte `json:"request"` // in PEM
}

// Enrolled is a certificate, and what goes with it.
type Enrolled struct {
	Agent       string `json:"agent"`
	Site        string `json:"site"`
	Certificate []byte `json:"certificate"` // in PEM
	Authority   []byte `json:"authority"`   // its certificate, in PEM
}

// BeatRequest says that an agent is there, and what it sees.
type BeatRequest struct {
	Instance string                `json:"instance"` // which of its processes
	Host     string                `json:"host"`
	Build    string                `json:"build"`
	Now      time.Time             `json:"now"` // by its clock
	Ends     bool                  `json:"ends,omitempty"`
	Clusters []ledger.AgentCluster `json:"clusters,omitempty"`
}

// Stand is what an agent has to know of the centre.
type Stand struct {
	Now          time.Time `json:"now"` // by the server's clock
	Build        string    `json:"build"`
	Installation string    `json:"installation"`
	Namespace    string    `json:"namespace"` // of Temporal
	Site         string    `json:"site"`
	Clusters     []Near    `json:"clusters"`           // of the site, as the installation's fleet has them
	Payloads     []byte    `json:"payloads,omitempty"` // the key of the site's payloads; a server that is older has none
}

// Near is a cluster of a site.
type Near struct {
	Name    string `json:"name"`
	Context string `json:"context"` // in a kubeconfig
}
