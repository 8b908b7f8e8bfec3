package pipelines

import (
	"strings"
	"time"

	"sluice.dev/sluice/pipelines/rule"
)

// Job runs a pod to its end in the cluster of the unit. Exit status 0 passes, 75 is inconclusive, any other that its program ends
// with fails; a pod that could not run, or was ended by somebody else, is an error. Its termination message may say more: a text, or
// JSON of the form {"verdict": "Failed", "message": "...", "results": {...}}. Params reach it as PARAM_NAME, what is known of the
// unit as SLUICE_CLUSTER and the like.
type Job struct {
	Image   string   `json:"image" is:"image"`
	Command []string `json:"command,omitempty" items:"1..50" expand:"list"` // instead of the image's own
	Args    []string `json:"args,omitempty" items:"1..100" expand:"list"`   // $(params.ARRAY[*]) as an item is all items of an array
	// a program as text, instead of command; its first line may name its interpreter (#!), default /bin/sh that ends at the first
	// command that fails. Nothing is put into it: it reads params as variables
	Script string        `json:"script,omitempty" is:"text" expand:"-"`
	Env    []EnvVariable `json:"env,omitempty" items:"1..50"`
	// the folder in which it starts; default the image's own
	WorkingDir string     `json:"workingDir,omitempty" is:"text"`
	Profile    PodProfile `json:"profile,omitempty"` // what it may do; default restricted
	// the name of the node that runs it; not for the profile restricted
	Node         string            `json:"node,omitempty" is:"text"`
	NodeSelector map[string]string `json:"nodeSelector,omitempty" keys:"labelKey" is:"labelValue" items:"1..20" expand:"-"`
	// where it runs; default sluice-system
	Namespace string `json:"namespace,omitempty" is:"text"`
	// a ServiceAccount of the namespace, whose token it gets; default none. It needs a namespace
	ServiceAccount string     `json:"serviceAccount,omitempty" is:"subdomain" expand:"-"`
	Limits         *PodLimits `json:"limits,omitempty"`
	StartTimeout   *Duration  `json:"startTimeout,omitempty"` // in which its program must have begun; default 2m
	KeepFailed     *Duration  `json:"keepFailed,omitempty"`   // for how long its pod stays where it failed; default 1h, at most 7d
	// what it hands to steps after it, from its termination message; each must be there where it passes
	Results []TaskResult `json:"results,omitempty" items:"1..50"`
}

// EnvVariable is a variable of a program's environment.
type EnvVariable struct {
	Name  string `json:"name" is:"identifier"`
	Value string `json:"value,omitempty"`
}

// PodLimits are what a pod may use, in Kubernetes' quantities.
type PodLimits struct {
	CPU     string `json:"cpu,omitempty" is:"quantity"`     // default 500m
	Memory  string `json:"memory,omitempty" is:"quantity"`  // default 128Mi
	Storage string `json:"storage,omitempty" is:"quantity"` // of its node, for logs and what it writes; default 64Mi
}

// PodProfile is what a pod may do. None runs as root, is privileged or gains rights.
type PodProfile string

// The profiles of pods: what the Pod Security Standard "restricted" allows; the same on nodes that take nobody else; and with the
// network of its node.
const (
	ProfileRestricted  PodProfile = "restricted"
	ProfileNode        PodProfile = "node"
	ProfileHostNetwork PodProfile = "host-network"
)

func (PodProfile) values() []string {
	return []string{string(ProfileRestricted), string(ProfileNode), string(ProfileHostNetwork)}
}

// maxKeepFailed is for how long a pod may stay that has failed.
const maxKeepFailed = Duration(7 * 24 * time.Hour)

func lintJob(l *linter, s *Step, at spot) {
	j := s.Job
	if j.Script != "" && len(j.Command) > 0 {
		l.report.addAt(at.key("script"), "it runs one of command and script, not both")
	}
	l.notPastedInto(j, at)
	l.variables(j.Env, at)
	if j.Node != "" && (j.Profile == "" || j.Profile == ProfileRestricted) {
		l.report.addAt(at.key("node"), "node needs the profile %s or %s: in %s the scheduler says where it runs",
			ProfileNode, ProfileHostNetwork, ProfileRestricted)
	}
	if j.ServiceAccount != "" && j.Namespace == "" {
		l.report.addAt(at.key("serviceAccount"), "serviceAccount needs a namespace of its own: those of sluice-system are Sluice's")
	}
	if j.ServiceAccount != "" && j.Namespace == "sluice-system" {
		l.report.addAt(at.key("serviceAccount"), "serviceAccount: those of sluice-system are Sluice's")
	}
	l.wait(j.StartTimeout, at.at("startTimeout"), "startTimeout")
	l.wait(j.KeepFailed, at.at("keepFailed"), "keepFailed")
	if j.StartTimeout != nil && *j.StartTimeout == 0 {
		l.report.addAt(at.at("startTimeout"), "startTimeout must be above 0: nothing could begin")
	}
	if j.KeepFailed != nil && *j.KeepFailed > maxKeepFailed {
		l.report.addAt(at.at("keepFailed"), "keepFailed must be at most 7d")
	}
	l.programResults(j.Results, at)
}

// hostNetworkRight is what a pod of that profile may do.
const hostNetworkRight = "reaches what only its node does (profile " + string(ProfileHostNetwork) + ")"

// rights are what its pod may do beyond running.
func (j *Job) rights() (more []string) {
	if j.ServiceAccount != "" {
		more = append(more, "may do there whatever ServiceAccount "+j.Namespace+"/"+j.ServiceAccount+" may")
	}
	if j.Profile == ProfileHostNetwork {
		more = append(more, hostNetworkRight)
	}
	return more
}

// notPastedInto checks that a script has no names in it that other texts have values in the place of: values that are pasted into
// a program are a way to run another one.
func (l *linter) notPastedInto(j *Job, at spot) {
	for _, found := range namedText.FindAllStringSubmatch(j.Script, -1) {
		if _, ok := ResultOfPath(found[1]); ok {
			if why := j.unknownPath(found[1]); why != "" {
				l.report.addAt(at.at("script"), "script: %s: %s", found[0], why)
			}
			continue
		}
		name, ok := strings.CutPrefix(found[1], "params.")
		if !ok && !strings.HasPrefix(found[1], "unit.") && !strings.HasPrefix(found[1], "change.") {
			continue // a shell runs such a command
		}
		instead := "read it as a variable, such as $SLUICE_CLUSTER, or give it in env"
		if ok {
			instead = "read $" + EnvName(name)
		}
		l.report.addAt(at.at("script"), "script: nothing is put in the place of %s: %s", found[0], instead)
	}
}

// variables checks variables that are given beside those that every program gets.
func (l *linter) variables(env []EnvVariable, at spot) {
	var names []string
	for i, v := range env {
		names = append(names, v.Name)
		for _, own := range []string{envParams, envFacts} {
			if strings.HasPrefix(v.Name, own) {
				l.report.addAt(at.at("env", i, "name"), "env: names that begin with %s are Sluice's own", own)
			}
		}
	}
	l.unique("variable", names, func(i int) spot { return at.at("env", i, "name") })
}

// programResults checks what a program hands out.
func (l *linter) programResults(results []TaskResult, at spot) {
	var names []string
	for i, r := range results {
		names = append(names, r.Name)
		if r.Type == TypeDuration {
			l.report.addAt(at.at("results", i, "type"), "results: a program hands out string, int, double or bool, no duration")
		}
	}
	l.unique("result", names, func(i int) spot { return at.at("results", i, "name") })
}

// clashes says which params would be one variable of a program's environment; "" where none would.
func clashes(params []rule.Param) string {
	known := map[string]string{}
	for _, p := range params {
		variable := EnvName(p.Name)
		if other, twice := known[variable]; twice {
			return "params " + other + " and " + p.Name + " are both the variable " + variable
		}
		known[variable] = p.Name
	}
	return ""
}
