package lint

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// emptyImages finds containers whose image is none: what a chart renders of a slot that it misspells.
func emptyImages(r *render) []problem {
	var found []problem
	for _, object := range r.rendered.Objects {
		if object.Generated {
			continue
		}
		name := templates.Name(object.Unstructured)
		eachContainer(object.Object, nil, func(path []string, container map[string]any) {
			image, _ := container["image"].(string)
			says := ""
			if image == "" {
				says = fmt.Sprintf("container %v has no image", container["name"])
			} else if _, err := pipelines.ParseImage(image); err != nil {
				says = fmt.Sprintf("container %v: %v", container["name"], err)
			}
			if says == "" {
				return
			}
			p := problem{file: object.Source, message: name + ": " + says}
			p.line, p.column = r.sources.field(p.file, name, append(path, "image"))
			found = append(found, p)
		})
	}
	return found
}

// eachContainer visits the containers of a pod template, wherever an object carries one.
func eachContainer(value any, path []string, visit func(path []string, container map[string]any)) {
	m, isMap := value.(map[string]any)
	if !isMap {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		here := append(slices.Clone(path), key)
		list, isList := m[key].([]any)
		switch {
		case (key == "containers" || key == "initContainers") && isList && len(path) > 0 && path[len(path)-1] == "spec":
			for i, item := range list {
				if container, ok := item.(map[string]any); ok && container["name"] != nil {
					visit(append(slices.Clone(here), strconv.Itoa(i)), container)
				}
			}
		default:
			eachContainer(m[key], here, visit)
		}
	}
}

// unusedSlots finds image slots whose reference no render of the component holds: the template reads another slot, or the
// slot's keys are not those that the chart reads. Nothing is said of a component that does not render everywhere.
func unusedSlots(renders []*render) map[*render][]problem {
	byComponent := map[*pipelines.Component][]*render{}
	for _, r := range renders {
		byComponent[r.component] = append(byComponent[r.component], r)
	}
	found := map[*render][]problem{}
	for c, all := range byComponent {
		if c.Spec.Template.Probes != "" || slices.ContainsFunc(all, func(r *render) bool { return r.rendered == nil }) {
			continue // which slots probes are run from, their documents say, whatever clusters there are
		}
		for _, slot := range slices.Sorted(maps.Keys(c.Spec.Images)) {
			if slices.ContainsFunc(all, func(r *render) bool { return r.holds(slot) }) {
				continue
			}
			nothing := fmt.Sprintf("image slot %s: nothing that is rendered has %s", slot, all[0].images[slot])
			says := nothing + "; the template does not read the slot, or reads it under another name"
			if values := c.Spec.Images[slot].Values; values != nil {
				var keys []string
				for _, k := range values.Keys() {
					keys = append(keys, k.Key)
				}
				says = fmt.Sprintf("%s; the chart does not make its image of %s", nothing, strings.Join(keys, ", "))
			}
			found[all[0]] = append(found[all[0]], problem{at: c.Spec.Images[slot].Position, message: says})
		}
	}
	return found
}

// holds reports whether a text of the render holds the reference of a slot. A digest says all that matters of it: a chart may put
// a tag of its own before it.
func (r *render) holds(slot string) bool {
	whole, digest := r.images[slot], ""
	if v := r.component.Spec.Images[slot].Values; v != nil && v.Reference == "" {
		whole = completed(whole, v.Registry != "")
	}
	if parsed, err := pipelines.ParseImage(whole); err == nil {
		digest = parsed.Digest
	}
	exact := regexp.MustCompile(`(^|[^\w./:@-])` + regexp.QuoteMeta(whole) + `($|[^\w.@-])`)
	return slices.ContainsFunc(r.rendered.Objects, func(o templates.Object) bool {
		return anyText(o.Object, func(text string) bool {
			return digest != "" && strings.Contains(text, digest) || exact.MatchString(text)
		})
	})
}

// completed is a reference with what a chart is given in place of the parts that it has not.
func completed(reference string, withRegistry bool) string {
	parsed, err := pipelines.ParseImage(reference)
	if err != nil {
		return reference
	}
	if parsed.Tag == "" && parsed.Digest == "" {
		reference += ":" + pipelines.DefaultTag
	}
	if withRegistry && parsed.Registry == "" {
		reference = pipelines.DefaultRegistry + "/" + reference
	}
	return reference
}

func anyText(value any, is func(string) bool) bool {
	switch v := value.(type) {
	case string:
		return is(v)
	case map[string]any:
		for _, item := range v {
			if anyText(item, is) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return anyText(item, is) })
	}
	return false
}
