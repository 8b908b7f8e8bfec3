package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
)

// Files are where documents are read from.
type Files struct {
	Paths []string // files and folders
	// Root is a folder that holds all that somebody has sent: paths are below it, and nothing else is read. Else it is "".
	Root string
	// Origin is where what was sent comes from, as the sender says. Else the paths tell.
	Origin *api.Origin
	// Read hears that they were read, or cannot be: what follows takes as long as clusters do. It may be nil, and be told more than once.
	Read func()
}

// Documents loads and checks files and folders, with the library and the fleet of the installation behind them. Errors are fault.Invalid
// around pipelines.Diagnostics.
func (e *Engine) Documents(ctx context.Context, f Files) (*pipelines.Documents, error) {
	own, err := e.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	if err := own.whole(); err != nil {
		return nil, err
	}
	docs, err := f.load(slices.Concat(e.options.Library, own.sources))
	if err != nil {
		return nil, err
	}
	if err := own.agrees(docs); err != nil {
		return nil, CannotLoad(f.Paths, err)
	}
	return docs, nil
}

// DocumentsAlone loads and checks files and folders with the library behind them, and nothing that the ledger has.
func (e *Engine) DocumentsAlone(f Files) (*pipelines.Documents, error) {
	return f.load(e.options.Library)
}

// Catalog is what is ready-made in the library.
func (e *Engine) Catalog() ([]catalog.Entry, error) {
	all, err := catalog.Entries(e.options.Library)
	return all, fault.Wrap(fault.Internal, err, "cannot read the catalog")
}

// LoadDocuments loads and checks files and folders; what they refer to and do not declare may be in the library. It
// needs neither ledger nor Temporal. Errors are fault.Invalid around pipelines.Diagnostics.
func LoadDocuments(paths []string, library []pipelines.Source) (*pipelines.Documents, error) {
	return Files{Paths: paths}.load(library)
}

func (f Files) load(library []pipelines.Source) (*pipelines.Documents, error) {
	docs, err := pipelines.Loader{Library: library, Root: f.Root}.Load(f.Paths...)
	if f.Read != nil {
		f.Read()
	}
	if err != nil {
		return nil, CannotLoad(f.Paths, err)
	}
	return docs, nil
}

// CannotLoad is fault.Invalid for what is wrong with documents.
func CannotLoad(paths []string, wrong error) error {
	return fault.Wrap(fault.Invalid, wrong, "cannot load %s", strings.Join(paths, ", "))
}

// chooseComponent finds the version of a component that is asked for; the only one where none is.
func chooseComponent(docs *pipelines.Documents, name, version string) (*pipelines.Component, error) {
	all := docs.Components[name]
	if len(all) == 0 {
		return nil, fault.New(fault.NotFound, "cannot find component %s: %s", name, have("components", slices.Sorted(maps.Keys(docs.Components))))
	}
	var versions []string
	for _, c := range all {
		if c.Spec.Version == version {
			return c, nil
		}
		versions = append(versions, c.Spec.Version)
	}
	switch {
	case version != "":
		return nil, fault.New(fault.Invalid, "cannot find version %s of component %s: the files have %s",
			version, name, strings.Join(versions, ", "))
	case len(all) > 1:
		return nil, fault.New(fault.Invalid, "cannot tell which version of component %s is meant: the files have %s; choose with --to VERSION",
			name, strings.Join(versions, ", "))
	}
	return all[0], nil
}

// choosePipeline finds the pipeline that is asked for; the component's own where none is.
func choosePipeline(docs *pipelines.Documents, c *pipelines.Component, name string) (*pipelines.Pipeline, error) {
	if name == "" {
		name = c.Spec.Pipeline
	}
	all := slices.Sorted(maps.Keys(docs.Pipelines))
	if name == "" {
		return nil, fault.New(fault.Invalid, "cannot plan component %s: it names no pipeline; choose with --pipeline NAME (%s)",
			c.Metadata.Name, have("pipelines", all))
	}
	p := docs.Pipelines[name]
	if p == nil {
		return nil, fault.New(fault.Invalid, "cannot find pipeline %s: %s", name, have("pipelines", all))
	}
	return p, nil
}

func have(noun string, names []string) string {
	if len(names) == 0 {
		return "there are no " + noun
	}
	return "there are the " + noun + " " + strings.Join(names, ", ")
}

// narrow tells clusters from cluster groups, for what the plan is to do with them. "group:NAME" and "cluster:NAME" say
// which is meant where both have it.
func narrow(docs *pipelines.Documents, names []string, what string) (plan.Only, error) {
	var only plan.Only
	for _, name := range names {
		kind, bare, said := strings.Cut(name, ":")
		if !said {
			kind, bare = "", name
		}
		isCluster, isGroup := docs.Clusters[bare] != nil, docs.ClusterGroups[bare] != nil
		switch {
		case said && kind != "group" && kind != "cluster":
			return only, fault.New(fault.Invalid, "cannot %s %q: write NAME, cluster:NAME or group:NAME", what, name)
		case kind == "" && isCluster && isGroup:
			return only, fault.New(fault.Invalid, "cannot %s %s: a cluster and a cluster group have this name; write cluster:%s or group:%s",
				what, bare, bare, bare)
		case kind == "group" || kind == "" && isGroup:
			only.Groups = append(only.Groups, bare)
		default:
			only.Clusters = append(only.Clusters, bare)
		}
	}
	return only, nil
}

// originOf says where a set of paths comes from: the first one's repository and path. Changes that no commit has count
// wherever they are.
func (e *Engine) originOf(files Files) (api.Origin, error) {
	if files.Origin != nil {
		return *files.Origin, nil
	}
	var first api.Origin
	var failed []error
	for i, path := range files.Paths {
		o, err := e.options.Origin(path)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if i == 0 {
			first = o
			continue
		}
		first.Dirty = first.Dirty || o.Dirty
	}
	if err := errors.Join(failed...); err != nil {
		return first, fmt.Errorf("cannot tell where the files come from: %w", err)
	}
	return first, nil
}
