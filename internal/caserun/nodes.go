package caserun

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/probing"
)

// Nodes are some of the nodes that a case is about, as many as it samples, sorted; the same ones for the same key. None is fault.NotFound.
func Nodes(ctx context.Context, c *kube.Cluster, config *probing.Config, key string) ([]string, error) {
	names, err := Labelled(ctx, c, config)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fault.New(fault.NotFound, "case %s is about nodes, and cluster %s has none such as it says", config.Name, c.Context())
	}
	names = probing.Sample(names, config.Spec.Target.Sample, config.Name+"/"+key)
	slices.Sort(names)
	return names, nil
}

// Labelled are all nodes that a case is about.
func Labelled(ctx context.Context, c *kube.Cluster, config *probing.Config) ([]string, error) {
	var terms []string
	for name, value := range config.Spec.Target.Labels {
		terms = append(terms, name+"="+value)
	}
	slices.Sort(terms)
	nodes, err := c.List(ctx, corev1.SchemeGroupVersion.WithKind("Node"), "", kube.Filter{Labels: strings.Join(terms, ",")})
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(nodes))
	for _, n := range nodes {
		names = append(names, n.GetName())
	}
	return names, nil
}
