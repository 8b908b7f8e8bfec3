// Package fuse freezes a part of the fleet by itself where too much of what ends there has failed, over all runs: fuses are kept in the
// ledger, and so is what they count.
package fuse

import (
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
)

// Of reads the fuse in a kept document.
func Of(k ledger.Kept) (*pipelines.Fuse, error) {
	f := &pipelines.Fuse{}
	return f, k.Read(f)
}

// Scope is whose failures a fuse counts, and what it freezes.
func Scope(f *pipelines.Fuse) api.FreezeScope {
	s := f.Spec.Scope
	return api.FreezeScope{
		Component: api.ParseSubject(s.Component), Environment: s.Environment, Group: s.ClusterGroup,
		Clusters: s.Clusters, Labels: s.ClusterLabels,
	}
}
