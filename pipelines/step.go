package pipelines

import (
	"reflect"
	"slices"

	"sluice.dev/sluice/pipelines/rule"
)

// Step is one step of a Task. It is of exactly one kind, and says how often it is measured.
type Step struct {
	Name      string `json:"name" is:"name"`
	StepKinds `json:",inline"`
	Repeat    `json:",inline"`
}

// StepKinds are the kinds of steps, a field each. Exactly one is set.
type StepKinds struct {
	Gate        *Gate        `json:"gate,omitempty"`
	Window      *Window      `json:"window,omitempty"`
	Metrics     *Metrics     `json:"metrics,omitempty"`
	HTTP        *HTTP        `json:"http,omitempty"`
	TCP         *TCP         `json:"tcp,omitempty"`
	DNS         *DNS         `json:"dns,omitempty"`
	Certificate *Certificate `json:"certificate,omitempty"`
	Logs        *Logs        `json:"logs,omitempty"`
	Workload    *Workload    `json:"workload,omitempty"`
	Job         *Job         `json:"job,omitempty"`
	Script      *Script      `json:"script,omitempty"`
	Probe       *ProbeCase   `json:"probe,omitempty"`
}

// Repeat says how a step is measured: how often, for how long, and how many measurements that did not pass are borne. Names and
// meanings are those of Argo Rollouts' analysis. Without any of it a step is measured once at a point, and every 15 s in the
// background.
type Repeat struct {
	InitialDelay *Duration `json:"initialDelay,omitempty"` // before the first measurement
	Interval     *Duration `json:"interval,omitempty"`     // between two measurements; default 15s, 30s from: cluster
	// measurements that are made; in the background default without end, at a point 1
	Count   int       `json:"count,omitempty" range:"1..100000"`
	Timeout *Duration `json:"timeout,omitempty"` // of one measurement; default 30s
	// failed measurements that are borne; default 0, -1 any number
	FailureLimit *int `json:"failureLimit,omitempty" range:"-1..100000"`
	// inconclusive measurements that are borne; default 0, -1 any number
	InconclusiveLimit *int `json:"inconclusiveLimit,omitempty" range:"-1..100000"`
	// errors in a row that are borne; default 4
	ConsecutiveErrorLimit *int `json:"consecutiveErrorLimit,omitempty" range:"0..100000"`
	// so many measurements that pass in a row are enough; default off
	ConsecutiveSuccessLimit int `json:"consecutiveSuccessLimit,omitempty" range:"1..100000"`
}

// IsZero reports whether nothing is said.
func (r Repeat) IsZero() bool { return r == Repeat{} }

// StepKind is what is known of a kind of step wherever there is no file of it at hand.
type StepKind struct {
	Name   string       // of its field
	Scopes []rule.Scope // in which it can run
	Does   []string     // what every step of it may read or change, in words
	Lasts  bool         // a measurement takes as long as it takes, where the step gives it no timeout
	Blind  bool         // it looks at nothing in a cluster, and needs none that can be reached

	// local reports whether a step of the kind is about a cluster, though its kind can do without; nil where none is.
	local func(s *Step) bool
	// lint reports what is wrong with a step of the kind by itself, at the kind's field; nil where its shape says all.
	lint func(l *linter, s *Step, at spot)
}

// StepKindOf returns what is known of a kind by the name of its field.
func StepKindOf(name string) (StepKind, bool) {
	i := slices.IndexFunc(stepKinds(), func(k StepKind) bool { return k.Name == name })
	if i < 0 {
		return StepKind{}, false
	}
	return stepKinds()[i], true
}

// StepKindNames names the kinds of steps, in the order of their fields.
func StepKindNames() []string { return slices.Clone(stepFields) }

// stepKinds lists every kind of step, in the order of their fields.
func stepKinds() []StepKind {
	return []StepKind{
		{Name: "gate", Scopes: scopes(), Does: []string{"reads the facts of the unit"}},
		{Name: "window", Scopes: scopes(), Does: []string{"reads the clock"}, Blind: true, lint: lintWindow},
		{
			Name: "metrics", Scopes: scopes(), Does: []string{"asks a DataSource for metrics"}, lint: lintMetrics,
			local: func(s *Step) bool { return s.Metrics.Baseline != nil },
		},
		{
			Name: "http", Scopes: scopes(), Does: []string{"asks the URLs that it names, or pods and nodes, by HTTP"},
			lint: lintHTTP, local: func(s *Step) bool { return s.HTTP.isLocal() },
		},
		{
			Name: "tcp", Scopes: scopes(), Does: []string{"connects to the addresses that it names, or to pods and nodes"},
			lint: lintTCP, local: func(s *Step) bool { return s.TCP.isLocal() },
		},
		{
			Name: "dns", Scopes: scopes(), Does: []string{"asks name servers, or pods and nodes, by DNS"},
			lint: lintDNS, local: func(s *Step) bool { return s.DNS.isLocal() },
		},
		{
			Name: "certificate", Scopes: scopes(),
			Does: []string{
				"connects to the addresses that it names, or to pods and nodes", "reads certificates in Secrets and webhook configurations",
			},
			lint: lintCertificate,
			local: func(s *Step) bool {
				return s.Certificate.isLocal() || s.Certificate.Secret != nil || s.Certificate.Webhook != nil
			},
		},
		{
			Name: "logs", Scopes: []rule.Scope{rule.ScopeBatch, rule.ScopeCluster}, lint: lintLogs,
			Does: []string{"reads the logs of the unit's pods"},
		},
		{
			Name: "workload", Scopes: []rule.Scope{rule.ScopeBatch, rule.ScopeCluster}, lint: lintWorkload,
			Does: []string{"reads the unit's workloads and pods, and a Lease that it names", "asks webhooks that it names for a dry run"},
		},
		{
			Name: "job", Scopes: []rule.Scope{rule.ScopeBatch, rule.ScopeCluster}, lint: lintJob, Lasts: true,
			Does: []string{"creates pods in the cluster, and deletes them"},
		},
		{Name: "script", Scopes: scopes(), lint: lintScript, Does: []string{"runs an executable on the worker, if the worker allows it"}},
		{
			Name: "probe", Scopes: []rule.Scope{rule.ScopeBatch, rule.ScopeCluster}, lint: lintProbeCase, Lasts: true,
			Does: []string{"has cases of probes run in the cluster, which create and delete what they touch"},
		},
	}
}

// Kinds names the kinds that are set, in the order of the fields.
func (k *StepKinds) Kinds() []string {
	var names []string
	v := reflect.ValueOf(k).Elem()
	for i, name := range stepFields {
		if !v.Field(i).IsNil() {
			names = append(names, name)
		}
	}
	return names
}

// Kind names the kind that is set; "" where none is.
func (k *StepKinds) Kind() string {
	if names := k.Kinds(); len(names) > 0 {
		return names[0]
	}
	return ""
}

// Does says what the step may read or change, in words: what its kind does, and what follows from what the step says itself.
func (k *StepKinds) Does() []string {
	kind, _ := StepKindOf(k.Kind())
	does := slices.Clone(kind.Does)
	switch {
	case k.Job != nil:
		does = append(does, k.Job.rights()...)
	case k.HTTP != nil && k.HTTP.changes():
		does = append(does, "may change whom it asks ("+k.HTTP.Method+")")
	}
	if k.FromCluster() {
		does = append(does, k.Aim().inside()...)
	}
	return does
}

// stepFields are the names of the fields of StepKinds, as documents write them.
var stepFields = func() []string {
	var names []string
	for _, f := range newStructures().of(reflect.TypeFor[StepKinds]()).fields {
		names = append(names, f.name)
	}
	return names
}()
