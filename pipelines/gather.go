package pipelines

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Gather lists the files that Load and rendering read of paths: those of documents, and those of the charts and manifests that components
// in them name as their templates. It does not check documents: what it cannot make out is listed all the same, for Load to say what is
// wrong. Whoever writes a document does not choose what else is sent: a template that is outside of the paths and of their git
// repositories, or that is none, is an error, and so is a link that leads out. Errors are Diagnostics.
func Gather(paths ...string) ([]string, error) {
	r := newReport()
	sources := read(r, "", paths)
	if err := r.err(); err != nil {
		return nil, err
	}
	g := &gatherer{report: newReport(), grounds: grounds(paths), seen: map[string]bool{}}
	for _, src := range sources {
		if !g.grounds.hold(src.Name) {
			g.report.add(Position{File: src.Name}, "cannot send file: it is a link that leads %s", outOfGrounds)
			continue
		}
		g.add(src.Name)
	}
	for _, src := range sources {
		if !bytes.Contains(src.Data, []byte(KindComponent)) {
			continue // a fleet is large, and there is no template in it
		}
		for _, doc := range parse(src, r) {
			g.templates(doc)
		}
	}
	return g.found, g.report.err()
}

// outOfGrounds is where nothing is sent from.
const outOfGrounds = "out of what was given and of its git repository"

type gatherer struct {
	report  *report
	grounds ground
	found   []string
	seen    map[string]bool
	looked  int // entries of the folders of templates
}

func (g *gatherer) add(path string) {
	if path = filepath.Clean(path); !g.seen[path] {
		g.seen[path] = true
		g.found = append(g.found, path)
	}
}

// templates adds what a document, not checked yet, names as its template.
func (g *gatherer) templates(doc *document) {
	at := doc.spot()
	kind := at.child("kind")
	if kind == nil || target(kind).Value != KindComponent {
		return
	}
	template := at.at("spec", "template")
	for _, field := range []string{"chart", "manifests", "probes"} {
		if node := template.child(field); node != nil {
			if path := target(node).Value; path != "" && !filepath.IsAbs(path) {
				g.template(template.at(field), path, filepath.Join(doc.source.dir, path), field == "chart")
			}
		}
	}
}

// template adds the files of a folder. One that is not there is left to Load.
func (g *gatherer) template(at spot, named, dir string, chart bool) {
	info, err := os.Stat(dir)
	if err != nil {
		return
	}
	if !g.grounds.hold(dir) {
		g.report.addAt(at, "cannot send folder %s: it is %s", named, outOfGrounds)
		return
	}
	if !info.IsDir() {
		g.report.addAt(at, "%s is no folder", named)
		return
	}
	if chart {
		if info, err := os.Stat(filepath.Join(dir, chartFile)); err != nil || !info.Mode().IsRegular() {
			g.report.addAt(at, "%s is no Helm chart: it has no %s", named, chartFile)
			return
		}
	}
	before := len(g.seen)
	through := dir + string(filepath.Separator) // also where it is a link
	if err := filepath.WalkDir(through, g.entries(at, through, chart)); err != nil {
		g.report.addAt(at, "cannot send folder %s: %v", named, cause(err))
		return
	}
	if !chart && len(g.seen) == before && !g.holds(dir) {
		g.report.addAt(at, "%s has no templates: there is no *.yaml, *.yml or *.json file in it", named)
	}
}

// holds reports whether a file of a folder is sent.
func (g *gatherer) holds(dir string) bool {
	return slices.ContainsFunc(g.found, func(path string) bool { return within(dir, path) })
}

// entries adds the files of a folder that its rendering reads. As where a template is packed, a link has to lead to a file of the folder.
// Hidden files are not sent, whatever reads them.
func (g *gatherer) entries(at spot, dir string, chart bool) fs.WalkDirFunc {
	own := ground{resolved(dir)}
	return func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case path == dir:
			return nil
		case strings.HasPrefix(name, ".") && name != ignoreFile:
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if g.looked++; g.looked > maxFiles {
			return errTooMany
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(path)
			if err != nil || !own.hold(path) || !info.Mode().IsRegular() {
				g.report.addAt(at, "cannot send %s: it is a link that leads to no file of its folder", path)
				return nil
			}
		}
		if !entry.IsDir() && (chart || slices.Contains(rendered, filepath.Ext(name))) {
			g.add(path)
		}
		return nil
	}
}

// rendered are the ends of files that the rendering of a manifests folder reads. It is told what to leave out by the ignoreFile.
var rendered = []string{".yaml", ".yml", ".json", ".tpl", ignoreFile}

// ignoreFile says what a chart leaves out. Its name is all end.
const ignoreFile = ".helmignore"
