package kube

import (
	"context"
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
)

// Census is which cluster it is, and how large.
type Census struct {
	UID     string // of the namespace kube-system, which lives as long as the cluster
	Version string // of Kubernetes
	Nodes   int
	Pods    int
	Zones   []string // of nodes, sorted
}

const (
	censusPage = "500" // nodes in one answer
	maxZones   = 50    // that are listed
	onlyMeta   = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
)

// Census counts what a cluster has, by the API server's own count where it has one: of nodes it reads the labels, of pods one.
func (c *Cluster) Census(ctx context.Context) (out Census, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	system, err := c.Get(ctx, schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "", metav1.NamespaceSystem)
	if err != nil {
		return out, err
	}
	out.UID = string(system.GetUID())
	caps, err := c.Capabilities(ctx)
	if err != nil {
		return out, err
	}
	out.Version = caps.Version
	more := ""
	for {
		page, err := c.page(ctx, "nodes", censusPage, more)
		if err != nil {
			return out, err
		}
		out.Nodes += len(page.Items)
		for _, node := range page.Items {
			zone := node.Labels[corev1.LabelTopologyZone]
			if zone != "" && len(out.Zones) < maxZones && !slices.Contains(out.Zones, zone) {
				out.Zones = append(out.Zones, zone)
			}
		}
		if more = page.Continue; more == "" {
			break
		}
	}
	slices.Sort(out.Zones)
	pods, err := c.page(ctx, "pods", "1", "")
	if err != nil {
		return out, err
	}
	out.Pods = len(pods.Items)
	if pods.RemainingItemCount != nil {
		out.Pods += int(*pods.RemainingItemCount)
	}
	return out, nil
}

// page reads a part of a list of all namespaces, without what the objects say.
func (c *Cluster) page(ctx context.Context, resource, limit, more string) (list metav1.PartialObjectMetadataList, err error) {
	path := resourcePath(schema.GroupVersionResource{Version: "v1", Resource: resource}, "", "")
	raw, err := read(c.client.Get().AbsPath(path).SetHeader("Accept", onlyMeta).Param("limit", limit).Param("continue", more).Do(ctx))
	if err != nil {
		return list, c.fault(err, "list", resource)
	}
	return list, fault.Wrap(fault.Internal, json.Unmarshal(raw, &list), "cannot read %s of cluster %s", resource, c.context)
}
