package pipelines

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ClusterCase is a case as one cluster has it, with values in the places of names.
type ClusterCase struct {
	Name     string
	Set      string // that brought it; "" for none
	Binding  *ProbeBinding
	Probe    *Probe // its own texts have names in them still: those below have values
	Command  []string
	Args     []string
	Env      []ProbeEnv
	Position Position // of the case
}

// placeNames are the names of what a cluster is, that texts of probes may hold.
func placeNames() []string {
	return []string{"cluster.businessSide", "cluster.environment", "cluster.group", "cluster.name", "cluster.networkDomain", "cluster.region"}
}

// CasesOf lists the cases that a place has, in the order of their names. Values are those of the component's config. Errors are
// Diagnostics.
func (d *ProbeDocuments) CasesOf(at Place, values map[string]any) ([]ClusterCase, error) {
	r := newReport()
	first := map[string]Position{}
	var all []ClusterCase
	add := func(b *ProbeBinding, set string, c *BoundCase) {
		if before, twice := first[c.Name]; twice {
			r.add(c.Position, "case %s is bound twice in cluster %s: first at %s", c.Name, at.Cluster, before)
			return
		}
		first[c.Name] = c.Position
		one := ClusterCase{Name: c.Name, Set: set, Binding: b, Probe: d.Probes[c.Probe], Position: c.Position}
		if err := one.fill(c, at, values); err != nil {
			r.add(c.Position, "case %s in cluster %s: %v", c.Name, at.Cluster, err)
			return
		}
		all = append(all, one)
	}
	for _, name := range sortedKeys(d.Bindings) {
		b := d.Bindings[name]
		if !b.Spec.Clusters.Matches(at.Labels, at.Cluster) {
			continue
		}
		for _, set := range b.Spec.Sets {
			for i := range d.Sets[set].Spec.Cases {
				add(b, set, &d.Sets[set].Spec.Cases[i])
			}
		}
		for i := range b.Spec.Cases {
			add(b, "", &b.Spec.Cases[i])
		}
	}
	if len(all) > maxProbeCases {
		r.add(all[maxProbeCases].Position, "cluster %s has more than %d cases", at.Cluster, maxProbeCases)
	}
	slices.SortFunc(all, func(a, b ClusterCase) int { return strings.Compare(a.Name, b.Name) })
	return all, r.err()
}

// fill puts values in the places of names.
func (c *ClusterCase) fill(from *BoundCase, at Place, values map[string]any) error {
	params := map[string]string{}
	for _, p := range c.Probe.Spec.Params {
		text, err := valued(textOf(p.Default), nil, at, values)
		if err != nil {
			return fmt.Errorf("the default of param %s: %w", p.Name, err)
		}
		params[p.Name] = text
	}
	for _, v := range from.Params {
		text, err := valued(textOf(v.Value), nil, at, values)
		if err != nil {
			return fmt.Errorf("param %s: %w", v.Name, err)
		}
		params[v.Name] = text
	}
	var err error
	each := func(text string) string {
		out, wrong := valued(text, params, at, values)
		if err == nil {
			err = wrong
		}
		return out
	}
	s := &c.Probe.Spec
	for _, text := range s.Command {
		c.Command = append(c.Command, each(text))
	}
	for _, text := range s.Args {
		c.Args = append(c.Args, each(text))
	}
	for _, v := range s.Env {
		c.Env = append(c.Env, ProbeEnv{Name: v.Name, Value: each(v.Value), Field: v.Field})
	}
	return err
}

// valued is a text with values in the places of its names.
func valued(text string, params map[string]string, at Place, values map[string]any) (string, error) {
	var wrong error
	out := namedText.ReplaceAllStringFunc(text, func(match string) string {
		name := match[2 : len(match)-1]
		value, err := standsFor(name, params, at, values)
		if err != nil && wrong == nil {
			wrong = fmt.Errorf("cannot expand %s: %w", match, err)
		}
		return value
	})
	if len(out) > maxText && wrong == nil {
		wrong = fmt.Errorf("a text is longer than %d characters once names have their values", maxText)
	}
	return out, wrong
}

func standsFor(name string, params map[string]string, at Place, values map[string]any) (string, error) {
	kind, key, _ := strings.Cut(name, ".")
	switch kind {
	case "params":
		if value, ok := params[key]; ok {
			return value, nil
		}
	case "cluster":
		places := map[string]string{
			"name": at.Cluster, "group": at.Group, "environment": at.Environment, "businessSide": at.BusinessSide,
			"networkDomain": at.NetworkDomain, "region": at.Region,
		}
		if value, ok := places[key]; ok {
			return value, nil
		}
	case "values":
		return configured(values, key)
	}
	return "", fmt.Errorf("it has no value here")
}

// configured is what a component's config says under a key, with dots between its levels.
func configured(values map[string]any, key string) (string, error) {
	var inner any = values
	for _, level := range strings.Split(key, ".") {
		m, ok := inner.(map[string]any)
		if !ok || m[level] == nil {
			return "", fmt.Errorf("the config of the component has no %s for this cluster", key)
		}
		inner = m[level]
	}
	switch v := inner.(type) {
	case map[string]any, []any:
		return "", fmt.Errorf("%s of the config is no text", key)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	default:
		return fmt.Sprint(v), nil
	}
}

// AsIn is the same text for places that have the same cases with the same texts in them, but for what the config of a component says.
func (d *ProbeDocuments) AsIn(at Place) string {
	var taken []string
	for _, name := range sortedKeys(d.Bindings) {
		if d.Bindings[name].Spec.Clusters.Matches(at.Labels, at.Cluster) {
			taken = append(taken, name)
		}
	}
	if !d.nameClusters() {
		at = Place{}
	}
	at.Labels = nil
	return fmt.Sprint(taken, at)
}

// nameClusters reports whether a text may hold what a cluster is called, or where it stands.
func (d *ProbeDocuments) nameClusters() bool {
	return d.anyText(func(text string) bool { return strings.Contains(text, "$(cluster.") })
}

// anyText reports whether a text in which names stand for values is as a function wants it.
func (d *ProbeDocuments) anyText(wanted func(string) bool) bool {
	is := func(value any) bool {
		text, ok := value.(string)
		return ok && wanted(text)
	}
	given := func(cases []BoundCase) bool {
		return slices.ContainsFunc(cases, func(c BoundCase) bool {
			return slices.ContainsFunc(c.Params, func(v ProbeValue) bool { return is(v.Value) })
		})
	}
	for _, p := range d.Probes {
		if slices.ContainsFunc(p.Spec.Command, wanted) || slices.ContainsFunc(p.Spec.Args, wanted) ||
			slices.ContainsFunc(p.Spec.Env, func(v ProbeEnv) bool { return wanted(v.Value) }) ||
			slices.ContainsFunc(p.Spec.Params, func(v ProbeParam) bool { return is(v.Default) }) {
			return true
		}
	}
	for _, s := range d.Sets {
		if given(s.Spec.Cases) {
			return true
		}
	}
	for _, b := range d.Bindings {
		if given(b.Spec.Cases) {
			return true
		}
	}
	return false
}
