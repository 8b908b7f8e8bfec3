package tell

import (
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/step"
)

// LookInput asks for looks at a unit that has arrived, while its group or stage soaks.
type LookInput struct {
	step.Ref
	Path   string        `json:"path"`
	Site   string        `json:"site,omitempty"`
	Stage  string        `json:"stage"`
	Group  string        `json:"group"`
	What   string        `json:"what"`   // soaks: "stage production"
	Record string        `json:"record"` // blob digest of the unit's step.UnitRecord
	Until  time.Time     `json:"until"`
	Quiet  time.Duration `json:"quiet"`  // of the whole soak
	Parent string        `json:"parent"` // workflow ID of whom it reports to
	// some check is measured in the background meanwhile
	Watches bool `json:"watches,omitempty"`
}

// Finding is what ended the looks before their time was over; nothing is set where it was.
type Finding struct {
	Check      *api.Check `json:"check,omitempty"`      // did not pass
	Superseded string     `json:"superseded,omitempty"` // the run that moves the unit now
}
