// Package lint renders components offline, for every distinct configuration, and checks what comes out: against the kinds that
// Kubernetes ships, and against the CRDs among the renders. It reads the folders of templates and asks no cluster.
package lint

import (
	"cmp"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// Options say what an offline render is for. The zero value works.
type Options struct {
	KubeVersion string // of the cluster that there is none of; default KubeVersion
}

// Findings are what is wrong, and what is allowed and hardly meant; each sorted by place.
type Findings struct {
	Errors   pipelines.Diagnostics
	Warnings pipelines.Diagnostics
}

// Check renders every component version of the documents for every distinct configuration that its clusters have.
func Check(docs *pipelines.Documents, o Options) Findings {
	o.KubeVersion = cmp.Or(o.KubeVersion, KubeVersion)
	renders := renderAll(docs, o)
	crds := crdSet{}
	for _, r := range renders {
		crds.add(r)
	}
	found := &findings{seen: map[finding]int{}}
	kinds := &kinds{version: o.KubeVersion, crds: crds}
	for _, r := range renders {
		found.add(r, r.problems)
		if r.rendered != nil {
			found.add(r, kinds.check(r))
			found.add(r, emptyImages(r))
		}
	}
	found.addAll(unusedSlots(renders))
	sorted := found.sorted()
	sorted.Errors = append(sorted.Errors, Receivers(docs)...)
	return sorted
}

// problem is one thing that is wrong with a render. Without a file it is the component's document that is to blame.
type problem struct {
	at           pipelines.Position // in a document, where more is known than the component
	file         string             // inside the template's folder
	line, column int                // in file; 0 where they are not known
	message      string
	warning      bool
}

// render is a component version, rendered for one configuration.
type render struct {
	component *pipelines.Component
	folder    string // of the template, as the caller's paths lead to it
	place     pipelines.Place
	alike     int // further places with the same configuration
	images    map[string]string
	rendered  *templates.Rendered
	problems  []problem
	sources   *sources
}

// renderAll renders everything, as many at once as there are processors.
func renderAll(docs *pipelines.Documents, o Options) []*render {
	var all []*render
	packs := &packs{known: map[string]*packed{}}
	for _, name := range slices.Sorted(maps.Keys(docs.Components)) {
		for _, c := range docs.Components[name] {
			if c.Dir == "" {
				continue // in memory, with no folder to read
			}
			all = append(all, configurations(docs, c, packs)...)
		}
	}
	apis := apiVersions(o.KubeVersion)
	jobs := make(chan *render)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for r := range jobs {
				r.run(packs.of(r.folder), o, apis)
			}
		})
	}
	for _, r := range all {
		jobs <- r
	}
	close(jobs)
	workers.Wait()
	return all
}

// run renders, and notes what keeps it from that.
func (r *render) run(source *packed, o Options, apis []string) {
	r.sources = source.sources
	if source.err != nil {
		r.fail(source.err)
		return
	}
	values, err := templates.Values(r.component, r.place)
	if err != nil {
		r.fail(err)
		return
	}
	c := r.component
	in := templates.Input{
		Source: source.data, Kind: templates.KindOf(&c.Spec.Template), Component: c.Metadata.Name, Version: c.Spec.Version,
		Namespace: cmp.Or(c.Spec.Namespace, c.Metadata.Name), Values: values, Place: r.place,
		KubeVersion: o.KubeVersion, APIVersions: apis,
		SkipHooks: c.Spec.Hooks == pipelines.SkipHooks, WorkloadOrder: c.Spec.WorkloadOrder,
	}
	if r.rendered, err = templates.Render(in); err != nil {
		r.rendered = nil
		r.fail(err)
	}
}

// fail notes an error of templates.
func (r *render) fail(err error) {
	e, isRender := err.(*templates.RenderError)
	if !isRender {
		r.problems = append(r.problems, problem{message: err.Error()})
		return
	}
	p := problem{file: e.File, line: e.Line, column: e.Column}
	bare := *e
	bare.File, bare.Line, bare.Column = "", 0, 0
	p.message = bare.Error()
	if r.sources.text(p.file) == "" && p.file != "" {
		p.message, p.file = e.Error(), "" // a value, or a file of a packed chart
	}
	if p.file != "" && p.line == 0 && e.Object != "" {
		p.line, p.column = r.sources.object(p.file, e.Object)
	}
	r.problems = append(r.problems, p)
}

// finding is a problem at its place, told once however many configurations have it.
type finding struct {
	at      pipelines.Position
	message string
	warning bool
}

type findings struct {
	order []finding
	first map[finding]*render
	seen  map[finding]int
}

func (f *findings) add(r *render, problems []problem) {
	for _, p := range problems {
		one := finding{at: r.component.Position, message: p.message, warning: p.warning}
		switch {
		case p.at.File != "":
			one.at = p.at
		case p.file != "":
			one.at = pipelines.Position{File: r.shown(p.file), Line: p.line, Column: max(p.column, min(p.line, 1))}
		}
		if f.first == nil {
			f.first = map[finding]*render{}
		}
		if f.seen[one] == 0 {
			f.order, f.first[one] = append(f.order, one), r
		}
		f.seen[one] += 1 + r.alike
	}
}

// shown is a file of the template as the caller's paths lead to it, written as they are.
func (r *render) shown(file string) string {
	path := r.sources.path(file)
	if here := "." + string(filepath.Separator); strings.HasPrefix(r.component.Position.File, here) {
		return here + path
	}
	return path
}

func (f *findings) addAll(problems map[*render][]problem) {
	for _, r := range slices.SortedFunc(maps.Keys(problems), func(a, b *render) int {
		return strings.Compare(a.component.Position.String(), b.component.Position.String())
	}) {
		f.add(r, problems[r])
	}
}

func (f *findings) sorted() Findings {
	var all Findings
	for _, one := range f.order {
		d := pipelines.Diagnostic{Position: one.at, Message: one.message + f.first[one].where(f.seen[one]-1)}
		if one.warning {
			all.Warnings = append(all.Warnings, d)
		} else {
			all.Errors = append(all.Errors, d)
		}
	}
	all.Errors, all.Warnings = all.Errors.Sorted(), all.Warnings.Sorted()
	return all
}
