package api

// Scope narrows a command to a part of a run; all of it where nothing is set.
type Scope struct {
	Stage    string   `json:"stage,omitempty"`
	Group    string   `json:"group,omitempty"`
	Clusters []string `json:"clusters,omitempty"`
}

// Whole reports whether the scope is the whole run.
func (s Scope) Whole() bool { return s.Stage == "" && s.Group == "" && len(s.Clusters) == 0 }

// String names the scope as the command line does.
func (s Scope) String() string {
	switch {
	case s.Stage != "":
		return "stage " + s.Stage
	case s.Group != "":
		return "group " + s.Group
	case len(s.Clusters) > 0:
		out := "cluster"
		for _, c := range s.Clusters {
			out += " " + c
		}
		return out
	}
	return "run"
}

// Holds reports whether a unit is in the scope.
func (s Scope) Holds(u UnitStatus) bool {
	if s.Whole() {
		return true
	}
	if s.Stage != "" && s.Stage == u.Stage || s.Group != "" && s.Group == u.Group {
		return true
	}
	for _, c := range s.Clusters {
		if c == u.Cluster {
			return true
		}
	}
	return false
}
