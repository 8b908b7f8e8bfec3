package pipelines

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// KeptDocument is a document that is kept in the ledger for the whole installation.
type KeptDocument struct {
	Kind     string
	Name     string
	Value    any // the struct of its kind
	Position Position
}

// KeptKinds are the kinds of which documents are kept in the ledger, and not read from the files of a plan alone.
func KeptKinds() []string {
	return append(FleetKinds(), KindPolicy, KindFuse, KindLimit, KindBinding, KindSource, KindTrigger)
}

// FleetKinds are the kinds of which a fleet is made. A document refers to those of kinds before its own.
func FleetKinds() []string { return []string{KindFleet, KindClusterGroup, KindCluster} }

// IsOfFleet reports whether a fleet is made of documents of a kind.
func IsOfFleet(kind string) bool { return slices.Contains(FleetKinds(), kind) }

// MostKept is how many documents of a kind may be kept.
func MostKept(kind string) int {
	if IsOfFleet(kind) {
		return 20_000
	}
	return 1000
}

// KeptSource is a source that declares a document which is kept as the JSON of its struct.
func KeptSource(name, kind string, document []byte) (Source, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(document, &fields); err != nil {
		return Source{}, err
	}
	fields["apiVersion"], fields["kind"] = json.RawMessage(strconv.Quote(APIVersion)), json.RawMessage(strconv.Quote(kind))
	data, err := json.Marshal(fields)
	return Source{Name: name, Data: data}, err
}

// Kept are the documents that the ledger keeps, by kind and name, and the names of all others.
func (d *Documents) Kept() (kept []KeptDocument, others []string) {
	if at := d.Fleet.Position; at != (Position{}) {
		kept = append(kept, KeptDocument{KindFleet, d.Fleet.Metadata.Name, d.Fleet, at})
	}
	kept = keptOf(kept, KindClusterGroup, d.ClusterGroups, func(g *ClusterGroup) Position { return g.Position })
	kept = keptOf(kept, KindCluster, d.Clusters, func(c *Cluster) Position { return c.Position })
	kept = keptOf(kept, KindPolicy, d.Policies, func(p *Policy) Position { return p.Position })
	kept = keptOf(kept, KindFuse, d.Fuses, func(f *Fuse) Position { return f.Position })
	kept = keptOf(kept, KindLimit, d.Limits, func(l *Limit) Position { return l.Position })
	kept = keptOf(kept, KindBinding, d.Bindings, func(b *Binding) Position { return b.Position })
	kept = keptOf(kept, KindSource, d.GitSources, func(s *GitSource) Position { return s.Position })
	kept = keptOf(kept, KindTrigger, d.Triggers, func(t *Trigger) Position { return t.Position })
	others = listed(others, KindPipeline, d.Pipelines)
	others = listed(others, KindTask, d.Tasks)
	others = listed(others, KindComponent, d.Components)
	others = listed(others, KindCalendar, d.Calendars)
	others = listed(others, KindDataSource, d.DataSources)
	others = listed(others, KindGroup, d.Groups)
	others = listed(others, KindDrill, d.Drills)
	for _, folder := range slices.Sorted(maps.Keys(d.Probes)) {
		others = listed(others, KindProbe, d.Probes[folder].Probes)
		others = listed(others, KindProbeSet, d.Probes[folder].Sets)
		others = listed(others, KindProbeBinding, d.Probes[folder].Bindings)
	}
	return kept, listed(others, KindReceiver, d.Receivers)
}

func keptOf[T any](kept []KeptDocument, kind string, all map[string]*T, at func(*T) Position) []KeptDocument {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		kept = append(kept, KeptDocument{kind, name, all[name], at(all[name])})
	}
	return kept
}

func listed[T any](others []string, kind string, all map[string]T) []string {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		others = append(others, kind+" "+name)
	}
	return others
}
