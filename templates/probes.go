package templates

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/pipelines"
)

// SetLabel, and the name of a ProbeSet after it, is the label of a ProbeConfig whose case the set has brought.
const SetLabel = "set.probes.sluice.dev/"

// anyObjects is how many objects of a kind a case may have at a time where it says nothing.
const anyObjects = 10

// maxMakes is how many kinds of objects a case may create that are taken away after it.
const maxMakes = 50

// renderProbes returns the objects of the cases that a place has: a ProbeConfig for each, the account of those that touch something
// with its roles, and one quota of what all of them make.
func renderProbes(in Input, files []file) ([]Object, error) {
	documents, err := probeDocuments(files)
	if err != nil {
		return nil, err
	}
	cases, err := documents.CasesOf(in.Place, in.Values)
	if err != nil {
		return nil, firstOf(err)
	}
	var objects []Object
	for i := range cases {
		c := caseRender{in: in, of: &cases[i]}
		found, err := c.objects()
		if err != nil {
			return nil, &RenderError{File: c.of.Position.File, Line: c.of.Position.Line, Column: c.of.Position.Column,
				Message: "case " + c.of.Name, Cause: err}
		}
		objects = append(objects, found...)
	}
	if quota := quotaOf(in, cases); quota != nil {
		objects = append(objects, Object{Unstructured: quota, Source: cases[0].Position.File})
	}
	if len(objects) > MaxObjects {
		return nil, &RenderError{Message: fmt.Sprintf("the probes render more than %d objects", MaxObjects)}
	}
	return objects, nil
}

// probeDocuments reads the files of a folder of probes.
func probeDocuments(files []file) (*pipelines.ProbeDocuments, error) {
	var sources []pipelines.Source
	for _, f := range files {
		if ext := path.Ext(f.name); ext != ".yaml" && ext != ".yml" {
			return nil, &RenderError{File: f.name, Message: "a folder of probes holds *.yaml and *.yml files"}
		}
		sources = append(sources, pipelines.Source{Name: f.name, Data: f.data})
	}
	documents, err := pipelines.ParseProbes(sources...)
	if err != nil {
		return nil, firstOf(err)
	}
	return documents, nil
}

// firstOf is the first of diagnostics, and how many more there are.
func firstOf(err error) error {
	var all pipelines.Diagnostics
	if !errors.As(err, &all) || len(all) == 0 {
		return &RenderError{Message: err.Error()}
	}
	at, message := all[0].Position, all[0].Message
	if more := len(all) - 1; more > 0 {
		message += fmt.Sprintf(" (and %d more)", more)
	}
	return &RenderError{File: at.File, Line: at.Line, Column: at.Column, Message: message}
}

// caseRender makes the objects of one case.
type caseRender struct {
	in Input
	of *pipelines.ClusterCase
}

func (c *caseRender) objects() ([]Object, error) {
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	all := []*unstructured.Unstructured{config}
	if len(c.of.Probe.Spec.Touches) > 0 {
		all = append(all, c.object("v1", "ServiceAccount", c.account(), c.in.Namespace, nil))
		all = append(all, c.roles("Role", c.in.Namespace, c.account(), false)...)
		all = append(all, c.roles("ClusterRole", "", c.everywhere(), true)...)
	}
	objects := make([]Object, len(all))
	for i, one := range all {
		objects[i] = Object{Unstructured: one, Source: c.of.Position.File}
	}
	return objects, nil
}

func (c *caseRender) object(version, kind, name, namespace string, content map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": version, "kind": kind}}
	o.SetName(name)
	if namespace != "" {
		o.SetNamespace(namespace)
	}
	maps.Copy(o.Object, content)
	return o
}

// account is the name of the ServiceAccount of the case.
func (c *caseRender) account() string { return "probe-" + c.of.Name }

// everywhere is the name of what the case may do in all namespaces. What is between its parts is in no name of a namespace or a case, so
// that no two cases have it; it has 140 characters at most.
func (c *caseRender) everywhere() string { return "sluice:probe:" + c.in.Namespace + ":" + c.of.Name }

// roles are a role of what the case may do in its namespace or everywhere, and its binding; none where that is nothing.
func (c *caseRender) roles(kind, namespace, name string, everywhere bool) []*unstructured.Unstructured {
	var rules []any
	for _, t := range c.of.Probe.Spec.Touches {
		if t.Everywhere != everywhere {
			continue
		}
		groups := t.APIGroups
		if len(groups) == 0 {
			groups = []string{""}
		}
		rule := map[string]any{"apiGroups": list(groups), "resources": list(t.Resources), "verbs": list(t.Verbs)}
		put(rule, "resourceNames", t.ResourceNames)
		rules = append(rules, rule)
	}
	if len(rules) == 0 {
		return nil
	}
	const group = "rbac.authorization.k8s.io"
	return []*unstructured.Unstructured{
		c.object(group+"/v1", kind, name, namespace, map[string]any{"rules": rules}),
		c.object(group+"/v1", kind+"Binding", name, namespace, map[string]any{
			"roleRef":  map[string]any{"apiGroup": group, "kind": kind, "name": name},
			"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": c.account(), "namespace": c.in.Namespace}},
		}),
	}
}

// config is the ProbeConfig of the case.
func (c *caseRender) config() (*unstructured.Unstructured, error) {
	p, b := &c.of.Probe.Spec, &c.of.Binding.Spec
	pod, err := c.pod()
	if err != nil {
		return nil, err
	}
	spec := map[string]any{"pod": pod, "freshness": "0s"}
	for key, value := range map[string]any{
		"probe": c.of.Probe.Metadata.Name, "version": c.in.Version, "binding": c.of.Binding.Metadata.Name, "description": p.Description,
		"severity": string(p.Severity), "owner": p.Owner, "mode": string(p.Mode), "timeout": p.Timeout, "freshness": b.Freshness, "keep": p.Keep,
		"target":   filled("kind", string(p.Target.Kind), "sample", p.Target.Sample, "labels", p.Target.Labels, "apart", p.Target.Apart),
		"schedule": filled("every", b.Schedule.Every, "cron", b.Schedule.Cron, "zone", b.Schedule.Zone, "jitter", b.Schedule.Jitter),
	} {
		put(spec, key, value)
	}
	var makes, events []any
	for _, m := range p.Leaves() {
		makes = append(makes, filled("group", m.Group, "resource", m.Resource, "everywhere", m.Everywhere))
	}
	if len(makes) > maxMakes {
		return nil, fmt.Errorf("it may create more than %d kinds of objects", maxMakes)
	}
	put(spec, "makes", makes)
	for _, e := range b.Events {
		events = append(events, filled("on", string(e.On), "names", e.Names))
	}
	put(spec, "events", events)
	if d := b.Denoise; d != nil {
		put(spec, "denoise", filled("failures", d.Failures, "of", d.Of, "passes", d.Passes))
	}
	if e := b.Enforcement; e != nil {
		share := ""
		if e.FalsePositives != nil {
			share = e.FalsePositives.String()
		}
		put(spec, "enforcement", filled("mode", string(e.Mode), "quietRuns", e.QuietRuns, "environment", e.Environment, "falsePositives", share))
	}
	config := c.object(pipelines.APIVersion, "ProbeConfig", c.of.Name, c.in.Namespace, map[string]any{"spec": spec})
	if c.of.Set != "" {
		label(config, SetLabel+c.of.Set, "true")
	}
	return config, nil
}

// pod is what the pod of the case is made of.
func (c *caseRender) pod() (map[string]any, error) {
	p := &c.of.Probe.Spec
	image := p.Image
	if p.ImageSlot != "" {
		images, _ := c.in.Values[imagesKey].(map[string]any)
		if image, _ = images[p.ImageSlot].(string); image == "" {
			return nil, fmt.Errorf("the component has no image in slot %s here", p.ImageSlot)
		}
	}
	pod := filled("image", image, "command", c.of.Command, "args", c.of.Args, "profile", string(p.Profile), "nodeSelector", p.NodeSelector,
		"contract", string(p.Contract))
	var env, mounts, exceptions []any
	for _, v := range c.of.Env {
		env = append(env, filled("name", v.Name, "value", v.Value, "field", string(v.Field)))
	}
	put(pod, "env", env)
	for _, m := range p.Mounts {
		mounts = append(mounts, filled("secret", m.Secret, "configMap", m.ConfigMap, "at", m.At))
	}
	put(pod, "mounts", mounts)
	for _, e := range p.Exceptions {
		exceptions = append(exceptions, filled("name", e.Name, "because", e.Because, "capabilities", e.Capabilities))
	}
	put(pod, "exceptions", exceptions)
	if p.Limits != nil {
		maps.Copy(pod, filled("cpu", p.Limits.CPU, "memory", p.Limits.Memory, "storage", p.Limits.Storage))
	}
	if len(p.Touches) > 0 {
		pod["serviceAccount"] = c.account()
	}
	return pod, nil
}

// quotaOf is how many objects of each kind that cases make there may be in their namespace, those that run the cases among the pods;
// nil where they make none.
func quotaOf(in Input, cases []pipelines.ClusterCase) *unstructured.Unstructured {
	made, runs := map[string]int{}, 0
	for i := range cases {
		p := &cases[i].Probe.Spec
		for resource, most := range p.Makes(anyObjects) {
			made[resource] += most
		}
		runs += p.Pods()
	}
	if len(made) == 0 {
		return nil
	}
	hard := map[string]any{}
	for resource, most := range made {
		switch resource {
		case "pods": // those that have ended do not count, and what runs the cases does
			hard[resource] = fmt.Sprint(most + runs)
		default:
			hard["count/"+resource] = fmt.Sprint(most)
		}
	}
	spec := map[string]any{"hard": hard}
	quota := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ResourceQuota", "spec": spec}}
	quota.SetName(in.Component)
	quota.SetNamespace(in.Namespace)
	return quota
}

// filled is a map of pairs of key and value, without what is empty.
func filled(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		put(m, pairs[i].(string), pairs[i+1])
	}
	return m
}

// put sets a key to a value as JSON has it, unless that is empty.
func put(m map[string]any, key string, value any) {
	switch v := value.(type) {
	case string:
		if v != "" {
			m[key] = v
		}
	case bool:
		if v {
			m[key] = v
		}
	case int:
		if v != 0 {
			m[key] = int64(v)
		}
	case *pipelines.Duration:
		if v != nil {
			m[key] = time.Duration(*v).String()
		}
	case []string:
		if len(v) > 0 {
			m[key] = list(v)
		}
	case map[string]string:
		if len(v) > 0 {
			inner := map[string]any{}
			for k, text := range v {
				inner[k] = text
			}
			m[key] = inner
		}
	case []any:
		if len(v) > 0 {
			m[key] = v
		}
	case map[string]any:
		if len(v) > 0 {
			m[key] = v
		}
	default:
		panic(fmt.Sprintf("cannot put a %T", value)) // all callers are above
	}
}

func list(texts []string) []any {
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = text
	}
	return all
}
