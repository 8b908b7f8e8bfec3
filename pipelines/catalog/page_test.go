package catalog_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
)

// pageFile is where the page stands.
const pageFile = "../../docs/catalog.md"

var update = flag.Bool("update", false, "write docs/catalog.md anew")

// TestCatalogPage keeps docs/catalog.md what the catalog's own documents say.
func TestCatalogPage(t *testing.T) {
	want := catalogPage(t)
	if *update {
		if err := os.WriteFile(pageFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(written)); diff != "" {
		t.Errorf("docs/catalog.md is not what the catalog says (go test ./pipelines/catalog -run CatalogPage -update writes it): -want +got:\n%s", diff)
	}
}

// catalogPage is the page, made of the documents.
func catalogPage(t *testing.T) string {
	t.Helper()
	sources := catalog.Sources()
	docs, err := pipelines.Loader{Library: sources}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, s := range sources {
		texts[s.Name] = string(s.Data)
	}
	var page strings.Builder
	page.WriteString(`# The catalog

Tasks and Pipelines that come with Sluice. A pipeline names a Task in a ` + "`taskRef`" + ` and needs no file of it; a document of your own of
the same kind and name goes before it. ` + "`sluice get catalog NAME`" + ` prints the same. A test keeps this page what the documents say.

## Tasks
`)
	for _, name := range slices.Sorted(maps.Keys(docs.Tasks)) {
		task := docs.Tasks[name]
		head(&page, name, task.Spec.Description)
		page.WriteString("\n| step | kind | it |\n|---|---|---|\n")
		for i := range task.Spec.Steps {
			s := &task.Spec.Steps[i]
			fmt.Fprintf(&page, "| `%s` | `%s` | %s |\n", s.Name, s.Kind(), strings.Join(s.Does(), ", "))
		}
		params(&page, task.Spec.Params)
		fmt.Fprintf(&page, "\n```yaml\n%s```\n", texts[task.Position.File])
	}
	page.WriteString("\n## Pipelines\n")
	for _, name := range slices.Sorted(maps.Keys(docs.Pipelines)) {
		p := docs.Pipelines[name]
		head(&page, name, p.Spec.Description)
		params(&page, p.Spec.Params)
		fmt.Fprintf(&page, "\n```yaml\n%s```\n", texts[p.Position.File])
	}
	return page.String()
}

func head(page *strings.Builder, name, description string) {
	fmt.Fprintf(page, "\n### %s\n\n%s\n", name, strings.Join(strings.Fields(description), " "))
}

func params(page *strings.Builder, list []pipelines.Param) {
	if len(list) == 0 {
		return
	}
	page.WriteString("\n| param | type | default | |\n|---|---|---|---|\n")
	for _, p := range list {
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", p.Name, p.Type, byDefault(p.Default), strings.Join(strings.Fields(p.Description), " "))
	}
}

func byDefault(value any) string {
	switch v := value.(type) {
	case nil:
		return "required"
	case time.Duration:
		return "`" + pipelines.Duration(v).String() + "`"
	case string:
		return fmt.Sprintf("`%q`", v)
	default:
		return fmt.Sprintf("`%v`", v)
	}
}
