package templates

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

const notesFile = "NOTES.txt"

// rerenders is how often a chart that reads maps in any order is rendered again, to see whether the order shows.
const rerenders = 8

// renderChart returns what each template of a chart renders, by path inside the chart. It never asks for a cluster:
// lookup returns nothing.
func renderChart(in Input, files []file, capabilities *chartutil.Capabilities) (map[string]string, error) {
	c, rendering, err := prepareChart(in, files, capabilities)
	if err != nil {
		return nil, err
	}
	v, err := checkChart(c, rendering)
	if err != nil {
		return nil, err
	}
	if v.unstable {
		if err := probeChart(in, files, capabilities, v); err != nil {
			return nil, err
		}
	}
	output, err := executeChart(c, rendering)
	if err != nil || !v.unordered {
		return output, err
	}
	for range rerenders {
		c, rendering, err := prepareChart(in, files, capabilities)
		if err != nil {
			return nil, err
		}
		again, err := executeChart(c, rendering)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(output)) {
			if again[name] != output[name] {
				return nil, &RenderError{File: name, Message: "the result changes from render to render: sort what keys or values returns (sortAlpha)"}
			}
		}
	}
	return output, nil
}

// prepareChart loads the chart afresh, with what its templates see: processing dependencies and templates that call set
// change both.
func prepareChart(in Input, files []file, capabilities *chartutil.Capabilities) (*chart.Chart, chartutil.Values, error) {
	c, err := loadChart(files)
	if err != nil {
		return nil, nil, err
	}
	if c.Metadata.KubeVersion != "" && !chartutil.IsCompatibleRange(c.Metadata.KubeVersion, capabilities.KubeVersion.Version) {
		return nil, nil, &RenderError{File: "Chart.yaml", Message: fmt.Sprintf("the chart needs Kubernetes %s, the cluster has %s",
			c.Metadata.KubeVersion, capabilities.KubeVersion.Version)}
	}
	values := copyValue(in.Values).(map[string]any)
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, nil, &RenderError{File: "Chart.yaml", Message: "cannot process dependencies", Cause: err}
	}
	if err := checkSchemas(c); err != nil {
		return nil, nil, err
	}
	release := chartutil.ReleaseOptions{Name: in.Component, Namespace: in.Namespace, Revision: 1, IsInstall: true}
	rendering, err := chartutil.ToRenderValues(c, values, release, capabilities)
	if err != nil {
		return nil, nil, &RenderError{File: "values.yaml", Message: "cannot use values", Cause: err}
	}
	dropNotes(c)
	return c, rendering, nil
}

func executeChart(c *chart.Chart, rendering chartutil.Values) (map[string]string, error) {
	rendered, err := engine.Engine{}.Render(c, rendering)
	if err != nil {
		e := located("", err).(*RenderError)
		e.File = insideChart(e.File)
		return nil, e
	}
	output := make(map[string]string, len(rendered))
	for name, text := range rendered {
		output[insideChart(name)] = text
	}
	for _, crd := range c.CRDObjects() {
		output[insideChart(crd.Filename)] = string(crd.File.Data)
	}
	return output, nil
}

func loadChart(files []file) (*chart.Chart, error) {
	buffered := make([]*loader.BufferedFile, len(files))
	for i, f := range files {
		buffered[i] = &loader.BufferedFile{Name: f.name, Data: slices.Clone(f.data)}
	}
	c, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, &RenderError{Message: "cannot load chart", Cause: err}
	}
	if c.Metadata.Type == "library" {
		return nil, &RenderError{File: "Chart.yaml", Message: "a library chart has nothing to roll out"}
	}
	// The loader walks sub-charts in the order of a map.
	dependencies := c.Dependencies()
	slices.SortFunc(dependencies, func(a, b *chart.Chart) int { return strings.Compare(a.Name(), b.Name()) })
	c.SetDependencies(dependencies...)
	for _, wanted := range c.Metadata.Dependencies {
		if !slices.ContainsFunc(dependencies, func(d *chart.Chart) bool { return d.Name() == wanted.Name }) {
			return nil, &RenderError{
				File: "Chart.yaml", Message: fmt.Sprintf("dependency %q is not in charts/: run helm dependency build", wanted.Name),
			}
		}
	}
	return c, nil
}

// checkSchemas refuses a values schema that would have to be fetched: rendering reads nothing but its input.
func checkSchemas(c *chart.Chart) error {
	if len(c.Schema) > 0 {
		file := path.Join(insideChart(c.ChartFullPath()+"/"), "values.schema.json")
		var schema any
		if err := json.Unmarshal(c.Schema, &schema); err != nil {
			return &RenderError{File: file, Message: "cannot parse", Cause: err}
		}
		if reference := outsideReference(schema); reference != "" {
			return &RenderError{File: file, Message: fmt.Sprintf("refers to %q outside itself", reference)}
		}
	}
	for _, dependency := range c.Dependencies() {
		if err := checkSchemas(dependency); err != nil {
			return err
		}
	}
	return nil
}

func outsideReference(schema any) string {
	switch s := schema.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(s)) {
			text, isText := s[key].(string)
			switch {
			case isText && key == "$ref" && !strings.HasPrefix(text, "#"):
				return text
			case isText && key == "$schema" && !strings.Contains(text, "://json-schema.org/"):
				return text
			}
			if found := outsideReference(s[key]); found != "" {
				return found
			}
		}
	case []any:
		for _, item := range s {
			if found := outsideReference(item); found != "" {
				return found
			}
		}
	}
	return ""
}

func dropNotes(c *chart.Chart) {
	c.Templates = slices.DeleteFunc(c.Templates, func(f *chart.File) bool { return path.Base(f.Name) == notesFile })
	for _, dependency := range c.Dependencies() {
		dropNotes(dependency)
	}
}

func checkChart(c *chart.Chart, rendering chartutil.Values) (verdict, error) {
	p := &program{bodies: map[string][]*body{}}
	roots, err := p.addChart(c)
	if err != nil {
		return verdict{}, err
	}
	v := p.check(roots)
	if !v.tpl {
		return v, nil
	}
	values, _ := rendering["Values"].(chartutil.Values)
	texts := p.addValues("values", map[string]any(values))
	for _, f := range c.Files {
		if path.Ext(f.Name) != ".md" && p.addText(f.Name, string(f.Data)) {
			texts = append(texts, f.Name)
		}
	}
	if err := p.checkTexts(texts); err != nil {
		return v, err
	}
	return p.check(append(roots, texts...)), nil
}

func (p *program) addChart(c *chart.Chart) (roots []string, err error) {
	for _, f := range c.Templates {
		name := insideChart(path.Join(c.ChartFullPath(), f.Name))
		if err := p.add(name, string(f.Data)); err != nil {
			return nil, err
		}
		if !isPartial(name) {
			roots = append(roots, name)
		}
	}
	for _, dependency := range c.Dependencies() {
		more, err := p.addChart(dependency)
		if err != nil {
			return nil, err
		}
		roots = append(roots, more...)
	}
	return roots, nil
}

// insideChart takes the chart's own name off a path that begins with it.
func insideChart(name string) string {
	_, inside, found := strings.Cut(name, "/")
	if !found {
		return name
	}
	return inside
}
