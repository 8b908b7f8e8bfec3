package pipelines

import (
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/pipelines/rule"
)

// Bounds of a probe.
const (
	maxProbeTimeout = Duration(6 * time.Hour)
	maxProbeKeep    = Duration(7 * Day)
)

// probe checks a Probe for itself, and fills in what it may leave out.
func (l *linter) probe(p *Probe, at spot) {
	s, spec := &p.Spec, at.at("spec")
	switch {
	case s.Image != "" && s.ImageSlot != "":
		l.report.addAt(spec.key("imageSlot"), "it has one of image and imageSlot, not both")
	case s.Image == "" && s.ImageSlot == "" && !spec.flawed():
		l.report.addAt(spec, "it does not say what is run: give image, or imageSlot for one of the component")
	}
	l.probeParams(s, spec)
	l.probeTexts(s, spec)
	l.probePod(s, spec)
	l.mounts(s, spec)
	l.touches(s, spec)
	if t := s.Target; t != nil && t.Kind == ProbedCluster && (t.Sample > 0 || len(t.Labels) > 0 || t.Apart) {
		l.report.addAt(spec.at("target"), "sample, labels and apart are about nodes: they need kind: %s", ProbedNodes)
	}
	l.wait(s.Timeout, spec.at("timeout"), "timeout")
	switch {
	case s.Timeout == nil:
		s.Timeout = new(Duration(time.Minute))
	case *s.Timeout == 0:
		l.report.addAt(spec.at("timeout"), "timeout must be above 0: nothing could report")
	case *s.Timeout > maxProbeTimeout:
		l.report.addAt(spec.at("timeout"), "timeout is %s, at most %s is allowed", s.Timeout, maxProbeTimeout)
	}
	l.wait(s.Keep, spec.at("keep"), "keep")
	if s.Keep != nil && *s.Keep > maxProbeKeep {
		l.report.addAt(spec.at("keep"), "keep must be at most %s", maxProbeKeep)
	}
	s.defaults()
}

func (s *ProbeSpec) defaults() {
	if s.Keep == nil {
		s.Keep = new(Duration(time.Hour))
	}
	if s.Contract == "" {
		s.Contract = ContractV3
	}
	if s.Profile == "" {
		s.Profile = ProfileRestricted
	}
	if s.Severity == "" {
		s.Severity = "P3"
	}
	if s.Mode == "" {
		s.Mode = ProbeOneShot
	}
	if s.Target == nil {
		s.Target = &ProbedTarget{Kind: ProbedCluster}
	}
}

func (l *linter) probeParams(s *ProbeSpec, spec spot) {
	var names []string
	for i, p := range s.Params {
		names = append(names, p.Name)
		l.valueText(p.Default, spec.at("params", i, "default"))
	}
	l.unique("param", names, func(i int) spot { return spec.at("params", i, "name") })
}

// probeTexts checks what the texts of a probe name, each at its place.
func (l *linter) probeTexts(s *ProbeSpec, spec spot) {
	for i, text := range s.Command {
		l.probeText(text, s, spec.at("command", i))
	}
	for i, text := range s.Args {
		l.probeText(text, s, spec.at("args", i))
	}
	var names []string
	for i, v := range s.Env {
		names = append(names, v.Name)
		l.probeText(v.Value, s, spec.at("env", i, "value"))
		if v.Field != "" && v.Value != "" {
			l.report.addAt(spec.at("env", i, "field"), "env: %s has one of value and field, not both", v.Name)
		}
		for _, own := range []string{"KH_", envFacts} {
			if strings.HasPrefix(v.Name, own) {
				l.report.addAt(spec.at("env", i, "name"), "env: names that begin with %s are those by which a probe reports", own)
			}
		}
	}
	l.unique("variable", names, func(i int) spot { return spec.at("env", i, "name") })
}

// probeText checks the names in a text of a Probe: its params, and what a value may name.
func (l *linter) probeText(text string, s *ProbeSpec, at spot) {
	for _, found := range namedText.FindAllStringSubmatch(text, -1) {
		param, ok := strings.CutPrefix(found[1], "params.")
		if !ok {
			l.probeName(found[1], at)
			continue
		}
		var known []string
		for _, p := range s.Params {
			known = append(known, p.Name)
		}
		if !slices.Contains(known, param) {
			l.report.addAt(at, "%s: there is no param %s%s", found[0], param, rule.Suggest(param, known))
		}
	}
}

// valueText checks the names in the value of a param.
func (l *linter) valueText(value any, at spot) {
	text, _ := value.(string)
	for _, found := range namedText.FindAllStringSubmatch(text, -1) {
		l.probeName(found[1], at)
	}
}

// probeName checks a name that stands for what a cluster has.
func (l *linter) probeName(name string, at spot) {
	if strings.HasPrefix(name, "values.") && len(name) > len("values.") {
		return // known where the component's config is
	}
	if known := placeNames(); !slices.Contains(known, name) {
		l.report.addAt(at, "$(%s): there is no %s here, only params, values and %s%s", name, name, strings.Join(known, ", "),
			rule.Suggest(name, known))
	}
}

// probePod checks what a probe's pod may do.
func (l *linter) probePod(s *ProbeSpec, spec spot) {
	var names []string
	for i, e := range s.Exceptions {
		names = append(names, e.Name)
		for j, c := range e.Capabilities {
			if c == "SYS_ADMIN" || c == "ALL" || c == "SYS_MODULE" {
				l.report.addAt(spec.at("exceptions", i, "capabilities", j), "capability %s is as good as a privileged pod: no exception gives it", c)
			}
		}
	}
	l.unique("exception", names, func(i int) spot { return spec.at("exceptions", i, "name") })
}

// systemPaths are folders in which nothing is mounted: the node's, and those in which Kubernetes itself puts files.
var systemPaths = []string{"/dev", "/proc", "/sys", "/var/run/secrets", "/run/secrets"}

// mounts checks what a probe's program reads beside its image.
func (l *linter) mounts(s *ProbeSpec, spec spot) {
	for i, m := range s.Mounts {
		at := spec.at("mounts", i)
		switch {
		case m.Secret != "" && m.ConfigMap != "":
			l.report.addAt(at, "it has one of secret and configMap, not both")
		case m.Secret == "" && m.ConfigMap == "" && !at.flawed():
			l.report.addAt(at, "it does not say what is mounted: give secret or configMap")
		}
		for _, system := range systemPaths {
			if within(system, m.At) || within(m.At, system) {
				l.report.addAt(at.at("at"), "nothing is mounted at %s: what is in %s is not the program's own", m.At, system)
				break
			}
		}
		for _, before := range s.Mounts[:i] {
			if within(before.At, m.At) || within(m.At, before.At) {
				l.report.addAt(at.at("at"), "%s and %s would hide each other", m.At, before.At)
				break
			}
		}
	}
}

// touches checks what a case may do by the API.
func (l *linter) touches(s *ProbeSpec, spec spot) {
	makes := map[string]bool{}
	for i := range s.Touches {
		t, at := &s.Touches[i], spec.at("touches", i)
		for j, resource := range t.Resources {
			if strings.Contains(resource, ".") {
				l.report.addAt(at.at("resources", j), "%s: a resource has no group in its name, it stands in apiGroups", resource)
			}
		}
		l.unique("verb", t.Verbs, func(j int) spot { return at.at("verbs", j) })
		if len(t.ResourceNames) > 0 && slices.Contains(t.Verbs, "create") {
			l.report.addAt(at.key("resourceNames"), "resourceNames do not bound what is created: give create in an item of its own")
		}
		for _, made := range t.makes() {
			makes[made] = true
		}
		l.reaches(t, at)
	}
	for _, resource := range sortedKeys(s.Objects) {
		if strings.Contains(resource, "/") {
			l.report.addAt(spec.at("objects").key(resource), "%s is no object that there could be a number of", resource)
			continue
		}
		if !makes[resource] && !spec.at("touches").flawed() {
			l.report.addAt(spec.at("objects").key(resource), "it may not create %s in its namespace: touches does not say so%s", resource,
				rule.Suggest(resource, sortedKeys(makes)))
		}
	}
}

// reach is what becomes of a cluster in which a case may touch a resource of all namespaces: more than a look takes.
var reach = map[string]string{
	"secrets":                       "whoever has its pod has every secret",
	"serviceaccounts/token":         "whoever has its pod is every account",
	"pods/exec":                     "whoever has its pod runs programs in every pod",
	"pods/attach":                   "whoever has its pod reaches into every pod",
	"pods/ephemeralcontainers":      "whoever has its pod runs programs in every pod",
	"nodes/proxy":                   "whoever has its pod runs programs on every node",
	"roles":                         "it changes who may do what",
	"rolebindings":                  "it changes who may do what",
	"clusterroles":                  "it changes who may do what",
	"clusterrolebindings":           "it changes who may do what",
	"mutatingwebhookconfigurations": "it changes what everybody writes",
}

// reaches warns of what a case may do beyond what a look takes.
func (l *linter) reaches(t *ProbeTouch, at spot) {
	if !t.Everywhere || len(t.ResourceNames) > 0 {
		return
	}
	for j, resource := range t.Resources {
		looks := !slices.ContainsFunc(t.Verbs, func(verb string) bool { return !slices.Contains([]string{"get", "list", "watch"}, verb) })
		what, far := reach[resource]
		if far && (!looks || resource == "secrets" || strings.Contains(resource, "/")) {
			l.warnings.addAt(at.at("resources", j), "a case that may touch %s everywhere is worth an attack: %s", resource, what)
		}
	}
}

// makes is what a case may create in its own namespace, as resource or resource.group.
func (t *ProbeTouch) makes() (all []string) {
	if !slices.Contains(t.Verbs, "create") {
		return nil
	}
	groups := t.APIGroups
	if len(groups) == 0 {
		groups = []string{""}
	}
	for _, group := range groups {
		for _, resource := range t.Resources {
			if strings.Contains(resource, "/") {
				continue // asks a thing to do something, and makes none
			}
			if group != "" {
				resource += "." + group
			}
			all = append(all, resource)
		}
	}
	return all
}
