// Package engine is what a person or a program can ask of Sluice: make a plan, start it, see where a run is and what it
// waits for, tell it something, and read what is deployed where. Where no worker runs, what it is to tell stands in Temporal until
// one does. It speaks to Temporal and to the ledger. It prints
// nothing, parses no command line and touches no cluster.
package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/origin"
	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/permit"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/secret"
	"sluice.dev/sluice/pipelines"
)

// Ledger is the part of a ledger that the engine uses. It is as wide as what can be asked: plans, runs, freezes, who passes them, what
// is kept and the audit are written, and what happened in clusters is read. Nothing here can say that something was written or deployed
// there.
type Ledger interface {
	ledger.Blobs
	ledger.Plans
	ledger.Runs
	ledger.Audit
	ledger.Freezes
	ledger.Bypasses
	ledger.KeptDocuments
	ledger.Drills
	ListOutcomes(ctx context.Context, after time.Time) ([]ledger.Outcome, error)
	Failing(ctx context.Context) ([]ledger.Outcome, error)
	ListAgents(ctx context.Context) ([]ledger.Agent, error)
	ChangeAgent(ctx context.Context, name string, change func(*ledger.Agent) error) (ledger.Agent, error)
	ListBeats(ctx context.Context) ([]ledger.Beat, error)
	ListPermits(ctx context.Context) ([]permit.Permit, error)
	LetIn(ctx context.Context, run, cluster string, l ledger.Lift) (permit.Permit, error)
	PageNotices(ctx context.Context, receiver string, p ledger.Page) ([]ledger.Marked[ledger.Notice], error)
	Installation(ctx context.Context) (string, error)
	ListDeployments(ctx context.Context, cluster string, subject api.Subject) ([]ledger.Deployment, error)
	ListObservations(ctx context.Context, subject api.Subject) ([]ledger.Observation, error)
	ListWrites(ctx context.Context, run, cluster string) ([]ledger.Write, error)
	ListPreImages(ctx context.Context, run, cluster string, subject api.Subject) ([]ledger.PreImage, error)
	PageStands(ctx context.Context, of ledger.ProbesOf, p ledger.Page) ([]ledger.Marked[probing.Stand], error)
	CountStands(ctx context.Context, now time.Time) ([]ledger.ProbeCount, error)
	PageProbeOutcomes(ctx context.Context, of ledger.ProbesOf, p ledger.Page) ([]ledger.Marked[ledger.ProbeOutcome], error)
	ListProbeHours(ctx context.Context, of ledger.ProbesOf, after time.Time) ([]ledger.ProbeHour, error)
	ListProbeNoise(ctx context.Context, probeCase string, from, to time.Time) ([]ledger.ProbeNoise, error)
	CountProbeFailures(ctx context.Context, probeCase string, clusters []string) ([]ledger.ProbeFailures, error)
	LabelProbeOutcome(ctx context.Context, cluster, id string, l ledger.ProbeLabel) (ledger.ProbeOutcome, error)
}

// Temporal is the part of a Temporal client that the engine uses. It is wide because the engine is all that asks Temporal: to
// start and to tell, and to see what became of it.
type Temporal interface {
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	QueryWorkflow(ctx context.Context, workflowID, runID, queryType string, args ...any) (converter.EncodedValue, error)
	UpdateWorkflow(ctx context.Context, options client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error)
	SignalWorkflow(ctx context.Context, workflowID, runID, signal string, arg any) error
	GetWorkflowHistory(
		ctx context.Context, workflowID, runID string, longPoll bool, filter enumspb.HistoryEventFilterType,
	) client.HistoryEventIterator
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	ScheduleClient() client.ScheduleClient
	DescribeTaskQueue(ctx context.Context, queue string, kind enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error)
}

// Server is a Temporal server with the place where people look at it.
type Server struct {
	Temporal  Temporal
	Address   string
	Namespace string
	UI        string // address of the Web UI; "" where it is not known
	// Payloads has the keys by which payloads are encrypted there; nil: they are not.
	Payloads *payload.Ring
	// Converter reads what the client has written, where that is read without it; default the SDK's.
	Converter converter.DataConverter
}

// values reads what histories have.
func (s *Server) values() converter.DataConverter {
	if s.Converter == nil {
		return converter.GetDefaultDataConverter()
	}
	return s.Converter
}

// Options are what an Engine may be told besides its ledger and its server. The zero value works.
type Options struct {
	Library []pipelines.Source                    // documents that files may refer to without declaring them
	Origin  func(path string) (api.Origin, error) // where files come from; default origin.Of
	Clock   clock.WithTicker                      // default the real one
	Proven  bool                                  // who asks has proven his name, or it is marked: names are taken as they are given
	Program string                                // how hints call the command line, with its flags; default "sluice"
	// Secrets reads what documents of sources name; default secret.Environment().
	Secrets func(pipelines.WorkerSecret) (string, error)
	Patience
}

// Patience is how long the engine waits for an answer of a worker. Zero fields take their defaults.
type Patience struct {
	Query   time.Duration // for an answer of a run; default 5 s
	Command time.Duration // for a command to be accepted or refused; default 20 s
	Worker  time.Duration // for a worker to appear at a task queue that has none; default 15 s
}

func (p Patience) orDefault() Patience {
	if p.Query <= 0 {
		p.Query = 5 * time.Second
	}
	if p.Command <= 0 {
		p.Command = 20 * time.Second
	}
	if p.Worker <= 0 {
		p.Worker = 15 * time.Second
	}
	return p
}

// Engine answers. It is safe for use by several goroutines.
type Engine struct {
	ledger  Ledger
	dial    func(context.Context) (*Server, error)
	options Options
	server  *Server
	dialing sync.Mutex
	details details
	// ownFleet is the fleet of the installation as it was read last.
	ownFleet atomic.Pointer[Fleet]
	reading  chan struct{} // commits of sources: one at a time
	resting  resting
}

// New returns an engine on a ledger. It dials the Temporal server when something first needs it, and not again after
// that succeeded.
func New(l Ledger, dial func(context.Context) (*Server, error), o Options) *Engine {
	if o.Origin == nil {
		o.Origin = origin.Of
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Secrets == nil {
		o.Secrets = secret.Environment().Read
	}
	o.Program = cmp.Or(o.Program, "sluice")
	o.Patience = o.Patience.orDefault()
	return &Engine{ledger: l, dial: dial, options: o, details: details{known: map[string]api.UnitStatus{}}, reading: make(chan struct{}, 1)}
}

// Server returns the Temporal server, dialled. Errors are those of the dial function.
func (e *Engine) Server(ctx context.Context) (*Server, error) {
	e.dialing.Lock()
	defer e.dialing.Unlock()
	if e.server != nil {
		return e.server, nil
	}
	s, err := e.dial(ctx)
	if err != nil {
		return nil, err
	}
	e.server = s
	return s, nil
}

// Page is the address of a run in the Temporal UI; "" where that is not known.
func (e *Engine) Page(ctx context.Context, run string) string {
	server, err := e.Server(ctx)
	if err != nil || server.UI == "" {
		return ""
	}
	return fmt.Sprintf("%s/namespaces/%s/workflows/%s", strings.TrimRight(server.UI, "/"), server.Namespace, run)
}

// named is a name as it is written down: marked, unless whoever gives it has it proven.
func (e *Engine) named(who string) string {
	if e.options.Proven {
		return who
	}
	return identity.Unverified(who)
}

func (e *Engine) now() time.Time { return e.options.Clock.Now().UTC() }

// audit writes down a command and what came of it.
func (e *Engine) audit(ctx context.Context, entry ledger.Entry) error {
	entry.At = e.now()
	return e.ledger.AddEntry(ctx, entry)
}

// read decodes a JSON blob of the ledger.
func (e *Engine) read(ctx context.Context, digest string, into any) error {
	data, err := e.ledger.Blob(ctx, digest)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fault.Wrap(fault.Internal, err, "cannot decode blob %s", digest)
	}
	return nil
}

// details keeps the statuses of units that have ended, by the digest of their blob: they never change.
type details struct {
	mu    sync.Mutex
	known map[string]api.UnitStatus
}

func (d *details) get(digest string) (api.UnitStatus, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	u, ok := d.known[digest]
	return u, ok
}

func (d *details) put(digest string, u api.UnitStatus) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[digest] = u
}
