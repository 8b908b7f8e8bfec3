// Package catalog holds ready-made Tasks and Pipelines, so that pipelines may refer to them without a file that declares them. A
// document of the user's of the same kind and name goes before one of these.
package catalog

import (
	"embed"
	"io/fs"
	"path"

	"sluice.dev/sluice/pipelines"
)

//go:embed documents/*.yaml
var documents embed.FS

// Sources returns the documents, one a file, sorted by name.
func Sources() []pipelines.Source {
	files, err := fs.ReadDir(documents, "documents")
	if err != nil {
		panic(err) // they are part of the program
	}
	var all []pipelines.Source
	for _, f := range files {
		data, err := fs.ReadFile(documents, path.Join("documents", f.Name()))
		if err != nil {
			panic(err)
		}
		all = append(all, pipelines.Source{Name: "catalog/" + f.Name(), Data: data})
	}
	return all
}
