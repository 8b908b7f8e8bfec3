package pipelines

import (
	"bytes"
	"os"
	"path/filepath"
)

// Gather lists what Load would read of paths: the files of documents, and the charts and folders that components in them name as their
// templates. It does not check them: what it cannot make out is listed all the same, for Load to say what is wrong. Errors are
// Diagnostics of what cannot be read.
func Gather(paths ...string) ([]string, error) {
	r := newReport()
	sources := read(r, "", paths)
	if err := r.err(); err != nil {
		return nil, err
	}
	var found, templates []string
	for _, src := range sources {
		found = append(found, src.Name)
		if !bytes.Contains(src.Data, []byte(KindComponent)) {
			continue // a fleet is large, and there is no template in it
		}
		for _, doc := range parse(src, r) {
			for _, path := range doc.templates() {
				if _, err := os.Stat(path); err == nil {
					templates = append(templates, path)
				}
			}
		}
	}
	return append(found, templates...), nil
}

// templates are the paths that a document, not checked yet, names as its template.
func (doc *document) templates() (paths []string) {
	at := doc.spot()
	kind := at.child("kind")
	if kind == nil || target(kind).Value != KindComponent {
		return nil
	}
	template := at.at("spec", "template")
	for _, field := range []string{"chart", "manifests"} {
		if node := template.child(field); node != nil {
			if path := target(node).Value; path != "" && !filepath.IsAbs(path) {
				paths = append(paths, filepath.Join(doc.source.dir, path))
			}
		}
	}
	return paths
}
