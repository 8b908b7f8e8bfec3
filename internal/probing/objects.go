// Package probing is what a probe is in a cluster: the objects by which it is configured and run there, what comes of a run, and what
// many results say. It is pure: it asks no cluster, no clock and no store.
package probing

import (
	"encoding/json"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/api"
)

// GroupVersion is that of the objects below.
var GroupVersion = schema.GroupVersion{Group: "sluice.dev", Version: "v1alpha1"}

// The kinds that clusters keep.
const (
	KindConfig = "ProbeConfig"
	KindRun    = "ProbeRun"
)

// Labels and annotations of what probes make in a cluster.
const (
	LabelCase = "sluice.dev/probe"     // of runs and pods: the case
	LabelRun  = "sluice.dev/probe-run" // of pods, and of all that a case makes: the name of the run

	// LabelSet is what the keys of a config's labels begin with that name the sets which brought the case: each ends with a set's name.
	LabelSet = "set.probes.sluice.dev/"

	// AnnotationRunNow has a case run by hand: another value is another run.
	AnnotationRunNow = "sluice.dev/run-now"
)

// Config is a case in a cluster: what is run, and when. Its name is the case's; there is one of a name in a cluster.
type Config struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ConfigSpec   `json:"spec"`
	Status            ConfigStatus `json:"status,omitzero"`
}

// ConfigSpec is what a case is.
type ConfigSpec struct {
	Probe       string          `json:"probe"`             // the document that it is a case of
	Version     string          `json:"version,omitempty"` // of the component that brought it
	Binding     string          `json:"binding,omitempty"`
	Description string          `json:"description,omitempty"`
	Severity    string          `json:"severity,omitempty"` // P0 to P4
	Owner       string          `json:"owner,omitempty"`
	Mode        Mode            `json:"mode,omitempty"` // default OneShot
	Pod         PodSpec         `json:"pod"`
	Timeout     metav1.Duration `json:"timeout"` // of a run; of a resident, by when it has to have begun
	Target      TargetSpec      `json:"target,omitzero"`
	Schedule    Schedule        `json:"schedule,omitzero"` // of a resident: how often it reports
	Events      []EventSpec     `json:"events,omitempty"`
	Makes       []Makes         `json:"makes,omitempty"` // kinds of what its program may leave, beside pods of its namespace
	Freshness   metav1.Duration `json:"freshness"`       // after which a result says nothing more; 0 is never
	Denoise     Denoise         `json:"denoise,omitzero"`
	Enforcement Enforcement     `json:"enforcement,omitzero"`
	Keep        metav1.Duration `json:"keep,omitzero"` // for how long a run stays that has ended; default 1h
}

// Makes is a kind of object that the program of a case may create. What has the label of a run is taken away once that is over.
type Makes struct {
	Group      string `json:"group,omitempty"`
	Resource   string `json:"resource"`             // its plural name
	Everywhere bool   `json:"everywhere,omitempty"` // in every namespace, or in none; default in that of the case
}

// Mode is how a case runs.
type Mode string

// The modes: a pod for each run; a pod that never ends.
const (
	OneShot  Mode = "OneShot"
	Resident Mode = "Resident"
)

// ByItself reports whether results of a case come by themselves: of one that only events and people run nobody misses any.
func (m Mode) ByItself(s Schedule) bool {
	return m == Resident || s.Every.Duration > 0 || s.Cron != ""
}

// PodSpec is what a case's pod is made of. What it may do is its profile's.
type PodSpec struct {
	Image          string            `json:"image"`
	Command        []string          `json:"command,omitempty"`
	Args           []string          `json:"args,omitempty"`
	Env            []Variable        `json:"env,omitempty"`
	Mounts         []Mount           `json:"mounts,omitempty"`
	Profile        string            `json:"profile,omitempty"` // as in internal/pod; default restricted
	Exceptions     []Exception       `json:"exceptions,omitempty"`
	ServiceAccount string            `json:"serviceAccount,omitempty"` // default none: it can ask the API server for nothing
	NodeSelector   map[string]string `json:"nodeSelector,omitempty"`
	CPU            string            `json:"cpu,omitempty"`
	Memory         string            `json:"memory,omitempty"`
	Storage        string            `json:"storage,omitempty"`
	Contract       Contract          `json:"contract,omitempty"` // default that of version 3
}

// Contract is by which version of Kuberhealthy's contract a case's program reports.
type Contract string

// The contracts.
const (
	ContractV2 Contract = "v2" // at /externalCheckStatus
	ContractV3 Contract = "v3" // at /check
)

// Variable is one of an environment: a text, or a field of the pod such as spec.nodeName.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
	Field string `json:"field,omitempty"`
}

// Mount is a Secret or a ConfigMap of the case's namespace as files, which a case's program reads.
type Mount struct {
	Secret    string `json:"secret,omitempty"`
	ConfigMap string `json:"configMap,omitempty"`
	At        string `json:"at"`
}

// Exception is what a case's pod may do beyond its profile, and why.
type Exception struct {
	Name         string   `json:"name"`
	Because      string   `json:"because"`
	Capabilities []string `json:"capabilities,omitempty"` // such as NET_RAW
}

// TargetKind is what a run is about.
type TargetKind string

// What it may be about.
const (
	OfCluster TargetKind = "Cluster"
	OfNodes   TargetKind = "Nodes" // a run for each node, or for some of them
)

// TargetSpec says how many runs a case is.
type TargetSpec struct {
	Kind   TargetKind        `json:"kind,omitempty"`   // default Cluster
	Sample int               `json:"sample,omitempty"` // of nodes at a time, by rendezvous hash; default and at most MaxSample
	Labels map[string]string `json:"labels,omitempty"` // of the nodes
	// of nodes: the pod runs anywhere but on the node that it is about, and is told which that is: one that is ill could not say so
	Apart bool `json:"apart,omitempty"`
}

// MaxSample is how many nodes one round of a case is about at most.
const MaxSample = 50

// Schedule is when a case runs by itself: by interval or by cron, or never.
type Schedule struct {
	Every  metav1.Duration `json:"every,omitzero"`
	Cron   string          `json:"cron,omitempty"`
	Zone   string          `json:"zone,omitempty"`  // of cron; default UTC
	Jitter metav1.Duration `json:"jitter,omitzero"` // over which clusters spread; default the whole interval, of cron nothing
}

// EventKind is a change that a case answers to.
type EventKind string

// The changes.
const (
	BatchMoved            EventKind = "BatchMoved" // pods of a workload were made anew on nodes
	Deployed              EventKind = "Deployed"   // a workload has another revision, whoever did it
	NodeNew               EventKind = "NodeNew"
	NodeRebooted          EventKind = "NodeRebooted"
	NodeCondition         EventKind = "NodeCondition"
	ControlPlaneRestarted EventKind = "ControlPlaneRestarted"
	Posted                EventKind = "Posted" // to the API, under a name
)

// EventSpec binds a case to changes.
type EventSpec struct {
	On EventKind `json:"on"`
	// Names are those of workloads as Kind/namespace/name or namespace/name, of conditions as Type or Type=Status, of parts of the control
	// plane, of posted events; default all.
	Names []string `json:"names,omitempty"`
}

// Denoise is when a case counts as failing.
type Denoise struct {
	Failures int `json:"failures,omitempty"` // so many failures; default 1, of a resident 3
	Of       int `json:"of,omitempty"`       // of the last so many; default Failures
	Passes   int `json:"passes,omitempty"`   // in a row that end it; default 1
}

// Enforcement is whether a failure holds what changes.
type Enforcement struct {
	Mode EnforcementMode `json:"mode,omitempty"` // default Advisory
	// Either is the record that Enforcing needs. Without it, it is Advisory, and says so.
	QuietRuns      int    `json:"quietRuns,omitempty"`      // that passed without a failure nobody explained
	Environment    string `json:"environment,omitempty"`    // in which they ran
	FalsePositives string `json:"falsePositives,omitempty"` // at most so many of its failures, as labelled: 5%
}

// EnforcementMode is what a failure does.
type EnforcementMode string

// The modes of enforcement.
const (
	Advisory  EnforcementMode = "Advisory"
	Enforcing EnforcementMode = "Enforcing"
)

// ConfigStatus is how a case is doing.
type ConfigStatus struct {
	ObservedGeneration int64          `json:"observedGeneration,omitempty"`
	LastSlot           *metav1.Time   `json:"lastSlot,omitempty"` // of its schedule that was begun or missed
	Missed             int64          `json:"missed,omitempty"`   // runs that were due and did not begin
	RunNow             string         `json:"runNow,omitempty"`   // the value of AnnotationRunNow that was answered last
	Targets            []TargetStatus `json:"targets,omitempty"`  // the worst first, at most MaxTargets
	Problem            string         `json:"problem,omitempty"`  // why it cannot run at all
}

// MaxTargets is how many targets a status has.
const MaxTargets = 50

// TargetStatus is a Stand, as far as a cluster keeps it.
type TargetStatus struct {
	Target  string      `json:"target,omitempty"`
	State   State       `json:"state"`
	Since   metav1.Time `json:"since"`
	Streak  int         `json:"streak"`
	Last    metav1.Time `json:"last"`
	Until   metav1.Time `json:"until,omitzero"`
	Run     string      `json:"run,omitempty"`
	Message string      `json:"message,omitempty"`
	Recent  string      `json:"recent,omitempty"` // the last verdicts for denoising, the newest last: a letter each
}

// Run is one execution of a case. Its name is made of case, target and cause, so that there is one of them.
type Run struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              RunSpec   `json:"spec"`
	Status            RunStatus `json:"status,omitzero"`
}

// RunSpec is what is executed, and why. It never changes.
type RunSpec struct {
	Case   string `json:"case"` // a Config of the same namespace
	Target string `json:"target,omitempty"`
	Cause  Cause  `json:"cause"`
}

// RunPhase is how far a run is.
type RunPhase string

// The phases.
const (
	RunPending RunPhase = ""
	RunRunning RunPhase = "Running" // its pod is made, or about to be
	RunDone    RunPhase = "Done"
)

// RunStatus is how far a run is, and what came of it.
type RunStatus struct {
	Phase    RunPhase     `json:"phase,omitempty"`
	Pod      string       `json:"pod,omitempty"`
	Node     string       `json:"node,omitempty"`
	Version  string       `json:"version,omitempty"` // of the config that was run
	Program  string       `json:"program,omitempty"` // of it
	Started  *metav1.Time `json:"started,omitempty"`
	Deadline *metav1.Time `json:"deadline,omitempty"`
	Ended    *metav1.Time `json:"ended,omitempty"`
	Result   *Result      `json:"result,omitempty"` // once it is done
	Told     bool         `json:"told,omitempty"`   // it is on its way to the centre
}

// Bounds on what a report may say: what is longer is cut, and says so.
const (
	MaxMessage      = 4 << 10
	MaxErrors       = 20
	MaxParts        = 100
	MaxObservations = 100
	MaxReport       = 256 << 10 // bytes of a body that is read
)

// Result is what came of a run.
type Result struct {
	Verdict      api.Verdict                `json:"verdict"`
	Code         string                     `json:"code,omitempty"` // in a word: PodNotReady
	Severity     string                     `json:"severity,omitempty"`
	Message      string                     `json:"message,omitempty"`
	Errors       []string                   `json:"errors,omitempty"`
	Observations map[string]json.RawMessage `json:"observations,omitempty"` // numbers, texts and booleans
	Parts        []Part                     `json:"parts,omitempty"`
	By           string                     `json:"by,omitempty"` // report, exit or controller
}

// Part is one of several checks in one run, or a step of one.
type Part struct {
	Name    string      `json:"name"`
	Target  string      `json:"target,omitempty"`
	Verdict api.Verdict `json:"verdict"`
	Code    string      `json:"code,omitempty"`
	Message string      `json:"message,omitempty"`
	Millis  int64       `json:"millis,omitempty"`
}

// ConfigList and RunList are what a cluster lists.
type (
	ConfigList struct {
		metav1.TypeMeta `json:",inline"`
		metav1.ListMeta `json:"metadata,omitempty"`
		Items           []Config `json:"items"`
	}
	RunList struct {
		metav1.TypeMeta `json:",inline"`
		metav1.ListMeta `json:"metadata,omitempty"`
		Items           []Run `json:"items"`
	}
)

// AddToScheme lets clients read and write the kinds.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypeWithName(GroupVersion.WithKind(KindConfig), &Config{})
	s.AddKnownTypeWithName(GroupVersion.WithKind(KindConfig+"List"), &ConfigList{})
	s.AddKnownTypeWithName(GroupVersion.WithKind(KindRun), &Run{})
	s.AddKnownTypeWithName(GroupVersion.WithKind(KindRun+"List"), &RunList{})
	s.AddKnownTypeWithName(GroupVersion.WithKind(KindSignal), &Signal{})
	s.AddKnownTypeWithName(GroupVersion.WithKind(KindSignal+"List"), &SignalList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

// DeepCopyObject implements runtime.Object.
func (c *Config) DeepCopyObject() runtime.Object { return copied(c) }

// DeepCopyObject implements runtime.Object.
func (r *Run) DeepCopyObject() runtime.Object { return copied(r) }

// DeepCopyObject implements runtime.Object.
func (l *ConfigList) DeepCopyObject() runtime.Object { return copied(l) }

// DeepCopyObject implements runtime.Object.
func (l *RunList) DeepCopyObject() runtime.Object { return copied(l) }

// copied goes by JSON: the kinds are small, and nothing of them is forgotten when they grow.
func copied[T any](from *T) *T {
	data, err := json.Marshal(from)
	if err != nil {
		panic(err) // they are made of what JSON has
	}
	to := new(T)
	if err := json.Unmarshal(data, to); err != nil {
		panic(err)
	}
	return to
}

// RunName is the name of the one run of a case for a target and a cause.
func RunName(probeCase, target string, c Cause) string {
	return clipped(probeCase, 40) + "-" + digest(probeCase, target, string(c.Kind), c.Key)
}

// RunOf reports whether a name is that of a run of a case.
func RunOf(probeCase, name string) bool {
	rest, of := strings.CutPrefix(name, clipped(probeCase, 40)+"-")
	return of && len(rest) == digestLength && strings.Trim(rest, "0123456789abcdef") == ""
}

// CauseKind is who or what wants a run.
type CauseKind string

// The kinds of cause.
const (
	BySchedule CauseKind = "Schedule"
	ByEvent    CauseKind = "Event"
	ByHand     CauseKind = "Hand"
	ByGate     CauseKind = "Gate"
	ByMode     CauseKind = "Resident" // it runs as it always does
)

// Cause is why a run is made. Two of one kind and key are the same.
type Cause struct {
	Kind     CauseKind  `json:"kind"`
	Key      string     `json:"key"`
	Text     string     `json:"text,omitempty"`     // for people
	By       string     `json:"by,omitempty"`       // who, where it was a person
	Revision string     `json:"revision,omitempty"` // of what has changed
	At       *time.Time `json:"at,omitempty"`       // when that was
}

// Event is a change in a cluster. Two of one kind and key are the same.
type Event struct {
	Kind     EventKind
	Name     string   // of what has changed: Kind/namespace/name, a node, a condition, what was posted
	Key      string   // made of what has changed, and to what: the same after a restart
	Text     string   // for people
	Revision string   // of what has changed; "" where that has none
	Nodes    []string // that it is about; none: the cluster
	NodeKeys []string // of each of Nodes, where it has a key of its own; see KeyOf
	At       time.Time
}
