package pipelines

import "time"

// Drill is a version that is known to be bad, and that is run now and then where it may do harm, to prove that a pipeline still stops
// it.
type Drill struct {
	Metadata Metadata  `json:"metadata"`
	Spec     DrillSpec `json:"spec"`
	Position Position  `json:"-"`
}

// DrillSpec is the body of a Drill.
type DrillSpec struct {
	Component     string        `json:"component" is:"name"`
	Version       string        `json:"version" is:"version"`         // the bad one
	Pipeline      string        `json:"pipeline,omitempty" is:"name"` // that is to stop it; default the component's
	ClusterGroups Selector      `json:"clusterGroups"`                // clusters of these, and no others, are touched
	Schedule      DrillSchedule `json:"schedule"`                     // when it runs
	Expect        DrillExpect   `json:"expect,omitempty"`             // what counts as stopped
}

// DrillSchedule is when a drill runs.
type DrillSchedule struct {
	Cron     string `json:"cron" is:"text"`     // five fields, by the clock on the wall
	TimeZone string `json:"timeZone" is:"text"` // IANA name, such as Europe/Berlin, or UTC
}

// DrillExpect is what has to happen to the bad version.
type DrillExpect struct {
	StoppedBy []string `json:"stoppedBy,omitempty" is:"name" items:"1..20"` // one of these checks fails; default any
	Within    Duration `json:"within,omitempty"`                            // of its start, from 1m to 24h; default 30m
	Clusters  int      `json:"clusters,omitempty" range:"0..1000"`          // that it may move before; default 1
}

// Of the clock that a drill goes by, where it says nothing else.
const (
	drillWithin = 30 * time.Minute
	leastDrill  = time.Minute
	mostDrill   = 24 * time.Hour
)

// OrDefault fills in what the document may leave out.
func (e DrillExpect) OrDefault() DrillExpect {
	if e.Within == 0 {
		e.Within = Duration(drillWithin)
	}
	e.Clusters = max(e.Clusters, 1)
	return e
}
