package tell

import (
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
)

// ClusterInput starts one unit.
type ClusterInput struct {
	step.Ref
	Stage  string `json:"stage"`
	Group  string `json:"group"`
	Path   string `json:"path"`
	Site   string `json:"site,omitempty"`
	Parent string `json:"parent"` // workflow ID of the run
	Paused bool   `json:"paused,omitempty"`
	// Closes has the unit close as it ended: as failed, cancelled or completed, with its status in the error. The run that
	// started it reads that; one that did not say so takes any error for a crash.
	Closes bool `json:"closes,omitempty"`
	// TellEvery is how often the unit may tell its run of changes that decide nothing; 0 for never.
	TellEvery time.Duration `json:"tellEvery,omitempty"`
}

// Title is what a run moves, and by what, as its children show it.
type Title struct {
	Subject  api.Subject `json:"component"`
	Version  string      `json:"version"`
	Pipeline string      `json:"pipeline"`
}
