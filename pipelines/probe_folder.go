package pipelines

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// folders are folders from the root, the deepest first.
type folders []string

// probeFolders are the folders that components name as the templates of their probes.
func probeFolders(docs []*document) folders {
	named := map[string]bool{}
	for _, doc := range docs {
		c, ok := doc.value.(*Component)
		if ok && c.Spec.Template.Probes != "" && doc.source.dir != "" {
			named[filepath.Join(doc.source.absolute, c.Spec.Template.Probes)] = true
		}
	}
	all := slices.Sorted(maps.Keys(named))
	slices.Reverse(all)
	return all
}

// of is the folder that a source stands in; "" for none. What the caller names by itself stands in it all the same.
func (f folders) of(src *source) string {
	if src.dir == "" {
		return ""
	}
	for _, folder := range f {
		if src.absolute == folder || strings.HasPrefix(src.absolute, folder+string(filepath.Separator)) {
			return folder
		}
	}
	return ""
}

// ships notes the folder of probes that a document stands in, and reports what has no place there.
func (d *document) ships(folder string, r *report) {
	d.folder = folder
	if folder != "" && !d.isProbe() {
		r.addAt(d.spot().at("kind"), "a folder of probes holds Probe, ProbeSet and ProbeBinding only, not %s", d.kind)
	}
}

// ParseProbes checks the documents of a folder of probes as Load does, but for what they say of a fleet: which there is is not known
// where they are rendered. Errors are Diagnostics.
func ParseProbes(sources ...Source) (*ProbeDocuments, error) {
	const folder = "."
	r := newReport()
	d := &decoder{structures: newStructures(), report: r}
	var docs []*document
	for _, s := range sources {
		for _, doc := range parse(&source{Source: s, given: true}, r) {
			if d.kind(doc) {
				doc.ships(folder, r)
				docs = append(docs, doc)
			}
		}
	}
	l := newLinter(r, docs)
	l.fleetless = true
	l.lint()
	if l.all.Probes[folder] == nil {
		r.add(Position{File: folder}, "there is no Probe in the folder")
	}
	return l.all.Probes[folder], r.err()
}

// isProbe reports whether a document is of a kind that folders of probes hold.
func (d *document) isProbe() bool {
	return d.kind == KindProbe || d.kind == KindProbeSet || d.kind == KindProbeBinding
}

// probesOf are the probe documents of a folder.
func (l *linter) probesOf(folder string) *ProbeDocuments {
	if l.all.Probes[folder] == nil {
		l.all.Probes[folder] = newProbeDocuments()
	}
	return l.all.Probes[folder]
}

// folderOf is the folder of probes that a component names.
func (l *linter) folderOf(doc *document, c *Component) string {
	if doc.source.dir == "" {
		return ""
	}
	return filepath.Join(doc.source.absolute, c.Spec.Template.Probes)
}
