package pipelines

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Loader reads documents. The zero value is ready to use.
type Loader struct {
	// Library is what documents may refer to without a file that declares it. A document of the files replaces one of
	// the library of the same kind and name.
	Library []Source
	// Root is a folder that holds all there is: paths are below it and are called without it, and no template is outside of it.
	// Where it is empty, paths are those of this machine.
	Root string
}

// Load reads files and folders and checks everything that they declare against each other. In folders it reads every
// *.yaml and *.yml file, recursively, but not hidden or linked folders, Helm charts (folders with a Chart.yaml) and
// folders that a component of the same load names as its template's manifests. A document that is not Sluice's is an error
// wherever it is found: what is skipped in silence is not checked.
//
// Where anything is wrong, the error is Diagnostics with every error of every file, and there are no Documents. What
// a document may leave out is filled in with its default, except for the rules of stages: see EffectiveRules.
func Load(paths ...string) (*Documents, error) {
	return Loader{}.Load(paths...)
}

// Parse checks sources in memory as Load does files. It touches no file: whether a template's folder exists is not
// looked at.
func Parse(sources ...Source) (*Documents, error) {
	return Loader{}.Parse(sources...)
}

// Load does what the function Load does, with the loader's library.
func (l Loader) Load(paths ...string) (*Documents, error) {
	r := newReport()
	return l.load(r, read(r, l.Root, paths))
}

// Parse does what the function Parse does, with the loader's library.
func (l Loader) Parse(sources ...Source) (*Documents, error) {
	r := newReport()
	var read []*source
	for _, s := range sources {
		if len(s.Data) > maxFileBytes {
			r.add(Position{File: s.Name}, "cannot read file: %v", errTooLarge)
			continue
		}
		read = append(read, &source{Source: s, given: true})
	}
	return l.load(r, read)
}

func (l Loader) load(r *report, sources []*source) (*Documents, error) {
	for _, s := range l.Library {
		if slices.ContainsFunc(sources, func(given *source) bool { return !given.library && given.Name == s.Name }) {
			r.add(Position{File: s.Name}, "cannot read a file of this name: a document that is there already is called so")
		}
		sources = append(sources, &source{Source: s, given: true, library: true})
	}
	d := &decoder{structures: newStructures(), report: r}
	var docs []*document
	for _, src := range sources {
		for _, doc := range parse(src, r) {
			if d.kind(doc) {
				docs = append(docs, doc)
			}
		}
	}
	templates := manifestFolders(docs)
	within := func(src *source) bool { return !src.given && src.dir != "" && below(src.absolute, templates) }
	docs = slices.DeleteFunc(docs, func(doc *document) bool { return within(doc.source) })
	sources = slices.DeleteFunc(sources, func(src *source) bool {
		if within(src) {
			r.drop(src.Name)
			return true
		}
		return false
	})

	shipped := probeFolders(docs)
	for _, doc := range docs {
		doc.ships(shipped.of(doc.source), r)
	}
	linter := newLinter(r, docs)
	linter.root = l.Root
	result := linter.lint()
	for _, src := range sources {
		if !src.library {
			result.Files = append(result.Files, src.Name)
		}
	}
	slices.Sort(result.Files)
	if err := r.err(); err != nil {
		return nil, err
	}
	return result, nil
}

// kind tells what kind a document is of, and decodes it.
func (d *decoder) kind(doc *document) bool {
	at := doc.spot()
	version, kind := at.child("apiVersion"), at.child("kind")
	if version == nil || kind == nil {
		d.report.add(at.position(), "not a Sluice document: it has no apiVersion and kind; write apiVersion: %s", APIVersion)
		return false
	}
	if v := target(version).Value; v != APIVersion {
		if strings.HasPrefix(v, "sluice.dev/") {
			d.report.add(at.at("apiVersion").position(), "apiVersion %s is not known here: this Sluice reads %s", shortened(v), APIVersion)
			return false
		}
		d.report.add(at.at("apiVersion").position(), "not a Sluice document: its apiVersion is %s, not %s", nature(version), APIVersion)
		return false
	}
	doc.kind = target(kind).Value
	switch doc.kind {
	case KindPipeline:
		doc.value = &Pipeline{}
	case KindTask:
		doc.value = &Task{}
	case KindComponent:
		doc.value = &Component{Dir: doc.source.dir}
	case KindClusterGroup:
		doc.value = &ClusterGroup{}
	case KindCluster:
		doc.value = &Cluster{}
	case KindFleet:
		doc.value = &Fleet{}
	case KindCalendar:
		doc.value = &Calendar{}
	case KindDataSource:
		doc.value = &DataSource{}
	case KindReceiver:
		doc.value = &Receiver{}
	case KindPolicy:
		doc.value = &Policy{}
	case KindGroup:
		doc.value = &Group{}
	case KindFuse:
		doc.value = &Fuse{}
	case KindDrill:
		doc.value = &Drill{}
	case KindLimit:
		doc.value = &Limit{}
	case KindBinding:
		doc.value = &Binding{}
	case KindSource:
		doc.value = &GitSource{}
	case KindTrigger:
		doc.value = &Trigger{}
	case KindProbe:
		doc.value = &Probe{}
	case KindProbeSet:
		doc.value = &ProbeSet{}
	case KindProbeBinding:
		doc.value = &ProbeBinding{}
	default:
		d.report.add(at.at("kind").position(), "kind %s %s", shortened(doc.kind), (&format{values: Kinds()}).complaint(doc.kind))
		return false
	}
	d.document(doc, doc.value)
	return true
}

// manifestFolders are the folders, from the root, that components name as the templates of their manifests.
func manifestFolders(docs []*document) []string {
	folders := map[string]bool{}
	for _, doc := range docs {
		c, ok := doc.value.(*Component)
		if ok && c.Spec.Template.Manifests != "" && doc.source.dir != "" {
			folders[filepath.Join(doc.source.absolute, c.Spec.Template.Manifests)] = true
		}
	}
	return slices.Collect(maps.Keys(folders))
}

func below(dir string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return dir == folder || strings.HasPrefix(dir, folder+string(filepath.Separator))
	})
}
