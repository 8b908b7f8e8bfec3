package pipelines

import (
	"maps"
	"slices"
	"strings"
)

// images checks the slots of a component, and that no two of them, and no config, set one key of the values.
func (l *linter) images(c *Component, spec spot) {
	taken := map[string]string{} // key -> slot
	for _, slot := range slices.Sorted(maps.Keys(c.Spec.Images)) {
		image, at := c.Spec.Images[slot], spec.at("images", slot)
		l.image(image, slot, at)
		if image.Values == nil || at.at("values").flawed() {
			continue
		}
		l.imageValues(image, slot, at)
		for _, k := range image.Values.Keys() {
			here := at.at("values", k.Part)
			for key, other := range taken {
				if key == k.Key || strings.HasPrefix(key, k.Key+".") || strings.HasPrefix(k.Key, key+".") {
					l.report.addAt(here, "image %s goes to %s, which image %s sets already (%s)", slot, k.Key, other, key)
				}
			}
			l.configured(c, slot, k, spec.at("config"))
		}
		for _, k := range image.Values.Keys() {
			taken[k.Key] = slot
		}
	}
}

func (l *linter) image(image Image, slot string, at spot) {
	if image.Default == "" && len(image.Environments) == 0 && !at.flawed() {
		l.report.addAt(at, "image %s has no reference: give default or environments", slot)
	}
	for _, name := range slices.Sorted(maps.Keys(image.Environments)) {
		l.environment(at.at("environments").key(name), name)
	}
}

// imageValues checks that the keys of a slot can hold a reference, and hold each that it has.
func (l *linter) imageValues(image Image, slot string, at spot) {
	v, values := image.Values, at.at("values")
	switch {
	case len(v.Keys()) == 0:
		l.report.addAt(values, "values of image %s name no key: give repository and tag, or reference for the whole", slot)
		return
	case v.Reference != "" && len(v.Keys()) > 1:
		l.report.addAt(values.key("reference"), "reference of image %s is the whole of it: it stands alone", slot)
		return
	case v.Reference == "" && v.Repository == "":
		l.report.addAt(values, "values of image %s name no key for the repository: the chart's own would be kept", slot)
		return
	case v.Reference == "" && v.Tag == "" && v.Digest == "":
		l.report.addAt(values, "values of image %s name no key for tag or digest: the chart's own would be kept; "+
			"where one key holds it all, it is reference", slot)
		return
	}
	check := func(reference string, here spot) {
		if _, err := v.Of(reference); reference != "" && err != nil {
			l.report.addAt(here, "image %s cannot be put into values: %v", slot, err)
		}
	}
	check(image.Default, at.at("default"))
	for _, name := range slices.Sorted(maps.Keys(image.Environments)) {
		check(image.Environments[name], at.at("environments", name))
	}
}

// configured reports layers of the config that set what an image slot sets.
func (l *linter) configured(c *Component, slot string, k ImageKey, at spot) {
	layer := func(values map[string]any, where ...any) {
		path := k.Path()
		var inner any = values
		for i, key := range path {
			m, isMap := inner.(map[string]any)
			if !isMap {
				l.report.addAt(at.at(where...), "%s is set here, and image %s goes to %s", strings.Join(path[:i], "."), slot, k.Key)
				return
			}
			if inner, isMap = m[key]; !isMap {
				return
			}
			where = append(where, key)
		}
		l.report.addAt(at.at(where[:len(where)-1]...).key(path[len(path)-1]), "%s is set by image %s: a config cannot set it too", k.Key, slot)
	}
	config := c.Spec.Config
	if config.Fleet != nil {
		layer(config.Fleet, "fleet")
	}
	for field, layers := range map[string]map[string]map[string]any{
		"environments": config.Environments, "networkDomains": config.NetworkDomains,
		"clusterGroups": config.ClusterGroups, "clusters": config.Clusters,
	} {
		for name, values := range layers {
			layer(values, field, name)
		}
	}
}
