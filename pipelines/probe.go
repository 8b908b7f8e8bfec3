package pipelines

import (
	"cmp"
	"slices"
	"strings"
)

// Probe is a use case as a template: a program that walks a way that users walk, or looks for a known risk, and what it may touch on
// it. Of one Probe there are as many cases as there are params to run it with.
type Probe struct {
	Metadata Metadata  `json:"metadata"`
	Spec     ProbeSpec `json:"spec"`
	Position Position  `json:"-"`
}

// ProbeSpec is the body of a Probe. Texts of command, args and env may name $(params.NAME), $(cluster.NAME) and $(values.KEY).
type ProbeSpec struct {
	Description string         `json:"description,omitempty" is:"text"`
	Image       string         `json:"image,omitempty" is:"image"`         // exactly one of image and imageSlot
	ImageSlot   string         `json:"imageSlot,omitempty" is:"slot"`      // an image slot of the component that ships it
	Command     []string       `json:"command,omitempty" items:"1..50"`    // instead of the image's own
	Args        []string       `json:"args,omitempty" items:"1..100"`      // to the command
	Params      []ProbeParam   `json:"params,omitempty" items:"1..50"`     // what its cases may say
	Env         []ProbeEnv     `json:"env,omitempty" items:"1..50"`        // beside the variables by which it reports
	Mounts      []ProbeMount   `json:"mounts,omitempty" items:"1..10"`     // files that it reads
	Contract    ProbeContract  `json:"contract,omitempty"`                 // by which version of Kuberhealthy it reports; default v3
	Timeout     *Duration      `json:"timeout,omitempty"`                  // of a run; of a resident, to have begun; default 1m
	Profile     PodProfile     `json:"profile,omitempty"`                  // what its pod may do; default restricted
	Exceptions  []PodException `json:"exceptions,omitempty" items:"1..10"` // what it may do beyond its profile
	Limits      *PodLimits     `json:"limits,omitempty"`
	Severity    ProbeSeverity  `json:"severity,omitempty"`        // how bad it is where it fails; default P3
	Owner       string         `json:"owner,omitempty" is:"line"` // who is asked
	Mode        ProbeMode      `json:"mode,omitempty"`            // default OneShot
	Target      *ProbedTarget  `json:"target,omitempty"`          // what a run is about; default the cluster
	Touches     []ProbeTouch   `json:"touches,omitempty" items:"1..50"`
	Keep        *Duration      `json:"keep,omitempty"` // for how long a run stays that has ended; default 1h
	// of what it makes, so many at a time, as resource or resource.group; default 10 each
	Objects map[string]int `json:"objects,omitempty" keys:"resource" range:"0..10000" items:"1..50"`
	// of the nodes on which it may run
	NodeSelector map[string]string `json:"nodeSelector,omitempty" keys:"labelKey" is:"labelValue" items:"1..20"`
}

// ProbeParam is what cases of a Probe may differ in. One without a default has to be given.
type ProbeParam struct {
	Name        string `json:"name" is:"identifier"`
	Description string `json:"description,omitempty"`
	Default     any    `json:"default,omitempty" is:"scalar"`
}

// ProbeValue gives a param of a case its value. A text may name $(cluster.NAME) and $(values.KEY).
type ProbeValue struct {
	Name  string `json:"name" is:"identifier"`
	Value any    `json:"value" is:"scalar"`
}

// ProbeContract is a version of Kuberhealthy by whose contract a program reports.
type ProbeContract string

// The contracts: at /externalCheckStatus, at /check.
const (
	ContractV2 ProbeContract = "v2"
	ContractV3 ProbeContract = "v3"
)

func (ProbeContract) values() []string { return []string{string(ContractV2), string(ContractV3)} }

// ProbeSeverity is how bad it is where a probe fails. P0 is the worst.
type ProbeSeverity string

func (ProbeSeverity) values() []string { return []string{"P0", "P1", "P2", "P3", "P4"} }

// ProbeMode is how a case runs.
type ProbeMode string

// The modes: a pod for each run; a pod that never ends.
const (
	ProbeOneShot  ProbeMode = "OneShot"
	ProbeResident ProbeMode = "Resident"
)

func (ProbeMode) values() []string { return []string{string(ProbeOneShot), string(ProbeResident)} }

// ProbeEnv is a variable of a probe's program: a text, or what is known of its pod alone.
type ProbeEnv struct {
	Name  string   `json:"name" is:"identifier"`
	Value string   `json:"value,omitempty"`
	Field PodField `json:"field,omitempty"` // of its pod, instead of value
}

// PodField is what a program may be told of its pod, in Kubernetes' words.
type PodField string

func (PodField) values() []string {
	return []string{
		"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.podIP",
	}
}

// PodFields are the fields that there are.
func PodFields() []string { return PodField("").values() }

// ProbeMount is a Secret or a ConfigMap of the namespace that a case runs in, as files that its program reads.
type ProbeMount struct {
	Secret    string `json:"secret,omitempty" is:"subdomain"` // exactly one of secret and configMap
	ConfigMap string `json:"configMap,omitempty" is:"subdomain"`
	At        string `json:"at" is:"mountPath"` // the folder in which its keys are files
}

// PodException is what a pod may do beyond its profile, under a name and with a reason.
type PodException struct {
	Name         string   `json:"name" is:"name"`
	Because      string   `json:"because" is:"line"`
	Capabilities []string `json:"capabilities" is:"capability" items:"1..10"` // such as NET_RAW
}

// ProbedTarget is what a run of a case is about.
type ProbedTarget struct {
	Kind   ProbedKind        `json:"kind"`
	Sample int               `json:"sample,omitempty" range:"1..50"` // of the nodes, so many at a time; default 50
	Labels map[string]string `json:"labels,omitempty" keys:"labelKey" is:"labelValue" items:"1..20"`
	// its pod runs anywhere but on the node that it is about, which SLUICE_TARGET names: one that is ill could not say so
	Apart bool `json:"apart,omitempty"`
}

// ProbedKind is what there is a run for.
type ProbedKind string

// The kinds: one for the cluster, or one for each node, or for some of them.
const (
	ProbedCluster ProbedKind = "Cluster"
	ProbedNodes   ProbedKind = "Nodes"
)

func (ProbedKind) values() []string { return []string{string(ProbedCluster), string(ProbedNodes)} }

// ProbeTouch is what a case may do by the API of its cluster. Its account may do nothing else.
type ProbeTouch struct {
	APIGroups     []string `json:"apiGroups,omitempty" is:"apiGroup" items:"1..20"` // default the core group
	Resources     []string `json:"resources" is:"resource" items:"1..50"`
	ResourceNames []string `json:"resourceNames,omitempty" is:"text" items:"1..50"`
	Verbs         []string `json:"verbs" is:"apiVerb" items:"1..10"`
	Everywhere    bool     `json:"everywhere,omitempty"` // in every namespace, and what has none; default in its own
}

// ProbeSet is cases that belong together.
type ProbeSet struct {
	Metadata Metadata     `json:"metadata"`
	Spec     ProbeSetSpec `json:"spec"`
	Position Position     `json:"-"`
}

// ProbeSetSpec is the body of a ProbeSet.
type ProbeSetSpec struct {
	Description string      `json:"description,omitempty" is:"text"`
	Cases       []BoundCase `json:"cases" items:"1..200"`
}

// BoundCase is a Probe with its params.
type BoundCase struct {
	Name     string       `json:"name,omitempty" is:"name"` // in a cluster there is one of a name; default the probe's
	Probe    string       `json:"probe" is:"name"`
	Params   []ProbeValue `json:"params,omitempty" items:"1..50"`
	Position Position     `json:"-"`
}

// ProbeBinding says which clusters run which cases, and when.
type ProbeBinding struct {
	Metadata Metadata         `json:"metadata"`
	Spec     ProbeBindingSpec `json:"spec"`
	Position Position         `json:"-"`
}

// ProbeBindingSpec is the body of a ProbeBinding.
type ProbeBindingSpec struct {
	Description string        `json:"description,omitempty" is:"text"`
	Clusters    *Selector     `json:"clusters"`
	Sets        []string      `json:"sets,omitempty" is:"name" items:"1..50"`
	Cases       []BoundCase   `json:"cases,omitempty" items:"1..200"` // beside those of the sets
	Schedule    ProbeSchedule `json:"schedule,omitempty"`             // default none; of a resident: how often it reports, default 1m
	Events      []ProbeEvent  `json:"events,omitempty" items:"1..20"` // changes that begin its cases at once
	// after which a result says nothing more; default three times the interval, and needed where there is none
	Freshness   *Duration         `json:"freshness,omitempty"`
	Denoise     *ProbeDenoise     `json:"denoise,omitempty"`
	Enforcement *ProbeEnforcement `json:"enforcement,omitempty"` // default Advisory
}

// ProbeSchedule is when cases run by themselves: by interval or by cron.
type ProbeSchedule struct {
	Every  *Duration `json:"every,omitempty"`
	Cron   string    `json:"cron,omitempty" is:"line"` // of five fields
	Zone   string    `json:"zone,omitempty" is:"text"` // of cron: an IANA name; default UTC
	Jitter *Duration `json:"jitter,omitempty"`         // over which clusters spread; default the interval, of cron nothing
}

// ProbeEvent is a change that begins cases at once.
type ProbeEvent struct {
	On ProbeEventKind `json:"on"`
	// of workloads as Kind/namespace/name or namespace/name, of conditions, of posted events; default all
	Names []string `json:"names,omitempty" is:"line" items:"1..100"`
}

// ProbeEventKind is what has changed.
type ProbeEventKind string

// The changes.
const (
	OnBatchMoved            ProbeEventKind = "BatchMoved"
	OnDeployed              ProbeEventKind = "Deployed"
	OnNodeNew               ProbeEventKind = "NodeNew"
	OnNodeRebooted          ProbeEventKind = "NodeRebooted"
	OnNodeCondition         ProbeEventKind = "NodeCondition"
	OnControlPlaneRestarted ProbeEventKind = "ControlPlaneRestarted"
	OnPosted                ProbeEventKind = "Posted"
)

func (ProbeEventKind) values() []string {
	return texts([]ProbeEventKind{
		OnBatchMoved, OnDeployed, OnNodeNew, OnNodeRebooted, OnNodeCondition, OnControlPlaneRestarted, OnPosted,
	})
}

// ProbeDenoise is when cases count as failing.
type ProbeDenoise struct {
	Failures int `json:"failures,omitempty" range:"1..20"` // so many failures; default 1, of a resident 3
	Of       int `json:"of,omitempty" range:"1..20"`       // of the last so many results; default failures
	Passes   int `json:"passes,omitempty" range:"1..20"`   // in a row that end it; default 1
}

// ProbeEnforcement is whether a failure holds what changes. Enforcing needs a record: quiet runs in an environment, or how many of its
// failures were none.
type ProbeEnforcement struct {
	Mode           Enforcement `json:"mode"`
	QuietRuns      int         `json:"quietRuns,omitempty" range:"1..100000"` // that passed without a failure nobody explained
	Environment    string      `json:"environment,omitempty" is:"name"`       // in which they ran
	FalsePositives *Amount     `json:"falsePositives,omitempty"`              // at most so many of its failures, as labelled: 5%
}

// ProbeDocuments are the probe documents of one folder. They know each other, and no others.
type ProbeDocuments struct {
	Probes   map[string]*Probe
	Sets     map[string]*ProbeSet
	Bindings map[string]*ProbeBinding
}

func newProbeDocuments() *ProbeDocuments {
	return &ProbeDocuments{Probes: map[string]*Probe{}, Sets: map[string]*ProbeSet{}, Bindings: map[string]*ProbeBinding{}}
}

// Makes is how many objects of each kind a case may have at a time in its own namespace, as resource or resource.group: as many as it
// says, else most.
func (s *ProbeSpec) Makes(most int) map[string]int {
	made := map[string]int{}
	for i := range s.Touches {
		if s.Touches[i].Everywhere {
			continue
		}
		for _, resource := range s.Touches[i].makes() {
			made[resource] = most
			if own, said := s.Objects[resource]; said {
				made[resource] = own
			}
		}
	}
	return made
}

// ProbeMakes is a kind of object that a case may create, and that may be left by one that is stopped.
type ProbeMakes struct {
	Group, Resource string
	Everywhere      bool // in every namespace, or in none
}

// Leaves are the kinds of objects that a case may leave, but for pods of its own namespace, sorted. What is asked for by creating it, as
// whether somebody may do something, is stored nowhere.
func (s *ProbeSpec) Leaves() (all []ProbeMakes) {
	asked := []string{"authentication.k8s.io", "authorization.k8s.io"}
	for i := range s.Touches {
		t := &s.Touches[i]
		for _, name := range t.makes() {
			resource, group, _ := strings.Cut(name, ".")
			one := ProbeMakes{Group: group, Resource: resource, Everywhere: t.Everywhere}
			if one != (ProbeMakes{Resource: "pods"}) && !slices.Contains(asked, group) {
				all = append(all, one)
			}
		}
	}
	slices.SortFunc(all, func(a, b ProbeMakes) int {
		wider := 0
		if a.Everywhere != b.Everywhere {
			wider = 1
			if a.Everywhere {
				wider = -1
			}
		}
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource), wider)
	})
	return slices.CompactFunc(all, func(a, b ProbeMakes) bool { return a.Group == b.Group && a.Resource == b.Resource })
}

// MaxProbeSample is how many nodes one round of a case is about at most.
const MaxProbeSample = 50

// Pods is how many pods run a case at a time at most: those that begin, and beside them those that they are begun anew for.
func (s *ProbeSpec) Pods() int {
	if s.Target == nil || s.Target.Kind != ProbedNodes {
		return 2
	}
	if s.Target.Sample == 0 {
		return 2 * MaxProbeSample
	}
	return 2 * s.Target.Sample
}
