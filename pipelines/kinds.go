// Package pipelines is the language of Sluice: the kinds that people write in git, their strict loading with line and
// column, their validation and their JSON Schema. What a word of it means is said here once: how an amount rounds, what a
// selector selects. It reads files and nothing else; it knows no cluster and no clock.
package pipelines

import "fmt"

// APIVersion is the version of every kind in this package.
const APIVersion = "sluice.dev/v1alpha1"

// The kinds.
const (
	KindPipeline     = "Pipeline"
	KindTask         = "Task"
	KindComponent    = "Component"
	KindClusterGroup = "ClusterGroup"
	KindCluster      = "Cluster"
	KindFleet        = "Fleet"
	KindCalendar     = "Calendar"
	KindDataSource   = "DataSource"
	KindReceiver     = "Receiver"
	KindPolicy       = "Policy"
	KindGroup        = "Group"
	KindFuse         = "Fuse"
	KindDrill        = "Drill"
	KindLimit        = "Limit"
	KindBinding      = "Binding"
	KindSource       = "Source"
	KindTrigger      = "Trigger"
	KindProbe        = "Probe"
	KindProbeSet     = "ProbeSet"
	KindProbeBinding = "ProbeBinding"
)

// Kinds lists every kind, in the order in which they are documented.
func Kinds() []string {
	return []string{
		KindPipeline, KindTask, KindComponent, KindClusterGroup, KindCluster, KindFleet, KindCalendar, KindDataSource, KindReceiver,
		KindPolicy, KindGroup, KindFuse, KindLimit, KindDrill, KindBinding,
		KindSource, KindTrigger, KindProbe, KindProbeSet, KindProbeBinding,
	}
}

// Position is a place in a file. Lines and columns count from 1, columns in characters; line 0 is the file as a whole.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String prints the position as compilers do: file:line:column.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Metadata names a document.
type Metadata struct {
	Name        string            `json:"name" is:"name"`                                   // a DNS-1123 label, unique in its kind
	DisplayName string            `json:"displayName,omitempty"`                            // for people; default the name
	Labels      map[string]string `json:"labels,omitempty" keys:"labelKey" is:"labelValue"` // for selectors
}

// Documents is everything a set of files declares, checked against each other.
type Documents struct {
	Pipelines     map[string]*Pipeline
	Tasks         map[string]*Task
	Components    map[string][]*Component // by name, one for each version, sorted by version
	ClusterGroups map[string]*ClusterGroup
	Clusters      map[string]*Cluster
	Calendars     map[string]*Calendar
	DataSources   map[string]*DataSource
	Receivers     map[string]*Receiver
	Policies      map[string]*Policy
	Groups        map[string]*Group
	Fuses         map[string]*Fuse
	Drills        map[string]*Drill
	Limits        map[string]*Limit
	Bindings      map[string]*Binding
	GitSources    map[string]*GitSource
	Triggers      map[string]*Trigger
	Probes        map[string]*ProbeDocuments // by the folder of a component that ships them; "" for those of none
	Fleet         *Fleet                     // never nil: the built-in one where no file declares it
	Files         []string
	Warnings      Diagnostics // what is allowed and hardly meant, sorted; nil where nothing is
}
