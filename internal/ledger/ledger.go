// Package ledger is the store of what is deployed where, by which run, since when, and of who did what. It keeps blobs
// by digest, plans, runs, deployments, write intents, observations and the audit. It knows no Kubernetes and no Temporal.
package ledger

import (
	"context"
	"time"
)

// Ledger is the contract that every store keeps; SQLite is the default. Methods return fault errors: NotFound for what
// is not there, Conflict for a lost race, Internal for the rest. Every write is one transaction: it happens whole or not.
type Ledger interface {
	Blobs
	Plans
	Runs
	Deployments
	Writes
	PreImages
	Observations
	Audit
	// Installation is the random name that this ledger was given when it was made. It is what a Lease names as holder.
	Installation(ctx context.Context) (string, error)
	// NextFence returns a number for (cluster, component) that is above every number returned before it and above floor.
	NextFence(ctx context.Context, cluster, component string, floor int64) (int64, error)
	Close() error
}

// Blobs keeps bytes by digest ("sha256:<hex>"), compressed; equal bytes are stored once.
type Blobs interface {
	// PutBlob stores data of at most 64 MiB and returns its digest. Storing it again changes nothing.
	PutBlob(ctx context.Context, data []byte) (digest string, err error)
	// Blob returns the bytes of a digest. NotFound where there is none.
	Blob(ctx context.Context, digest string) ([]byte, error)
}

// Plan is a stored plan. Body is a blob; its digest need not be the hash, which leaves out what does not count.
type Plan struct {
	Hash      string    `json:"hash"`
	Component string    `json:"component"`
	Version   string    `json:"version"`
	Pipeline  string    `json:"pipeline"`
	Body      string    `json:"body"` // blob digest
	Live      string    `json:"live"` // blob digest of what would change now; "" until it was looked at
	Origin    Origin    `json:"origin"`
	Created   time.Time `json:"created"`
	By        string    `json:"by"`
}

// Origin is where a plan's files came from. Repository is empty outside git.
type Origin struct {
	Repository string `json:"repository,omitempty"`
	Commit     string `json:"commit,omitempty"`
	Path       string `json:"path,omitempty"`
	Dirty      bool   `json:"dirty,omitempty"` // the tree had changes that the commit does not have
}

// Plans keeps plans by hash.
type Plans interface {
	// SavePlan stores a plan; storing a hash again replaces Live, Origin, Created and By only.
	SavePlan(ctx context.Context, p Plan) error
	// Plan returns a plan by hash or by a unique prefix of at least 6 characters. NotFound, or Conflict where several match.
	Plan(ctx context.Context, hash string) (Plan, error)
	// ListPlans returns the newest plans first; component "" means all.
	ListPlans(ctx context.Context, component string, limit int) ([]Plan, error)
}

// Run is one execution of a plan. Its state lives in Temporal; the ledger keeps what outlives Temporal's retention.
type Run struct {
	Name      string    `json:"name"` // component-N; also the Temporal workflow ID
	Plan      string    `json:"plan"`
	Component string    `json:"component"`
	Version   string    `json:"version"`
	Back      string    `json:"back,omitempty"` // name of the run that this one rolls back
	Phase     string    `json:"phase"`          // last known; final once Ended is set
	Started   time.Time `json:"started"`
	Ended     time.Time `json:"ended,omitzero"`
	By        string    `json:"by"`
	Reason    string    `json:"reason,omitempty"`
	Report    string    `json:"report,omitempty"` // blob digest of the run's final status
}

// Runs keeps runs by name.
type Runs interface {
	// NewRun stores a run under a name made of its component and the next free number, and returns it.
	NewRun(ctx context.Context, r Run) (Run, error)
	// SaveRun replaces Phase, Ended and Report of a run. An ended run is not changed again: Conflict, unless equal.
	SaveRun(ctx context.Context, r Run) error
	Run(ctx context.Context, name string) (Run, error)
	// ListRuns returns the newest runs first; component "" means all.
	ListRuns(ctx context.Context, component string, limit int) ([]Run, error)
}

// Deployment is what runs in a cluster since a run ended there well. Objects is the blob digest of the rendered set.
type Deployment struct {
	Cluster   string    `json:"cluster"`
	Component string    `json:"component"`
	Version   string    `json:"version"`
	Target    string    `json:"target"`  // digest of template + images + values
	Objects   string    `json:"objects"` // blob digest of the objects as they were written
	Run       string    `json:"run"`
	Plan      string    `json:"plan"`
	Fence     int64     `json:"fence"`
	Since     time.Time `json:"since"`
}

// Deployments keeps the present deployment of each (cluster, component), and its history.
type Deployments interface {
	// SaveDeployment makes d the present deployment. Saving the same run's again changes nothing; one with a fence below
	// the present one's is a Conflict.
	SaveDeployment(ctx context.Context, d Deployment) error
	// Deployment returns the present deployment, or NotFound.
	Deployment(ctx context.Context, cluster, component string) (Deployment, error)
	// ListDeployments returns the present deployments sorted by cluster and component; "" means all.
	ListDeployments(ctx context.Context, cluster, component string) ([]Deployment, error)
	// DeploymentHistory returns all deployments of (cluster, component), newest first.
	DeploymentHistory(ctx context.Context, cluster, component string, limit int) ([]Deployment, error)
	// RemoveDeployment forgets the present deployment (a first installation that was taken back). Gone is fine.
	RemoveDeployment(ctx context.Context, cluster, component, run string) error
}

// Write is one write into a cluster: its intent is recorded before, its outcome after. It is what lets a retry after a
// crash see its own half-done work as its own.
type Write struct {
	Run             string    `json:"run"`
	Cluster         string    `json:"cluster"`
	Component       string    `json:"component"`
	Object          string    `json:"object"` // group/Kind/namespace/name
	Step            string    `json:"step"`   // create, patch, arm, disarm, release, revert, delete
	Intent          string    `json:"intent"` // digest of the object as it should be afterwards
	UID             string    `json:"uid,omitempty"`
	ResourceVersion string    `json:"resourceVersion,omitempty"` // "" until the write was seen to succeed
	Created         bool      `json:"created,omitempty"`         // the run made the object: it was not there before
	At              time.Time `json:"at"`
}

// Writes keeps writes; (run, cluster, object, step) names one, and the latest with that name counts.
type Writes interface {
	SaveWrite(ctx context.Context, w Write) error
	// ListWrites returns a run's writes in a cluster in the order in which they were first made.
	ListWrites(ctx context.Context, run, cluster string) ([]Write, error)
	// ListMade returns the writes by which any run made an object of a component in a cluster, but for those that were taken
	// away since, in the order in which they were first made.
	ListMade(ctx context.Context, cluster, component string) ([]Write, error)
}

// PreImage is an object as it was before the first write to it since the last deployment that was recorded there. It is what
// the object goes back to where no deployment says more.
type PreImage struct {
	Run       string    `json:"run"` // that was about to write
	Cluster   string    `json:"cluster"`
	Component string    `json:"component"`
	Object    string    `json:"object"`              // group/Kind/namespace/name
	UID       string    `json:"uid,omitempty"`       // "" where the object was not there
	Image     string    `json:"image,omitempty"`     // blob digest of the object; "" where it was not there
	TakenBack string    `json:"takenBack,omitempty"` // the run that gave it back; "" while none has
	At        time.Time `json:"at"`
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
	ListPreImages(ctx context.Context, run, cluster, component string) ([]PreImage, error)
	// ListEraWrites returns the writes that any run made in a run's era, in the order in which they were first made. A run
	// from before eras were kept has its own writes only.
	ListEraWrites(ctx context.Context, run, cluster, component string) ([]Write, error)
	// EndPreImages marks the pre-images of a run's era, and of all later ones, as given back by a run: what is there now is
	// what was there before. The next write takes a new one.
	EndPreImages(ctx context.Context, run, cluster, component, by string) error
}

// Observation is the last thing seen of a component in a cluster.
type Observation struct {
	Cluster     string    `json:"cluster"`
	Component   string    `json:"component"`
	Run         string    `json:"run,omitempty"`
	Version     string    `json:"version"` // the version that pods are moved to or rest at
	NodeSet     string    `json:"nodeSet,omitempty"`
	Batch       int       `json:"batch,omitempty"`
	Updated     int       `json:"updated"`
	Desired     int       `json:"desired"`
	Armed       bool      `json:"armed"`            // a recreated pod would get the version that is being rolled out
	Behind      string    `json:"behind,omitempty"` // names of the dead nodes that have pods, apart by commas
	Unreachable bool      `json:"unreachable,omitempty"`
	Seen        time.Time `json:"seen"` // of the last look that reached the cluster
}

// Observations keeps the last observation of each (cluster, component).
type Observations interface {
	// SaveObservation replaces the last one. With Unreachable set only that flag is changed: what was seen stays.
	SaveObservation(ctx context.Context, o Observation) error
	// ListObservations returns them sorted by cluster; component "" means all.
	ListObservations(ctx context.Context, component string) ([]Observation, error)
}

// Entry is one line of the audit: a command, and what came of it.
type Entry struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Command string    `json:"command"` // plan, run, pause, resume, approve, abort, rollback
	Object  string    `json:"object"`  // run or plan
	Scope   string    `json:"scope,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Outcome string    `json:"outcome"` // accepted, or why it was refused
}

// Audit keeps entries; they are never changed or removed.
type Audit interface {
	AddEntry(ctx context.Context, e Entry) error
	// ListEntries returns the newest first; object "" means all.
	ListEntries(ctx context.Context, object string, limit int) ([]Entry, error)
}
