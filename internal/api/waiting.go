package api

import "time"

// Waiting says what something waits for.
type Waiting struct {
	Kind  string    `json:"kind"` // lock, approval, check, pods, soak, cluster, decision, person
	Name  string    `json:"name,omitempty"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"` // when it changes by itself
	Unmet []string  `json:"unmet,omitempty"`
	Owner string    `json:"owner,omitempty"` // who can act
}

// WaitsFor is what a run waits for: its own reason, else its stage's, else that of the unit that needs somebody most, else
// that of the first that waits for anything. Nil where nothing does.
func (r *RunStatus) WaitsFor() *Waiting {
	if r.Waiting != nil || r.Phase.Final() {
		return r.Waiting
	}
	var first *UnitStatus
	for i := range r.Stages {
		if r.Stages[i].Waiting != nil {
			return r.Stages[i].Waiting
		}
		for j := range r.Stages[i].Units {
			u := &r.Stages[i].Units[j]
			if u.Waiting != nil && (first == nil || u.Phase.Urgency() > first.Phase.Urgency()) {
				first = u
			}
		}
	}
	if first == nil {
		return nil
	}
	return first.Waiting
}
