package tell

import (
	"sluice.dev/sluice/internal/api"
)

// PartInput starts a part of a stage that is too big for its run to hold every cluster of it.
type PartInput struct {
	Title
	Run    string `json:"run"`
	Plan   string `json:"plan"`
	Stage  string `json:"stage"`
	Parent string `json:"parent"` // workflow ID of the run
}

// Errand is one thing that a run has a part do. They come in the order in which the run wants them.
type Errand struct {
	Start  *ClusterInput `json:"start,omitempty"`
	Look   *LookInput    `json:"look,omitempty"`
	Unlook string        `json:"unlook,omitempty"` // cluster whose looks are to end
	Tell   *Telling      `json:"tell,omitempty"`
	Over   bool          `json:"over,omitempty"` // nothing more is to come
}

// Telling is an order to several units.
type Telling struct {
	Clusters []string `json:"clusters"`
	Order    Order    `json:"order"`
}

// News is what a part tells its run of one cluster: a report, or an end. Of a unit that is its status, that its workflow
// crashed, or that it was ended while it waited for another run's; of looks what they found, or why they could not.
type News struct {
	Report
	End    *api.UnitStatus `json:"end,omitempty"`
	GaveUp bool            `json:"gaveUp,omitempty"`
	Crash  string          `json:"crash,omitempty"`
	Found  *Finding        `json:"found,omitempty"`
}

// Ends reports whether something of the cluster has ended.
func (n News) Ends() bool { return n.End != nil || n.GaveUp || n.Crash != "" || n.Found != nil }

// Pressing reports whether the run decides something by it.
func (n News) Pressing() bool {
	return n.Ends() || n.Look || n.Phase.Stands() || n.Phase == api.PhaseUnreachable || n.Phase == api.PhaseRollingBack
}
