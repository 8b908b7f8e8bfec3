package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// ProbeRequest asks for cases of probes to be run by hand, or posts an event that cases answer to: in clusters by name, or in those of a
// group.
type ProbeRequest struct {
	api.ProbeSubject
	Clusters []string
	Group    string
	Nodes    []string // that cases about nodes are run for; none: as the cases say. It is one cluster then
	// Key names the cause: the subject is not run again under it in the same cluster, for other nodes neither. Another subject has keys of
	// its own. Default: each time is another one.
	Key    string
	By     string
	Reason string
}

// Bounds on one request.
const (
	maxProbeClusters = 200
	maxProbeNodes    = 50
)

var (
	probeName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	probeKey  = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9._]{0,98}[A-Za-z0-9])?$`)
)

// check is fault.Invalid where a request is none.
func (r *ProbeRequest) check() error {
	named := 0
	for _, name := range []string{r.Case, r.Set, r.Event} {
		if name == "" {
			continue
		}
		if named++; !probeName.MatchString(name) {
			return fault.New(fault.Invalid, "cannot run probes: %q is no name of a case, a set or an event", name)
		}
	}
	switch {
	case named != 1:
		return fault.New(fault.Invalid, "cannot run probes: one of a case, a set and an event is to be named")
	case (len(r.Clusters) > 0) == (r.Group != ""):
		return fault.New(fault.Invalid, "cannot run %s: clusters or a group are to be named, one of both", r)
	case len(r.Clusters) > maxProbeClusters:
		return fault.New(fault.Invalid, "cannot run %s: it is %d clusters, at most %d are allowed", r, len(r.Clusters), maxProbeClusters)
	case len(r.Nodes) > 0 && len(r.Clusters) != 1:
		return fault.New(fault.Invalid, "cannot run %s for nodes: they are of one cluster, which is to be named", r)
	case len(r.Nodes) > maxProbeNodes:
		return fault.New(fault.Invalid, "cannot run %s: it is %d nodes, at most %d are allowed", r, len(r.Nodes), maxProbeNodes)
	case r.Key != "" && !probeKey.MatchString(r.Key):
		return fault.New(fault.Invalid, "cannot run %s: a key is letters, digits, dots, dashes and underscores, at most 100", r)
	}
	return nil
}

// RunProbes has Temporal run cases in each cluster, one execution for each cluster and cause, and returns what each is called. It does not
// wait for them. It is fault.Conflict where the cause was named for other nodes before.
func (e *Engine) RunProbes(ctx context.Context, req ProbeRequest) ([]api.Probed, error) {
	req.By = e.named(req.By)
	if err := req.check(); err != nil {
		return nil, err
	}
	req.Nodes = slices.Compact(slices.Sorted(slices.Values(req.Nodes)))
	places, err := e.probedPlaces(ctx, req)
	if err != nil {
		return nil, err
	}
	if req.Key == "" {
		req.Key = e.now().Format("20060102T150405.000000")
	}
	server, err := e.Server(ctx)
	if err != nil {
		return nil, err
	}
	queue, err := e.queue(ctx)
	if err != nil {
		return nil, err
	}
	var begun []api.Probed
	for _, at := range places {
		in := api.ProbeInput{
			ProbeSubject: req.ProbeSubject, Cluster: at.Cluster, Context: at.Context, Site: at.Site,
			Nodes: req.Nodes, Key: req.Key, By: req.By, Reason: req.Reason,
		}
		_, err := server.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: api.ProbeWorkflowID(in.ID()), TaskQueue: queue, WorkflowExecutionTimeout: errandTimeout,
			WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
			WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			// Without this the SDK would hand back an existing execution as if it were ours.
			WorkflowExecutionErrorWhenAlreadyStarted: true,
			StaticSummary:                            req.String() + " in " + at.Cluster,
		}, api.ProbeWorkflowName, in)
		one := api.Probed{ID: in.ID(), Cluster: at.Cluster, By: req.By, Started: e.now()}
		var ran *serviceerror.WorkflowExecutionAlreadyStarted
		if errors.As(err, &ran) {
			one, err = e.ranBefore(ctx, server, in)
		}
		if err != nil {
			err = e.temporalFault(err, "cannot run %s in cluster %s at %s", req, at.Cluster, server.Address)
			if len(begun) == 0 {
				return nil, err
			}
			err = fault.Wrap(fault.CodeOf(err), err, "%s runs in clusters %s under key %s, and in no other one", req,
				few(namesOf(places[:len(begun)])), req.Key)
			outcome := fmt.Sprintf("accepted in %d of %d clusters: %s", len(begun), len(places), err)
			return begun, errors.Join(err, e.auditProbes(ctx, req, places[:len(begun)], outcome))
		}
		begun = append(begun, one)
	}
	return begun, e.auditProbes(ctx, req, places, "accepted")
}

// ranBefore is what was begun under a key before. It is fault.Conflict where that was for other nodes.
func (e *Engine) ranBefore(ctx context.Context, server *Server, in api.ProbeInput) (out api.Probed, err error) {
	began := server.Temporal.GetWorkflowHistory(ctx, api.ProbeWorkflowID(in.ID()), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !began.HasNext() {
		return out, fault.New(fault.Unreachable, "cannot read what was run under key %s", in.Key)
	}
	first, err := began.Next()
	if err != nil {
		return out, err
	}
	var was api.ProbeInput
	if err := server.values().FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &was); err != nil {
		return out, fault.Wrap(fault.Internal, err, "cannot read what was run under key %s", in.Key)
	}
	if !slices.Equal(slices.Compact(slices.Sorted(slices.Values(was.Nodes))), in.Nodes) {
		return out, fault.New(fault.Conflict, "key %s was used for %s of %s, by %s; ask for %s under another one", in.Key, in, ofNodes(was.Nodes),
			was.By, ofNodes(in.Nodes))
	}
	return api.Probed{ID: in.ID(), Cluster: in.Cluster, By: was.By, Started: first.GetEventTime().AsTime()}, nil
}

func ofNodes(nodes []string) string {
	if len(nodes) == 0 {
		return "the nodes that it is about"
	}
	return api.Counted(len(nodes), "node") + " (" + few(nodes) + ")"
}

// auditProbes writes down who had which cases run, and where.
func (e *Engine) auditProbes(ctx context.Context, req ProbeRequest, places []plan.Place, outcome string) error {
	command := "probe run"
	if req.Event != "" {
		command = "probe event"
	}
	return e.audit(ctx, ledger.Entry{
		Who: req.By, Command: command, Object: "probe " + req.String(), Scope: "clusters " + few(namesOf(places)) + ", key " + req.Key,
		Reason: req.Reason, Outcome: outcome,
	})
}

func namesOf(places []plan.Place) (names []string) {
	for _, p := range places {
		names = append(names, p.Cluster)
	}
	return names
}

// probedPlaces are where the clusters of a request are.
func (e *Engine) probedPlaces(ctx context.Context, req ProbeRequest) (places []plan.Place, err error) {
	own, err := e.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	if req.Group != "" {
		if own.Group(req.Group) == nil {
			return nil, fault.New(fault.NotFound, "cannot find cluster group %s in %s", req.Group, ofTheLedger)
		}
		if places = own.Members(req.Group); len(places) == 0 || len(places) > maxProbeClusters {
			return nil, fault.New(fault.Invalid, "cannot run %s in cluster group %s: it has %d clusters, from 1 to %d are allowed",
				req.ProbeSubject, req.Group, len(places), maxProbeClusters)
		}
		return places, nil
	}
	clusters := slices.Compact(slices.Sorted(slices.Values(req.Clusters)))
	for _, name := range clusters {
		at, err := e.placeOf(ctx, api.Subject{}, name)
		if err != nil {
			return nil, err
		}
		places = append(places, at)
	}
	return places, nil
}

// ProbeRun is what has come by now of cases that were run under an ID.
func (e *Engine) ProbeRun(ctx context.Context, id string) (api.Probed, error) {
	var out api.Probed
	if strings.Count(id, "/") != 2 {
		return out, fault.New(fault.Invalid, "cannot find probe run %q: its ID is CLUSTER/SUBJECT/KEY", id)
	}
	server, err := e.Server(ctx)
	if err != nil {
		return out, err
	}
	within, cancel := context.WithTimeout(ctx, e.options.Query)
	defer cancel()
	value, err := server.Temporal.QueryWorkflow(within, api.ProbeWorkflowID(id), "", api.QueryProbed)
	if err != nil {
		return out, e.temporalFault(err, "cannot ask for probe run %s", id)
	}
	if err := value.Get(&out); err != nil {
		return out, fault.Wrap(fault.Internal, err, "cannot read probe run %s", id)
	}
	return out, nil
}
