package convert

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"sluice.dev/sluice/pipelines"
)

// template converts one AnalysisTemplate. A Task is made only where a metric is left to measure.
func (c *converter) template(doc *yaml.Node, name string, spec *yaml.Node) {
	args, metrics := &arguments{}, []*yaml.Node(nil)
	for f := range c.fields(spec, "spec") {
		switch f.name {
		case "args":
			args = c.arguments(f)
		case "metrics":
			for n := range c.items(f) {
				metrics = append(metrics, n)
			}
		case "dryRun":
			c.leave(f.key, "dryRun: it is the check that uses a Task which says enforcement: Advisory, for all of its steps")
		default:
			c.unknown(f)
		}
	}
	task := Task{APIVersion: "sluice.dev/v1alpha1", Kind: "Task", Metadata: Metadata{Name: name}}
	for _, n := range metrics {
		m := &metric{converter: c, args: args, whole: true}
		m.read(n)
		if m.whole {
			task.Spec.Steps = append(task.Spec.Steps, m.step)
		}
	}
	if len(task.Spec.Steps) == 0 {
		c.leave(doc, "%s: no metric of it can be carried over", name)
		return
	}
	task.Spec.Params = c.params(args)
	c.Tasks = append(c.Tasks, task)
}

// metric converts one metric.
type metric struct {
	*converter
	args  *arguments
	step  Step
	whole bool // nothing is missing that its verdict rests on
}

// drop says why the whole metric is not carried over: without that part it would judge otherwise.
func (m *metric) drop(at *yaml.Node, format string, args ...any) {
	m.leave(at, "metric "+strings.ReplaceAll(m.step.Name, "%", "%%")+" is left out: "+format, args...)
	m.whole = false
}

func (m *metric) read(n *yaml.Node) {
	m.step.Name = metricName(n)
	for f := range m.fields(n, "metric "+m.step.Name) {
		m.field(f)
	}
	if !m.whole {
		return
	}
	if name := m.step.Name; !stepName.MatchString(name) {
		m.drop(n, "%q is no name of a step: small letters, digits and dashes", name)
	}
	if m.step.Metrics.PromQL == "" {
		m.drop(n, "it asks no provider")
	}
	if m.step.Metrics.SuccessCondition == "" && m.step.Metrics.FailureCondition == "" {
		m.drop(n, "without a condition it passes whatever is measured")
	}
}

var stepName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func metricName(n *yaml.Node) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "name" {
			return n.Content[i+1].Value
		}
	}
	return ""
}

func (m *metric) field(f field) {
	s := &m.step
	switch f.name {
	case "name": // known already
	case "interval":
		s.Interval = m.duration(f)
	case "initialDelay":
		s.InitialDelay = m.duration(f)
	case "count":
		s.Count = m.number(f)
	case "failureLimit":
		s.FailureLimit = m.number(f)
	case "inconclusiveLimit":
		s.InconclusiveLimit = m.number(f)
	case "consecutiveErrorLimit":
		s.ConsecutiveErrorLimit = m.number(f)
	case "consecutiveSuccessLimit":
		s.ConsecutiveSuccessLimit = m.number(f)
	case "successCondition":
		s.Metrics.SuccessCondition = m.condition(f)
	case "failureCondition":
		s.Metrics.FailureCondition = m.condition(f)
	case "provider":
		m.provider(f)
	default:
		m.drop(f.key, "%s has no counterpart", f.name)
	}
}

func (m *metric) condition(f field) string {
	text, ok := m.text(f)
	if !ok {
		m.whole = false
		return ""
	}
	cel, err := m.args.condition(text)
	if err != nil {
		m.drop(f.value, "%s: %s", f.name, err)
	}
	return cel
}

// fixed is a field that takes no param: the value of an argument is written into it.
func (m *metric) fixed(f field) string {
	text, ok := m.text(f)
	if !ok {
		m.whole = false
		return ""
	}
	value, named, err := m.args.fixed(text)
	if err != nil {
		m.drop(f.value, "%s: %s", f.name, err)
	}
	if len(named) > 0 {
		m.leave(f.value, "metric %s: %s takes no param: %s is written, and does not follow %s", m.step.Name, f.name, value,
			strings.Join(named, ", "))
	}
	return value
}

func (m *metric) number(f field) *int {
	text := m.fixed(f)
	if !m.whole {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		m.drop(f.value, "%s: %q is no whole number", f.name, text)
		return nil
	}
	return &n
}

func (m *metric) duration(f field) string {
	text := m.fixed(f)
	if !m.whole {
		return ""
	}
	if _, err := pipelines.ParseDuration(text); err != nil {
		m.drop(f.value, "%s: %s", f.name, err)
	}
	return text
}

func (m *metric) provider(f field) {
	for p := range m.fields(f.value, "provider") {
		if p.name != "prometheus" {
			m.drop(p.key, "the provider %s is not carried over", p.name)
			continue
		}
		for q := range m.fields(p.value, "prometheus") {
			m.prometheus(q)
		}
	}
}

func (m *metric) prometheus(f field) {
	switch f.name {
	case "query":
		text, ok := m.text(f)
		promql, err := m.args.expanded(text)
		if err != nil {
			m.drop(f.value, "query: %s", err)
		}
		if matched.MatchString(text) {
			m.leave(f.value, "metric %s: an argument in a pattern (=~) is matched as the text that it is, not as a pattern", m.step.Name)
		}
		m.whole = m.whole && ok
		m.step.Metrics.PromQL = promql
	case "address", "insecure", "headers", "authentication":
		m.leave(f.key, "metric %s: %s belongs into a DataSource: %s", m.step.Name, f.name, shownValue(f))
	case "timeout":
		seconds := m.number(f)
		if seconds != nil && *seconds > 0 {
			m.step.Timeout = strconv.Itoa(*seconds) + "s"
		}
	default:
		m.drop(f.key, "prometheus.%s has no counterpart", f.name)
	}
}

// matched finds an argument within a pattern.
var matched = regexp.MustCompile("[=!]~\\s*(\"[^\"]*|'[^']*|`[^`]*)\\{\\{")

// shownValue is what a field of the connection says. Headers and credentials are not repeated, not those in an address either.
func shownValue(f field) string {
	if f.name != "address" && f.name != "insecure" {
		return "see there"
	}
	if at, err := url.Parse(f.value.Value); err == nil {
		return at.Redacted()
	}
	return "see there"
}
