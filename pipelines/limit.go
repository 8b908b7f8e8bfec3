package pipelines

// Limit is how many clusters of one failure domain may change at once, over all components and runs. It is kept in the ledger, not in a
// pipeline's files.
type Limit struct {
	Metadata Metadata  `json:"metadata"`
	Spec     LimitSpec `json:"spec"`
	Position Position  `json:"-"`
}

// LimitSpec is the body of a Limit.
type LimitSpec struct {
	Description string `json:"description,omitempty" is:"text"`
	Domain      string `json:"domain" is:"labelKey"` // one of the fleet's failureDomains; cluster: each cluster is one by itself
	Clusters    int    `json:"clusters" range:"1..1000"`
	// what becomes of a cluster for which there is no room; default Queue
	OnConflict OnConflict `json:"onConflict,omitempty"`
}

// OnConflict is what becomes of a cluster for which a limit has no room.
type OnConflict string

// What may become of it.
const (
	ConflictQueue     OnConflict = "Queue"     // it waits its turn
	ConflictRefuse    OnConflict = "Refuse"    // it stands until a person resumes it
	ConflictSupersede OnConflict = "Supersede" // it takes the turn of its component's clusters that wait, and these stand
)

func (OnConflict) values() []string {
	return []string{string(ConflictQueue), string(ConflictRefuse), string(ConflictSupersede)}
}

func (l *linter) limit(of *Limit) {
	if of.Spec.OnConflict == "" {
		of.Spec.OnConflict = ConflictQueue
	}
}
