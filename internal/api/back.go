package api

import (
	"fmt"

	"sluice.dev/sluice/internal/clip"
)

// TakingBack is what a rollback does, or would do: the same for a dry run and for the command itself.
type TakingBack struct {
	Run   string `json:"run"`          // whose work is taken back
	By    string `json:"by,omitempty"` // the run that takes it back; "" where the run does so itself, or it would be one of its own
	Scope Scope  `json:"scope,omitzero"`
	// Ends: the run is open, and ends with this. A part that is taken back ends all of it.
	Ends  bool       `json:"ends"`
	Units []UnitBack `json:"units"` // that go back, in the order in which they do
	// Stops are the paths of the other open units: they stop where they are and are disarmed.
	Stops []string `json:"stops,omitempty"`
	// Unstarted are the paths of the units that the run will not come to any more.
	Unstarted []string `json:"unstarted,omitempty"`
}

// UnitBack is a unit that goes back.
type UnitBack struct {
	Path    string `json:"path"`
	Cluster string `json:"cluster"`
	Stops   bool   `json:"stops,omitempty"` // it is open: it turns round where it is
	WayBack string `json:"wayBack"`         // as plan prints it
}

func (u UnitBack) line() string {
	if u.Stops {
		return fmt.Sprintf("%s: stops; way back: %s", u.Path, u.WayBack)
	}
	return fmt.Sprintf("%s: way back: %s", u.Path, u.WayBack)
}

// Lines are the units, for people.
func (t TakingBack) Lines() []string {
	var out []string
	for _, u := range t.Units {
		out = append(out, u.line())
	}
	return out
}

// Besides says what happens to the rest of the run, as the end of a sentence that begins with a semicolon; "" where nothing
// does. Would is for what has not been asked for yet.
func (t TakingBack) Besides(would bool) string {
	if !t.Ends {
		return ""
	}
	ends, stop, starts := "ends", "stops where it is, disarmed", "are not started"
	if len(t.Stops) > 1 {
		stop = "stop where they are, disarmed"
	}
	if len(t.Unstarted) == 1 {
		starts = "is not started"
	}
	if would {
		ends = "would end"
	}
	said := fmt.Sprintf("; %s %s with it", t.Run, ends)
	if len(t.Stops) > 0 {
		said += fmt.Sprintf(", %s (%s) %s", Counted(len(t.Stops), "other open unit"), fewOf(t.Stops), stop)
	}
	if len(t.Unstarted) > 0 {
		said += fmt.Sprintf(", %s %s", Counted(len(t.Unstarted), "unit"), starts)
	}
	return said
}

// fewOf lists at most three of many.
func fewOf(all []string) string { return clip.Few(all, 3) }
