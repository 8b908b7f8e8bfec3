package tell

import (
	"sluice.dev/sluice/internal/api"
)

// Report is what a unit tells its run.
type Report struct {
	Cluster  string         `json:"cluster"`
	Phase    api.Phase      `json:"phase"`
	Moved    bool           `json:"moved,omitempty"`
	Waiting  *api.Waiting   `json:"waiting,omitempty"`
	Failure  *api.Check     `json:"failure,omitempty"`
	FailedAt string         `json:"failedAt,omitempty"`
	Last     *api.LastBatch `json:"last,omitempty"`
	Look     bool           `json:"look,omitempty"` // the unit has arrived, and is looked at
	// Which execution of the unit's workflow says so, and its how manyth report it is: signals may overtake each other, and
	// one may come in after its unit has ended and another has begun there.
	Execution string `json:"execution,omitempty"`
	Number    int    `json:"number,omitempty"`
}
