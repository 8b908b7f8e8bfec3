package lint

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// configurations lists the distinct configurations that a component has: one for each set of clusters that it renders alike for.
func configurations(docs *pipelines.Documents, c *pipelines.Component, packs *packs) []*render {
	folder := filepath.Join(c.Dir, c.Spec.Template.Folder())
	packs.want(folder)
	byName := c.Spec.Template.Manifests != "" && packs.of(folder).sources.askForTheCluster()
	probes := probesOf(docs, c)
	known := map[string]*render{}
	var all []*render
	for _, place := range places(docs, c) {
		if c.Spec.Template.Probes == "" {
			place.Labels = nil
		}
		key, images := alike(c, place, byName, probes)
		if same := known[key]; same != nil {
			same.alike++
			continue
		}
		known[key] = &render{component: c, folder: folder, place: place, images: images}
		all = append(all, known[key])
	}
	return all
}

// probesOf are the probes that a component ships; nil where it ships none, or they are not among what is checked.
func probesOf(docs *pipelines.Documents, c *pipelines.Component) *pipelines.ProbeDocuments {
	folder, err := filepath.Abs(filepath.Join(c.Dir, c.Spec.Template.Probes))
	if c.Spec.Template.Probes == "" || err != nil {
		return nil
	}
	return docs.Probes[folder]
}

// alike is what a render for a place depends on, and the image references there. A chart sees nothing of the place but its
// values; a template of a manifests folder sees it, and where it looks at the cluster's name, every cluster is its own.
func alike(c *pipelines.Component, place pipelines.Place, byName bool, probes *pipelines.ProbeDocuments) (string, map[string]string) {
	images := map[string]string{}
	for slot, image := range c.Spec.Images {
		images[slot] = image.Default
		if reference := image.Environments[place.Environment]; reference != "" {
			images[slot] = reference
		}
	}
	values, err := templates.Values(c, place)
	if err != nil {
		return "cannot: " + err.Error(), images
	}
	body, err := templates.CanonicalJSON(values)
	if err != nil {
		return "cannot: " + err.Error(), images
	}
	key := string(body)
	if probes != nil {
		return key + probes.AsIn(place), images
	}
	if c.Spec.Template.Chart == "" {
		if c.Spec.Template.Manifests != "" && !byName {
			place.Cluster = ""
		}
		key += fmt.Sprint(place)
	}
	return key, images
}

// places are the clusters that a component's pipeline takes; all there are where it names none, or one that takes none of
// them. A component that is checked without a fleet is rendered for each environment that it has a reference of every image
// for, and for each layer of its config.
func places(docs *pipelines.Documents, c *pipelines.Component) []pipelines.Place {
	var all, taken []pipelines.Place
	pipeline := docs.Pipelines[c.Spec.Pipeline]
	for _, name := range slices.Sorted(maps.Keys(docs.Clusters)) {
		cluster := docs.Clusters[name]
		group := docs.ClusterGroups[cluster.Spec.Group]
		if group == nil {
			continue
		}
		place := cluster.Place(group)
		place.Labels = cluster.EffectiveLabels(group)
		all = append(all, place)
		if takes(pipeline, cluster, group) {
			taken = append(taken, place)
		}
	}
	switch {
	case len(taken) > 0:
		return taken
	case len(all) > 0:
		return all
	}
	return imagined(docs, c)
}

func takes(p *pipelines.Pipeline, cluster *pipelines.Cluster, group *pipelines.ClusterGroup) bool {
	if p == nil {
		return false
	}
	return slices.ContainsFunc(p.Spec.Stages, func(s pipelines.Stage) bool {
		inGroup := s.ClusterGroups == nil || s.ClusterGroups.Matches(group.EffectiveLabels(), group.Metadata.Name)
		return inGroup && (s.Clusters == nil || s.Clusters.Matches(cluster.EffectiveLabels(group), cluster.Metadata.Name))
	})
}

// imagined are places for a component without a fleet.
func imagined(docs *pipelines.Documents, c *pipelines.Component) []pipelines.Place {
	var all []pipelines.Place
	for _, environment := range docs.Fleet.Spec.Environments {
		whole := true
		for _, image := range c.Spec.Images {
			whole = whole && (image.Default != "" || image.Environments[environment] != "")
		}
		if whole {
			all = append(all, pipelines.Place{Environment: environment})
		}
	}
	if len(all) == 0 {
		all = []pipelines.Place{{Environment: docs.Fleet.Spec.Environments[0]}}
	}
	first, config := all[0], c.Spec.Config
	for _, name := range slices.Sorted(maps.Keys(config.NetworkDomains)) {
		at := first
		at.NetworkDomain = name
		all = append(all, at)
	}
	for _, name := range slices.Sorted(maps.Keys(config.ClusterGroups)) {
		at := first
		at.Group = name
		all = append(all, at)
	}
	for _, name := range slices.Sorted(maps.Keys(config.Clusters)) {
		at := first
		at.Cluster = name
		all = append(all, at)
	}
	return all
}

// where says which component and configuration a finding is from, and how many more have it.
func (r *render) where(more int) string {
	at := r.place.Cluster
	if at == "" {
		at = r.place.Environment
	}
	text := fmt.Sprintf(" (%s %s in %s", r.component.Metadata.Name, r.component.Spec.Version, at)
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if p := r.component.Position; p.File != "" {
		text += ", " + p.String()
	}
	return text + ")"
}

// packs are the packed folders of templates, each packed once.
type packs struct {
	mu    sync.Mutex
	known map[string]*packed
}

type packed struct {
	once    sync.Once
	data    []byte
	err     error
	sources *sources
}

func (p *packs) want(folder string) {
	if p.known[folder] == nil {
		p.known[folder] = &packed{}
	}
}

func (p *packs) of(folder string) *packed {
	p.mu.Lock()
	one := p.known[folder]
	p.mu.Unlock()
	one.once.Do(func() {
		one.sources = newSources(folder)
		one.data, one.err = templates.Pack(folder)
	})
	return one
}
