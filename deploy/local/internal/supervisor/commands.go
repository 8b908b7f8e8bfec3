package supervisor

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice.dev/sluice/deploy/local/internal/control"
	"sluice.dev/sluice/deploy/local/internal/proc"
	"sluice.dev/sluice/deploy/local/internal/stack"
)

// Down begins to stop the stack.
func (s *Supervisor) Down() {
	s.downOnce.Do(func() { close(s.down) })
}

// Status tells the state of the stack now.
func (s *Supervisor) Status(ctx context.Context) control.Status {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	d := s.describe(os.Getpid())
	status := control.Status{
		Running: true, Dir: s.Folder.Root(), PID: d.PID, Kubeconfig: d.Kubeconfig, Shape: s.Shape,
		Temporal: control.TemporalStatus{
			TemporalDescription: d.Temporal,
			PartStatus:          partStatus(stack.Temporal, s.temporal),
		},
		Clusters: make([]control.ClusterStatus, len(s.clusters)),
	}
	var wg sync.WaitGroup
	wg.Go(func() { status.Temporal.Ready = s.probeTemporal(ctx) == nil })
	for i, c := range s.clusters {
		wg.Go(func() { status.Clusters[i] = c.status(ctx, d.Clusters[i]) })
	}
	wg.Wait()
	status.Ready = status.Temporal.Ready
	for _, c := range status.Clusters {
		status.Ready = status.Ready && c.Ready
	}
	return status
}

func (c *cluster) status(ctx context.Context, d stack.ClusterDescription) control.ClusterStatus {
	status := control.ClusterStatus{Name: d.Name, Server: d.Server, AuditLog: d.AuditLog, Nodes: d.Nodes, Ready: true}
	for _, part := range stack.ClusterParts {
		p := partStatus(part, c.parts[part])
		status.Ready = status.Ready && p.State == string(proc.Running)
		status.Parts = append(status.Parts, p)
	}
	nodes, process, err := c.readyNodes(ctx)
	status.NodesReady = nodes
	status.Ready = status.Ready && err == nil && process && nodes >= d.Nodes
	if status.Ready {
		status.Ready = c.probeAPI(ctx) == nil
	}
	return status
}

func partStatus(part string, p *proc.Process) control.PartStatus {
	s := p.Status()
	return control.PartStatus{Part: part, State: string(s.State), PID: s.PID, Restarts: s.Restarts}
}

// Part acts on a part of one cluster or of all.
func (s *Supervisor) Part(ctx context.Context, req control.PartRequest) error {
	if req.Part == stack.Temporal {
		if req.Cluster != "" {
			return fmt.Errorf("cannot %s temporal in cluster %s: a stack has one Temporal server, outside its clusters", req.Action, req.Cluster)
		}
		return act(ctx, req.Action, s.temporal, func(ctx context.Context) error {
			return until(ctx, stack.Temporal, s.probeTemporal)
		})
	}
	if !slices.Contains(stack.ClusterParts[:], req.Part) {
		return fmt.Errorf("cannot %s part %q: want one of %s, %s",
			req.Action, req.Part, strings.Join(stack.ClusterParts[:], ", "), stack.Temporal)
	}
	var chosen []*cluster
	for _, c := range s.clusters {
		if req.Cluster == "" || req.Cluster == c.name {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("cannot %s %s in cluster %q: there is no such cluster", req.Action, req.Part, req.Cluster)
	}
	errs := make([]error, len(chosen))
	var wg sync.WaitGroup
	for i, c := range chosen {
		wg.Go(func() {
			errs[i] = act(ctx, req.Action, c.parts[req.Part], func(ctx context.Context) error {
				return c.waitReady(ctx, req.Part)
			})
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("cannot %s %s in cluster %s: %w", req.Action, req.Part, chosen[i].name, err)
		}
	}
	return nil
}

// act stops a part the way an outage does, without a farewell; a restart lets
// it end in order.
func act(ctx context.Context, action control.Action, p *proc.Process, ready func(context.Context) error) error {
	switch action {
	case control.Stop:
		p.Stop(0)
		return nil
	case control.Restart:
		p.Stop(5 * time.Second)
		p.Start()
		return ready(ctx)
	case control.Start:
		p.Start()
		return ready(ctx)
	default:
		return fmt.Errorf("there is no action %q", action)
	}
}
