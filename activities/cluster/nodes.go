package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/blame"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/kit"
)

// mostNodes is how many node changes are kept of a failure, mostWhy how many bytes of each say why; mostCordoned is of how many nodes it
// is looked up who cordoned them.
const (
	mostNodes    = 50
	mostWhy      = 200
	mostCordoned = 10
)

// SeeNodes keeps what happened to the nodes of a cluster within blame.LookBack before a unit failed there, as far as those that are there
// now tell.
func (a *Activities) SeeNodes(ctx context.Context, req step.NodesRequest) (string, error) {
	had := req.Had
	if req.Record != "" {
		var record step.UnitRecord
		if err := change.Load(ctx, a.Ledger, req.Record, &record); err != nil {
			return "", err
		}
		had = record.LastOn()
	}
	c, err := a.Clusters.Cluster(ctx, req.Context)
	if err != nil {
		return "", err
	}
	var seen api.NodesSeen
	switch nodes, err := kit.Nodes(ctx, c); {
	case fault.CodeOf(err) == fault.Unauthorized:
		seen.Unseen = clip.Bytes(err.Error(), mostWhy)
	case err != nil:
		return "", err
	default:
		seen.Changes, seen.More = nodeChanges(nodes, cordons(ctx, c, nodes), had, req.Failed)
	}
	if len(seen.Changes) == 0 && seen.Unseen == "" {
		return "", nil
	}
	return change.Store(ctx, a.Ledger, seen)
}

// cordon is who made a node unschedulable, and when.
type cordon struct {
	by string
	at time.Time
}

// cordons asks who cordoned nodes, those first that were cordoned last. One who may not be told goes without.
func cordons(ctx context.Context, c kube.Reader, nodes []kit.Node) map[string]cordon {
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n kit.Node) bool { return !n.Unschedulable })
	slices.SortFunc(nodes, func(a, b kit.Node) int {
		return cmp.Or(b.Cordoned.Compare(a.Cordoned), strings.Compare(a.Name, b.Name))
	})
	known := map[string]cordon{}
	for i, n := range nodes {
		found := cordon{at: n.Cordoned}
		if i < mostCordoned {
			if live, err := c.Get(ctx, corev1.SchemeGroupVersion.WithKind("Node"), "", n.Name); err == nil {
				wrote := cordonedBy(live.GetManagedFields())
				found.by, found.at = wrote.by, cmp.Or(n.Cordoned, wrote.at)
			}
		}
		known[n.Name] = found
	}
	return known
}

// cordonedBy reads who owns that a node is unschedulable, and when he wrote last.
func cordonedBy(managed []metav1.ManagedFieldsEntry) cordon {
	for _, m := range managed {
		var fields struct {
			Spec map[string]any `json:"f:spec"`
		}
		if m.FieldsV1 == nil || json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		if _, owns := fields.Spec["f:unschedulable"]; owns {
			found := cordon{by: m.Manager}
			if m.Time != nil {
				found.at = m.Time.Time
			}
			return found
		}
	}
	return cordon{}
}

// nodeChanges is what happened to nodes within blame.LookBack before a failure, the newest first, and how many older changes there is no
// room for. Had are nodes with when each was last known to be there. What has no time is no change: nobody knows that it was then.
func nodeChanges(nodes []kit.Node, cordons map[string]cordon, had map[string]time.Time, failed time.Time) (all []api.NodeChange, more int) {
	add := func(node string, kind api.NodeEvent, at time.Time, why string) bool {
		if at.Before(failed.Add(-blame.LookBack)) || at.After(failed) {
			return false
		}
		all = append(all, api.NodeChange{Node: node, Kind: kind, At: at.UTC(), Why: clip.Bytes(why, mostWhy)})
		return true
	}
	gone := maps.Clone(had)
	for _, n := range nodes {
		delete(gone, n.Name)
		added := add(n.Name, api.NodeAdded, n.Created, "")
		if n.Dead != "" {
			add(n.Name, api.NodeDied, n.Since, n.Dead)
		} else if !added {
			add(n.Name, api.NodeReady, n.Ready, "")
		}
		if n.Unschedulable {
			add(n.Name, api.NodeCordoned, cordons[n.Name].at, cordons[n.Name].by)
		}
	}
	for node, at := range gone {
		add(node, api.NodeGone, at, "")
	}
	slices.SortFunc(all, func(a, b api.NodeChange) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Node, b.Node), strings.Compare(string(a.Kind), string(b.Kind)))
	})
	return all[:min(len(all), mostNodes)], max(0, len(all)-mostNodes)
}
