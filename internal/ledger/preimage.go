package ledger

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/api"
)

// PreImage is an object as it was before the first write to it since the last deployment that was recorded there. It is what
// the object goes back to where no deployment says more.
type PreImage struct {
	Run       string      `json:"run"` // that was about to write
	Cluster   string      `json:"cluster"`
	Subject   api.Subject `json:"component"`
	Object    string      `json:"object"`              // group/Kind/namespace/name
	UID       string      `json:"uid,omitempty"`       // "" where the object was not there
	Image     string      `json:"image,omitempty"`     // blob digest of the object; "" where it was not there
	TakenBack string      `json:"takenBack,omitempty"` // the run that gave it back; "" while none has
	At        time.Time   `json:"at"`
}

// PreImages keeps pre-images by era. An era of (cluster, component) begins when a deployment is recorded there, and ends with
// the next; a deployment that is removed ends none. The era of a run is the one in which it made its first write there, the
// present one before that.
type PreImages interface {
	// SavePreImage stores p in the present era, unless there is one of that object and UID which was not given back: the first
	// counts, and is never replaced. TakenBack is not stored. The image must be stored before: Invalid otherwise.
	SavePreImage(ctx context.Context, p PreImage) error
	// ListPreImages returns the pre-images of a run's era, also those that were taken by other runs, in the order in which
	// they were taken.
	ListPreImages(ctx context.Context, run, cluster string, subject api.Subject) ([]PreImage, error)
	// ListEraWrites returns the writes that any run made in a run's era, in the order in which they were first made. A run
	// from before eras were kept has its own writes only.
	ListEraWrites(ctx context.Context, run, cluster string, subject api.Subject) ([]Write, error)
	// EndPreImages marks the pre-images of a run's era, and of all later ones, as given back by a run: what is there now is
	// what was there before. The next write takes a new one.
	EndPreImages(ctx context.Context, run, cluster string, subject api.Subject, by string) error
}

// Check is Invalid where a pre-image lacks what names it.
func (p PreImage) Check() error {
	return required("pre-image", "run", p.Run, "cluster", p.Cluster, "component", p.Subject.String(), "object", p.Object)
}
