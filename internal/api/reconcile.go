package api

// Trust is which of two records of what runs in a cluster is taken for right, where they disagree.
type Trust string

// What can be trusted.
const (
	TrustCluster Trust = "cluster" // the component's Lease in the cluster
	TrustLedger  Trust = "ledger"
)

// ReconcileInput asks to make the Lease of a component in a cluster and the ledger agree.
type ReconcileInput struct {
	Subject Subject `json:"component"`
	Cluster string  `json:"cluster"`
	Context string  `json:"context"`
	Site    string  `json:"site,omitempty"`
	Trust   Trust   `json:"trust"`
}

// Reconciled is what Lease and ledger said, and what both say now.
type Reconciled struct {
	Agreed bool     `json:"agreed,omitempty"` // they did before
	Lease  Recorded `json:"lease"`
	Ledger Recorded `json:"ledger"`
	Now    Recorded `json:"now"`
}

// Recorded is what runs in a cluster, as it was written down. Its zero value is that nothing is known.
type Recorded struct {
	Run     string `json:"run,omitempty"`
	Version string `json:"version,omitempty"` // a Lease has none
	Target  string `json:"target,omitempty"`
	Held    bool   `json:"held,omitempty"` // a run is at work, or died at it: the Lease says what it brings, not what runs
}
