package pipelines

// Fuse freezes a part of the fleet by itself when too much of what ends there has failed, over all runs. It is kept in the ledger, not
// in a pipeline's files, so that no author of a pipeline can leave it out.
type Fuse struct {
	Metadata Metadata `json:"metadata"`
	Spec     FuseSpec `json:"spec"`
	Position Position `json:"-"`
}

// FuseSpec is the body of a Fuse. It trips where, of the last clusters in which a run of its scope has ended within a time, so many
// failed.
type FuseSpec struct {
	Description string    `json:"description,omitempty" is:"text"`
	Failures    int       `json:"failures" range:"1..1000"` // so many failed
	Of          int       `json:"of" range:"1..1000"`       // of the last so many that ended; fewer count too
	Within      Duration  `json:"within"`                   // the time that it looks back, 1m to 7d
	Scope       FuseScope `json:"scope,omitempty"`          // whose clusters count, and what it freezes; default everything
	// what becomes of clusters that move then; default PauseNow
	InFlight FuseInFlight `json:"inFlight,omitempty"`
}

// FuseScope is what all that is set here has in common.
type FuseScope struct {
	Component    string   `json:"component,omitempty" is:"name"`
	Environment  string   `json:"environment,omitempty" is:"name"`
	ClusterGroup string   `json:"clusterGroup,omitempty" is:"name"`
	Clusters     []string `json:"clusters,omitempty" is:"name" items:"1..1000"`
	// that a cluster has, all of them
	ClusterLabels map[string]string `json:"clusterLabels,omitempty" keys:"labelKey" is:"labelValue" items:"1..100"`
}

// FuseInFlight says what becomes of clusters that move when a fuse trips.
type FuseInFlight string

// The ways, the most careful first.
const (
	FusePauseNow        FuseInFlight = "PauseNow"
	FusePauseAtBoundary FuseInFlight = "PauseAtBoundary"
	FuseFinish          FuseInFlight = "Finish"
)

func (FuseInFlight) values() []string {
	return []string{string(FusePauseNow), string(FusePauseAtBoundary), string(FuseFinish)}
}
