package convert

import (
	"time"

	"go.yaml.in/yaml/v4"

	"sluice.dev/sluice/pipelines"
)

// ProbeDocument is a Probe or a ProbeBinding as it is written.
type ProbeDocument struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   Metadata `yaml:"metadata"`
	Spec       any      `yaml:"spec"`
}

// ProbeSpec is what a Probe runs.
type ProbeSpec struct {
	Image        string            `yaml:"image"`
	Command      []string          `yaml:"command,omitempty"`
	Args         []string          `yaml:"args,omitempty"`
	Env          []Variable        `yaml:"env,omitempty"`
	Mounts       []Mount           `yaml:"mounts,omitempty"`
	Contract     string            `yaml:"contract,omitempty"`
	Timeout      string            `yaml:"timeout,omitempty"`
	Profile      string            `yaml:"profile,omitempty"`
	Exceptions   []Exception       `yaml:"exceptions,omitempty"`
	NodeSelector map[string]string `yaml:"nodeSelector,omitempty"`
	Limits       *Limits           `yaml:"limits,omitempty"`
	Touches      []Touch           `yaml:"touches,omitempty"`
}

// Variable is one of an environment: a text, or a field of its pod.
type Variable struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value,omitempty"`
	Field string `yaml:"field,omitempty"`
}

// Exception is what a pod may do beyond its profile.
type Exception struct {
	Name         string   `yaml:"name"`
	Because      string   `yaml:"because"`
	Capabilities []string `yaml:"capabilities"`
}

// Limits are what a pod may use.
type Limits struct {
	CPU     string `yaml:"cpu,omitempty"`
	Memory  string `yaml:"memory,omitempty"`
	Storage string `yaml:"storage,omitempty"`
}

// BindingSpec is which clusters run a Probe, and when.
type BindingSpec struct {
	Clusters All       `yaml:"clusters"`
	Cases    []Case    `yaml:"cases"`
	Schedule *Schedule `yaml:"schedule,omitempty"`
}

// All is a selector of every cluster: which had a check is not in the check.
type All struct {
	All bool `yaml:"all"`
}

// Case is a Probe without params.
type Case struct {
	Probe string `yaml:"probe"`
}

// Schedule is an interval.
type Schedule struct {
	Every string `yaml:"every"`
}

// dialect is how a kind of another system writes a check.
type dialect struct {
	version, kind string
	contract      string             // by which its programs have to report; "" where they need not
	timeout       pipelines.Duration // of a run where none is said
	once          bool               // it runs once
	reports       string             // where its programs report instead, in words; "" where that is by the contract
	templated     bool               // the pod is a template with metadata and spec
	pod           string             // the field that has it
}

// everyDefault is how often Kuberhealthy runs what does not say it.
const everyDefault = pipelines.Duration(10 * time.Minute)

func dialects() []dialect {
	v2, v3 := pipelines.Duration(15*time.Minute), pipelines.Duration(30*time.Second)
	return []dialect{
		{version: "comcast.github.io/v1", kind: "KuberhealthyCheck", contract: "v2", timeout: v2, pod: "podSpec"},
		{version: "comcast.github.io/v1", kind: "KuberhealthyJob", contract: "v2", timeout: v2, pod: "podSpec", once: true},
		// the first name of a HealthCheck
		{version: "kuberhealthy.github.io/v2", kind: "KuberhealthyCheck", contract: "v3", timeout: v3, pod: "podSpec", templated: true},
		{version: "kuberhealthy.github.io/v2", kind: "HealthCheck", contract: "v3", timeout: v3, pod: "podSpec", templated: true},
		{
			version: "kubeprober.erda.cloud/v1", kind: "Probe", timeout: pipelines.Duration(time.Minute), pod: "template",
			reports: "reports to KUBEPROBER_STATUS_REPORT_URL, which is not here: its exit status is judged",
		},
	}
}

// check is a check of another system on its way.
type check struct {
	*converter
	dialect
	name      string
	namespace string
	spec      ProbeSpec
	volumes   map[string]Mount // by their names, without a place
	placed    []placed
	every     pipelines.Duration // 0 where it runs once
	limit     pipelines.Duration // of a run; 0 where none is said
	whole     bool               // nothing that it needs was left out
}

// probe carries a check over: a Probe, and a ProbeBinding that runs it.
func (c *converter) probe(d dialect, doc *yaml.Node, name, namespace string, spec *yaml.Node) {
	k := &check{converter: c, dialect: d, name: name, namespace: namespace, whole: true, every: everyDefault}
	if k.once || k.reports != "" {
		k.every = 0
	}
	k.spec.Contract = d.contract
	if name == "" {
		k.refuse(doc, "it has no name")
	}
	pods := 0
	for f := range c.fields(spec, d.kind+" "+name) {
		switch f.name {
		case d.pod:
			pods++
			k.podOf(f)
		case "probeList":
			k.refuse(f.key, "several programs in one probe: write each as a Probe of its own")
		case "configs":
			k.refuse(f.key, "configs, checkers of one pod, have no counterpart: write each as a Probe of its own")
		case "policy":
			k.policy(f)
		default:
			k.field(f)
		}
	}
	k.mount()
	if pods == 0 && k.whole {
		k.refuse(spec, "it has no %s", d.pod)
	}
	if !k.whole {
		return
	}
	if k.reports != "" {
		c.leave(doc, "%s %s: its program %s", d.kind, name, k.reports)
	}
	k.write(doc)
}

// refuse says why all of the check is left out.
func (k *check) refuse(at *yaml.Node, format string, args ...any) {
	k.whole = false
	k.leave(at, "%s %s is left out: "+format, append([]any{k.kind, k.name}, args...)...)
}

// remark says what of the check is left out.
func (k *check) remark(at *yaml.Node, format string, args ...any) {
	k.leave(at, "%s %s: "+format, append([]any{k.kind, k.name}, args...)...)
}

func (k *check) field(f field) {
	switch {
	case k.reports != "":
		k.remark(f.key, "%s has no counterpart", f.name)
	case f.name == "runInterval" && !k.once:
		if d, ok := k.duration(f); ok && d > 0 {
			k.every = d
		}
	case f.name == "timeout":
		k.limit, _ = k.duration(f)
	case f.name == "singleRunOnly" && k.templated:
		if f.value.Value == "true" {
			k.once, k.every = true, 0
		}
	case f.name == "phase" && k.once: // how far it was
	case f.name == "extraLabels" || f.name == "extraAnnotations":
		k.remark(f.key, "%s: what is on pods of probes is Sluice's own", f.name)
	default:
		k.remark(f.key, "%s has no counterpart", f.name)
	}
}

// policy is how often a probe of KubeProber runs, in whole minutes; without it, once.
func (k *check) policy(f field) {
	for p := range k.fields(f.value, "policy") {
		if p.name != "runInterval" || k.reports == "" {
			k.remark(p.key, "%s has no counterpart", p.name)
			continue
		}
		var minutes int
		if err := p.value.Decode(&minutes); err != nil || minutes < 0 || minutes > 31*24*60 {
			k.refuse(p.value, "runInterval is no number of minutes")
			continue
		}
		k.every = pipelines.Duration(time.Duration(minutes) * time.Minute)
	}
	k.once = k.every == 0
}

func (k *check) duration(f field) (pipelines.Duration, bool) {
	text, ok := k.text(f)
	if !ok {
		k.whole = false
		return 0, false
	}
	d, err := pipelines.ParseDuration(text)
	if err != nil {
		k.refuse(f.value, "%s: %v", f.name, err)
	}
	return d, err == nil
}

// write adds what the check has become.
func (k *check) write(doc *yaml.Node) {
	binding := BindingSpec{Clusters: All{true}, Cases: []Case{{k.name}}}
	if k.limit == 0 {
		k.limit = k.timeout
	}
	if k.every == 0 {
		k.remark(doc, "it runs once: the binding has no schedule, it runs by hand, and its result counts until the next one")
	} else {
		binding.Schedule = &Schedule{k.every.String()}
		if k.limit > k.every {
			k.remark(doc, "timeout is %s and longer than its interval: it is made %s", k.limit, k.every)
			k.limit = k.every
		}
	}
	k.spec.Timeout = k.limit.String()
	k.Probes = append(k.Probes,
		ProbeDocument{pipelines.APIVersion, pipelines.KindProbe, Metadata{k.name}, k.spec},
		ProbeDocument{pipelines.APIVersion, pipelines.KindProbeBinding, Metadata{k.name}, binding})
}
