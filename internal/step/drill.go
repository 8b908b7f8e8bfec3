package step

import "sluice.dev/sluice/internal/api"

// The activities of drills. Each answers what has come of the drill by then, and has written it down.
var (
	// BeginDrill plans the bad version anew and starts its run, unless something holds it.
	BeginDrill = idle[api.DrillTime, api.Drilled]("drill.Begin")
	// JudgeDrill waits until the run was stopped, or has to be.
	JudgeDrill = idle[string, api.Drilled]("drill.Judge")
	// EndDrill takes the bad version back, where it still is somewhere, and waits until what ran before is there.
	EndDrill = idle[string, api.Drilled]("drill.End")
)
