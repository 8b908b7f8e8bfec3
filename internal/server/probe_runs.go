package server

import (
	"context"
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

func (s *server) probeRuns(a huma.API, e *engine.Engine) {
	where := func(in *keyed[wire.ProbesBody]) ([]string, string) { return in.Body.Clusters, in.Body.Group }
	on(s, a, wire.RunProbes, ofClusters(s, pipelines.RightOperate, where),
		func(ctx context.Context, in *keyed[wire.ProbesBody]) ([]api.Probed, error) {
			return e.RunProbes(ctx, engine.ProbeRequest{
				ProbeSubject: in.Body.ProbeSubject, Clusters: in.Body.Clusters, Group: in.Body.Group, Nodes: in.Body.Nodes,
				Key: in.Body.Cause, By: name(ctx), Reason: in.Body.Reason,
			})
		})
	probed := func(in *wire.ByProbeRun) ([]string, string) { return []string{in.Cluster}, "" }
	on(s, a, wire.GetProbeRun, ofClusters(s, pipelines.RightView, probed), func(ctx context.Context, in *wire.ByProbeRun) (api.Probed, error) {
		return e.ProbeRun(ctx, strings.Join([]string{in.Cluster, in.Subject, in.Cause}, "/"))
	})
	asked := func(in *wire.HealthAsked) ([]string, string) { return []string{in.Cluster}, "" }
	on(s, a, wire.GetHealth, ofClusters(s, pipelines.RightView, asked),
		func(ctx context.Context, in *wire.HealthAsked) (engine.HealthSignal, error) {
			return e.Health(ctx, in.Cluster, in.Since)
		})
}

// ofClusters is a right over clusters by name, or those of a group, whatever is asked of them there.
func ofClusters[In any](s *server, right pipelines.Right, of func(*In) (clusters []string, group string)) need[In] {
	return need[In]{right: right, over: func(ctx context.Context, in *In) (access.Object, error) {
		fleet, err := s.fleets.now(ctx)
		if err != nil {
			return access.Object{}, err
		}
		names, group := of(in)
		return clustersObject(fleet, names, group), nil
	}}
}

// clustersObject is what is done to clusters, in all of their namespaces: each by its labels. Where the installation does not say where one
// of them is, it is done to everything.
func clustersObject(fleet *engine.Fleet, names []string, group string) (o access.Object) {
	places := fleet.Members(group)
	for _, name := range names {
		at, known := fleet.Cluster(name)
		if !known {
			return access.Object{}
		}
		places = append(places, at)
	}
	known := map[string]bool{}
	for _, at := range places {
		labels := labelsOf(at)
		if key := fmt.Sprint(labels); !known[key] { // maps print in the order of their keys
			known[key] = true
			o.GroupLabels = append(o.GroupLabels, labels)
		}
	}
	return o
}
