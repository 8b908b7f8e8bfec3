package pipelines

import (
	"maps"
	"slices"

	"sluice.dev/sluice/pipelines/rule"
)

// linter checks decoded documents: what each says, and what they say of each other. It fills in defaults on the way.
type linter struct {
	report   *report
	warnings *report
	docs     []*document
	root     string // the folder that holds all there is; "" where that is this machine
	all      *Documents
	compiler *rule.Compiler
	fits     map[string]fit      // of tasks, by name
	names    map[string][]string // of documents, by kind, sorted
	places   map[string]spot     // of cluster groups, clusters, data sources and policies, by kind and name
	labelled *Labels             // of the fleet; nil until they are asked for

	fleetless bool // which fleet there is is not known
}

func newLinter(r *report, docs []*document) *linter {
	return &linter{
		report:   r,
		warnings: newReport(),
		docs:     docs,
		all: &Documents{
			Pipelines:     map[string]*Pipeline{},
			Tasks:         map[string]*Task{},
			Components:    map[string][]*Component{},
			ClusterGroups: map[string]*ClusterGroup{},
			Clusters:      map[string]*Cluster{},
			Calendars:     map[string]*Calendar{},
			DataSources:   map[string]*DataSource{},
			Receivers:     map[string]*Receiver{},
			Policies:      map[string]*Policy{},
			Groups:        map[string]*Group{},
			Fuses:         map[string]*Fuse{},
			Drills:        map[string]*Drill{},
			Limits:        map[string]*Limit{},
			Bindings:      map[string]*Binding{},
			GitSources:    map[string]*GitSource{},
			Triggers:      map[string]*Trigger{},
			Probes:        map[string]*ProbeDocuments{},
		},
		compiler: rule.NewCompiler(),
		fits:     map[string]fit{},
		names:    map[string][]string{},
		places:   map[string]spot{},
	}
}

func (l *linter) lint() *Documents {
	l.index()
	for _, doc := range l.docs {
		if task, ok := doc.value.(*Task); ok {
			l.task(task, doc.spot())
		}
	}
	for _, doc := range l.docs {
		switch value := doc.value.(type) {
		case *ClusterGroup:
			l.group(value, doc.spot())
		case *Cluster:
			l.cluster(value, doc.spot())
		case *Pipeline:
			l.pipeline(value, doc.spot())
		case *Component:
			l.component(value, doc.spot())
		case *Calendar:
			l.calendar(value, doc.spot())
		case *DataSource:
			l.dataSource(value, doc.spot())
		case *Receiver:
			l.receiver(value, doc.spot())
		case *Policy:
			l.policy(value, doc.spot())
		case *Group:
			l.people(value, doc.spot())
		case *Fuse:
			l.fuse(value, doc.spot())
		case *Drill:
			l.drill(value, doc.spot())
		case *Limit:
			l.limit(value)
		case *Binding:
			l.binding(value, doc.spot())
		case *GitSource:
			l.gitSource(value, doc.spot())
		case *Trigger:
			l.trigger(value, doc.spot())
		case *Probe:
			l.probe(value, doc.spot())
		}
	}
	l.boundProbes()
	l.contradictions()
	l.order()
	l.defaults()
	l.all.Warnings = l.warnings.found.sorted()
	return l.all
}

// index files documents under their names, and drops those of the library that a file replaces.
func (l *linter) index() {
	first := make(map[string]*document, len(l.docs))
	var fleet *document
	kept := l.docs[:0]
	for _, doc := range l.docs {
		name, version := identity(doc)
		key := doc.kind + "/" + name + "/" + version
		if doc.isProbe() {
			key += "/" + doc.folder
		}
		if doc.kind == KindFleet {
			key = KindFleet
		}
		if other, twice := first[key]; twice && name != "" {
			if doc.source.library && !other.source.library {
				continue
			}
			l.twice(doc, other, version)
			kept = append(kept, doc)
			continue
		}
		first[key] = doc
		kept = append(kept, doc)
		switch value := doc.value.(type) {
		case *Pipeline:
			l.all.Pipelines[name] = value
		case *Task:
			l.all.Tasks[name] = value
		case *Component:
			l.all.Components[name] = append(l.all.Components[name], value)
		case *ClusterGroup:
			l.all.ClusterGroups[name] = value
			l.places[KindClusterGroup+name] = doc.spot()
		case *Cluster:
			l.all.Clusters[name] = value
			l.places[KindCluster+name] = doc.spot()
		case *DataSource:
			l.all.DataSources[name] = value
			l.places[KindDataSource+name] = doc.spot()
		case *Receiver:
			l.all.Receivers[name] = value
		case *Policy:
			l.all.Policies[name] = value
			l.places[KindPolicy+name] = doc.spot()
		case *Group:
			l.all.Groups[name] = value
		case *Fuse:
			l.all.Fuses[name] = value
		case *Drill:
			l.all.Drills[name] = value
		case *Limit:
			l.all.Limits[name] = value
		case *Binding:
			l.all.Bindings[name] = value
		case *GitSource:
			l.all.GitSources[name] = value
		case *Trigger:
			l.all.Triggers[name] = value
		case *Probe:
			l.probesOf(doc.folder).Probes[name] = value
		case *ProbeSet:
			l.probesOf(doc.folder).Sets[name] = value
		case *ProbeBinding:
			l.probesOf(doc.folder).Bindings[name] = value
		case *Fleet:
			l.all.Fleet = value
			fleet = doc
		case *Calendar:
			l.all.Calendars[name] = value
		}
	}
	l.docs = kept
	for _, versions := range l.all.Components {
		slices.SortStableFunc(versions, func(a, b *Component) int { return compareVersions(a.Spec.Version, b.Spec.Version) })
	}
	l.fleet(fleet)
}

// identity is what tells documents of a kind apart. A version is part of it for components only.
func identity(doc *document) (name, version string) {
	switch value := doc.value.(type) {
	case *Pipeline:
		return value.Metadata.Name, ""
	case *Task:
		return value.Metadata.Name, ""
	case *Component:
		return value.Metadata.Name, value.Spec.Version
	case *ClusterGroup:
		return value.Metadata.Name, ""
	case *Cluster:
		return value.Metadata.Name, ""
	case *DataSource:
		return value.Metadata.Name, ""
	case *Receiver:
		return value.Metadata.Name, ""
	case *Policy:
		return value.Metadata.Name, ""
	case *Group:
		return value.Metadata.Name, ""
	case *Fuse:
		return value.Metadata.Name, ""
	case *Drill:
		return value.Metadata.Name, ""
	case *Limit:
		return value.Metadata.Name, ""
	case *Binding:
		return value.Metadata.Name, ""
	case *GitSource:
		return value.Metadata.Name, ""
	case *Trigger:
		return value.Metadata.Name, ""
	case *Probe:
		return value.Metadata.Name, ""
	case *ProbeSet:
		return value.Metadata.Name, ""
	case *ProbeBinding:
		return value.Metadata.Name, ""
	case *Fleet:
		return value.Metadata.Name, ""
	case *Calendar:
		return value.Metadata.Name, ""
	}
	return "", ""
}

func (l *linter) twice(doc, other *document, version string) {
	at := doc.spot().at("metadata", "name")
	before := other.spot().at("metadata", "name").position()
	if doc.kind == KindFleet {
		l.report.addAt(at, "there can be one Fleet only: the first is at %s", before)
		return
	}
	name, _ := identity(doc)
	if version != "" {
		l.report.addAt(at, "%s %s has version %s twice: first at %s", doc.kind, name, version, before)
		return
	}
	l.report.addAt(at, "%s %s is declared twice: first at %s", doc.kind, name, before)
}

// maxSuggestFrom is the number of names past which no similar one is looked for: a wrong file would take seconds.
const maxSuggestFrom = 2000

// known lists the names of all documents of a kind, sorted.
func (l *linter) known(kind string) []string {
	if names, ok := l.names[kind]; ok {
		return names
	}
	var names []string
	switch kind {
	case KindPipeline:
		names = slices.Sorted(maps.Keys(l.all.Pipelines))
	case KindTask:
		names = slices.Sorted(maps.Keys(l.all.Tasks))
	case KindClusterGroup:
		names = slices.Sorted(maps.Keys(l.all.ClusterGroups))
	case KindCluster:
		names = slices.Sorted(maps.Keys(l.all.Clusters))
	case KindCalendar:
		names = slices.Sorted(maps.Keys(l.all.Calendars))
	case KindDataSource:
		names = slices.Sorted(maps.Keys(l.all.DataSources))
	case KindGroup:
		names = slices.Sorted(maps.Keys(l.all.Groups))
	case KindSource:
		names = slices.Sorted(maps.Keys(l.all.GitSources))
	}
	l.names[kind] = names
	return names
}

// refer reports a name that no document of the kind has.
func (l *linter) refer(at spot, kind, name string) {
	names := l.known(kind)
	if _, ok := slices.BinarySearch(names, name); ok || name == "" {
		return
	}
	suggestion := ""
	if len(names) <= maxSuggestFrom {
		suggestion = rule.Suggest(name, names)
	}
	l.report.addAt(at, "there is no %s %s%s", kind, name, suggestion)
}

// referIfAny is refer where the load has documents of the kind at all: pipelines and components are also checked in
// folders of their own, without the fleet.
func (l *linter) referIfAny(at spot, kind, name string) {
	if len(l.known(kind)) > 0 {
		l.refer(at, kind, name)
	}
}

// unique reports the names of a list that stand in it before; at gives the place of the one at an index.
func (l *linter) unique(what string, names []string, at func(i int) spot) {
	first := make(map[string]int, len(names))
	for i, name := range names {
		if name == "" {
			continue
		}
		if before, twice := first[name]; twice {
			l.report.addAt(at(i), "%s %s is given twice: first in line %d", what, name, at(before).position().Line)
			continue
		}
		first[name] = i
	}
}
