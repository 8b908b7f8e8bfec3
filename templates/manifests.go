package templates

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"
)

// tplName is what text/template calls a text that tpl was given.
const tplName = "tpl"

// maxIncludeDepth is how deep templates may include each other. It is Helm's bound.
const maxIncludeDepth = 1000

// renderManifests returns what each *.yaml, *.yml and *.json template of a folder renders. Files whose name begins with
// "_" and *.tpl files hold named templates and render nothing.
func renderManifests(in Input, files []file, capabilities *chartutil.Capabilities) (map[string]string, error) {
	set := template.New("").Option("missingkey=error")
	set.Funcs(manifestFunctions(set))
	var roots []string
	for _, f := range files {
		if !isRead(f.name) {
			continue
		}
		if _, err := set.New(f.name).Parse(string(f.data)); err != nil {
			return nil, located(f.name, err)
		}
		addCounts(set, f.name, string(f.data))
		if isManifest(f.name) {
			roots = append(roots, f.name)
		}
	}
	output := make(map[string]string, len(roots))
	for _, name := range roots {
		out := &boundedText{}
		if err := set.ExecuteTemplate(out, name, manifestData(in, capabilities)); err != nil {
			return nil, located(name, err)
		}
		output[name] = out.String()
	}
	return output, nil
}

// isRead reports whether a file of manifests is rendered, or has named templates.
func isRead(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json", ".tpl"}, path.Ext(name))
}

func isManifest(name string) bool {
	return isRead(name) && !isPartial(name) && path.Ext(name) != ".tpl"
}

func manifestData(in Input, capabilities *chartutil.Capabilities) map[string]any {
	values := copyValue(in.Values).(map[string]any)
	images, _ := values[imagesKey].(map[string]any)
	if images == nil {
		images = map[string]any{}
	}
	return map[string]any{
		"Values": values,
		"Images": images,
		"Cluster": map[string]any{
			"Name":          in.Place.Cluster,
			"Group":         in.Place.Group,
			"Environment":   in.Place.Environment,
			"BusinessSide":  in.Place.BusinessSide,
			"NetworkDomain": in.Place.NetworkDomain,
			"Region":        in.Place.Region,
		},
		"Component":    map[string]any{"Name": in.Component, "Version": in.Version},
		"Namespace":    in.Namespace,
		"Capabilities": capabilities,
	}
}

// manifestFunctions are sprig's hermetic functions and the ones that Helm has taught people to expect. Those whose result
// changes by itself refuse to be called: a template may hold one behind a condition.
func manifestFunctions(set *template.Template) template.FuncMap {
	functions := sprig.HermeticTxtFuncMap()
	for name := range unstable {
		functions[name] = func(...any) (any, error) { return nil, &refusedCall{name} }
	}
	functions["keys"] = sortedKeys
	functions["values"] = sortedValues
	functions["toYaml"] = toYAML
	functions["fromYaml"] = fromYAML
	functions["required"] = func(message string, value any) (any, error) {
		if value == nil || value == "" {
			return nil, errors.New(message)
		}
		return value, nil
	}
	bindBounds(functions)
	bindIncludes(functions, set, new(int))
	return functions
}

func bindIncludes(functions template.FuncMap, set *template.Template, depth *int) {
	enter := func(name string) (leave func(), err error) {
		if *depth++; *depth > maxIncludeDepth {
			return nil, fmt.Errorf("templates include each other more than %d deep: %s", maxIncludeDepth, name)
		}
		return func() { *depth-- }, nil
	}
	functions["include"] = func(name string, data any) (string, error) {
		leave, err := enter(name)
		if err != nil {
			return "", err
		}
		defer leave()
		out := &boundedText{}
		err = set.ExecuteTemplate(out, name, data)
		return out.String(), err
	}
	functions["tpl"] = func(text string, data any) (string, error) {
		leave, err := enter(tplName)
		if err != nil {
			return "", err
		}
		defer leave()
		clone, err := set.Clone()
		if err != nil {
			return "", err
		}
		inner := template.FuncMap{}
		bindIncludes(inner, clone, depth)
		parsed, err := clone.Option("missingkey=error").Funcs(inner).New(tplName).Parse(text)
		if err != nil {
			return "", err
		}
		addCounts(parsed, tplName, text)
		out := &boundedText{}
		err = parsed.Execute(out, data)
		return out.String(), err
	}
}

func sortedKeys(dicts ...map[string]any) []string {
	names := []string{}
	for _, dict := range dicts {
		names = append(names, slices.Sorted(maps.Keys(dict))...)
	}
	return names
}

func sortedValues(dict map[string]any) []any {
	values := make([]any, 0, len(dict))
	for _, key := range slices.Sorted(maps.Keys(dict)) {
		values = append(values, dict[key])
	}
	return values
}

func toYAML(value any) (string, error) {
	text, err := yaml.Marshal(value)
	return strings.TrimSuffix(string(text), "\n"), err
}

func fromYAML(text string) (map[string]any, error) {
	value := map[string]any{}
	err := yaml.Unmarshal([]byte(text), &value)
	return value, err
}

// boundedText is a writer that stops a template that would never end.
type boundedText struct{ strings.Builder }

func (b *boundedText) Write(data []byte) (int, error) {
	if b.Len()+len(data) > MaxRenderedBytes {
		return 0, fmt.Errorf("renders more than %d bytes", MaxRenderedBytes)
	}
	return b.Builder.Write(data)
}
