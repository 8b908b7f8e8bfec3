package pipelines

import (
	"maps"
	"slices"
)

// KeptDocument is a document that is kept in the ledger for the whole installation.
type KeptDocument struct {
	Kind  string
	Name  string
	Value any // the struct of its kind
}

// KeptKinds are the kinds of which documents are kept in the ledger, and not read from the files of a plan alone.
func KeptKinds() []string { return []string{KindPolicy, KindFuse, KindLimit, KindBinding} }

// Kept are the documents that the ledger keeps, by kind and name, and the names of all others.
func (d *Documents) Kept() (kept []KeptDocument, others []string) {
	for _, name := range slices.Sorted(maps.Keys(d.Policies)) {
		kept = append(kept, KeptDocument{KindPolicy, name, d.Policies[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(d.Fuses)) {
		kept = append(kept, KeptDocument{KindFuse, name, d.Fuses[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(d.Limits)) {
		kept = append(kept, KeptDocument{KindLimit, name, d.Limits[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(d.Bindings)) {
		kept = append(kept, KeptDocument{KindBinding, name, d.Bindings[name]})
	}
	others = listed(others, KindPipeline, d.Pipelines)
	others = listed(others, KindTask, d.Tasks)
	others = listed(others, KindComponent, d.Components)
	others = listed(others, KindClusterGroup, d.ClusterGroups)
	others = listed(others, KindCluster, d.Clusters)
	others = listed(others, KindCalendar, d.Calendars)
	others = listed(others, KindDataSource, d.DataSources)
	others = listed(others, KindGroup, d.Groups)
	others = listed(others, KindDrill, d.Drills)
	return kept, listed(others, KindReceiver, d.Receivers)
}

func listed[T any](others []string, kind string, all map[string]T) []string {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		others = append(others, kind+" "+name)
	}
	return others
}
