package uplink

import "sluice.dev/sluice/internal/probing"

// Probes says what the probes of clusters of the agent's site have found. Said twice it is said once. It is the agent's own: one that is
// Unreachable is said again.
var Probes = Method[[]probing.Said, None]{"Probes"}

// MaxSaid bounds what one call says, and MaxStands and MaxOutcomes what it says of one cluster.
const (
	MaxSaid     = 64
	MaxStands   = 1000
	MaxOutcomes = 1000
)
