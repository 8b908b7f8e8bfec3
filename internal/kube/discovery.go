package kube

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"sluice.dev/sluice/internal/fault"
)

// Discovery data is used for discoveryAge. A kind that it lacks is looked up again, but not more often than discoveryGap.
const (
	discoveryAge = 10 * time.Minute
	discoveryGap = 5 * time.Second
)

// Capabilities are what a cluster's API server serves.
type Capabilities struct {
	Version     string // v1.36.3
	Major       string
	Minor       string
	APIVersions []string // as Helm's VersionSet has them: apps/v1 and apps/v1/Deployment; sorted
}

// Mapping says under which resource a kind is served.
type Mapping struct {
	Resource   schema.GroupVersionResource
	Namespaced bool
}

// found is what discovery found.
type found struct {
	at           time.Time
	capabilities Capabilities
	mappings     map[schema.GroupVersionKind]Mapping
	failed       map[schema.GroupVersion]error // served by something behind the API server that did not answer
}

// Capabilities returns what the cluster serves, at most ten minutes old. It takes three requests where nothing is cached.
func (c *Cluster) Capabilities(ctx context.Context) (Capabilities, error) {
	f, err := c.discover(ctx, discoveryAge)
	if err != nil {
		return Capabilities{}, err
	}
	return f.capabilities, nil
}

// Mapping returns the resource of a kind. Kinds that every cluster has take no request; others come from what
// Capabilities found, looked up anew where they are missing. A kind that is not served is fault.NotFound.
func (c *Cluster) Mapping(ctx context.Context, gvk schema.GroupVersionKind) (Mapping, error) {
	if mapping, ok := builtIn(gvk); ok {
		return mapping, nil
	}
	f, err := c.discover(ctx, discoveryAge)
	if err != nil {
		return Mapping{}, err
	}
	if mapping, ok := f.mappings[gvk]; ok {
		return mapping, nil
	}
	if f, err = c.discover(ctx, discoveryGap); err != nil {
		return Mapping{}, err
	}
	if mapping, ok := f.mappings[gvk]; ok {
		return mapping, nil
	}
	kind := gvk.GroupVersion().String() + "/" + gvk.Kind
	if cause, ok := f.failed[gvk.GroupVersion()]; ok {
		return Mapping{}, fault.Wrap(fault.Unreachable, cause, "cannot find kind %s in cluster %s", kind, c.context)
	}
	return Mapping{}, fault.New(fault.NotFound, "cannot find kind %s in cluster %s: it is not served there", kind, c.context)
}

func (c *Cluster) discover(ctx context.Context, age time.Duration) (*found, error) {
	c.discovering.Lock()
	defer c.discovering.Unlock()
	if c.found != nil && c.clock.Since(c.found.at) < age {
		return c.found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	version, err := c.finder.ServerVersionWithContext(ctx)
	if err != nil {
		return nil, c.fault(err, "get", "the version")
	}
	_, lists, err := c.finder.ServerGroupsAndResourcesWithContext(ctx)
	f := &found{at: c.clock.Now(), mappings: map[schema.GroupVersionKind]Mapping{}, failed: map[schema.GroupVersion]error{}}
	var partial *discovery.ErrGroupDiscoveryFailed
	switch {
	case errors.As(err, &partial):
		f.failed = partial.Groups
	case err != nil:
		return nil, c.fault(err, "get", "the API resources")
	}
	f.capabilities = Capabilities{Version: version.GitVersion, Major: version.Major, Minor: version.Minor}
	f.add(lists)
	c.found = f
	return f, nil
}

func (f *found) add(lists []*metav1.APIResourceList) {
	versions := map[string]bool{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		versions[list.GroupVersion] = true
		for _, resource := range list.APIResources {
			versions[list.GroupVersion+"/"+resource.Kind] = true
			if strings.Contains(resource.Name, "/") {
				continue
			}
			f.mappings[gv.WithKind(resource.Kind)] = Mapping{Resource: gv.WithResource(resource.Name), Namespaced: resource.Namespaced}
		}
	}
	for version := range versions {
		f.capabilities.APIVersions = append(f.capabilities.APIVersions, version)
	}
	slices.Sort(f.capabilities.APIVersions)
}

// builtIn maps the kinds that Sluice itself needs in every cluster, so that a rollout does not wait for discovery.
func builtIn(gvk schema.GroupVersionKind) (Mapping, bool) {
	switch gvk.GroupVersion().String() {
	case "v1":
		switch gvk.Kind {
		case "Pod", "Event", "ConfigMap", "Secret", "Service", "ServiceAccount":
			return named(gvk, true), true
		case "Node", "Namespace":
			return named(gvk, false), true
		}
	case "apps/v1":
		switch gvk.Kind {
		case "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ControllerRevision":
			return named(gvk, true), true
		}
	case "coordination.k8s.io/v1":
		return named(gvk, true), gvk.Kind == "Lease"
	case "policy/v1":
		return named(gvk, true), gvk.Kind == "PodDisruptionBudget"
	}
	return Mapping{}, false
}

func named(gvk schema.GroupVersionKind, namespaced bool) Mapping {
	return Mapping{Resource: gvk.GroupVersion().WithResource(strings.ToLower(gvk.Kind) + "s"), Namespaced: namespaced}
}
