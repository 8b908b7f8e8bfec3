package ledger

import (
	"context"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
)

// Deployment is what runs in a cluster since a run ended there well. Objects is the blob digest of the rendered set.
type Deployment struct {
	Cluster string      `json:"cluster"`
	Subject api.Subject `json:"component"`
	Version string      `json:"version"`
	Target  string      `json:"target"`  // digest of template + images + values
	Objects string      `json:"objects"` // blob digest of the objects as they were written
	Run     string      `json:"run"`
	Plan    string      `json:"plan"`
	Fence   int64       `json:"fence"`
	Since   time.Time   `json:"since"`
}

// Deployments keeps the present deployment of each (cluster, component), and its history.
type Deployments interface {
	// SaveDeployment makes d the present deployment. Saving the same run's again changes nothing; one with a fence below the
	// present one's is a Conflict. A run that goes back on its own way saves what it went back to: that is another deployment of
	// the same run, told apart by what was deployed. The objects must be stored before: Invalid otherwise.
	SaveDeployment(ctx context.Context, d Deployment) error
	// Deployment returns the present deployment, or NotFound.
	Deployment(ctx context.Context, cluster string, subject api.Subject) (Deployment, error)
	// ListDeployments returns the present deployments sorted by cluster and component; "" means all.
	ListDeployments(ctx context.Context, cluster string, subject api.Subject) ([]Deployment, error)
	// PastDeployment returns the latest deployment of a target that was ever recorded there, whether it is present or not, or NotFound.
	PastDeployment(ctx context.Context, cluster string, subject api.Subject, target string) (Deployment, error)
	// RemoveDeployment forgets the present deployment (a first installation that was taken back). Gone is fine. The
	// store keeps that it was there, and which run took it back.
	RemoveDeployment(ctx context.Context, cluster string, subject api.Subject, run string) error
}

// Check is Invalid where a deployment lacks what a store keeps it by.
func (d Deployment) Check() error {
	return required("deployment", "cluster", d.Cluster, "component", d.Subject.String(), "run", d.Run, "objects", d.Objects)
}

// Follows tells whether saving d changes what is present. It is Conflict where a run with a higher fence has taken over.
func (d Deployment) Follows(present Deployment) (bool, error) {
	if d.same(present) {
		return false, nil
	}
	if d.Fence < present.Fence {
		return false, fault.New(fault.Conflict, "run %s has taken over (fence %d is above %d)", present.Run, present.Fence, d.Fence)
	}
	return true, nil
}

// same leaves out Since and Fence: a retry after a crash comes later, and may have been fenced anew.
func (d Deployment) same(o Deployment) bool {
	return d.Run == o.Run && d.Plan == o.Plan && d.Version == o.Version && d.Target == o.Target && d.Objects == o.Objects
}
