package wire

import (
	"net/http"

	"sluice.dev/sluice/pipelines/catalog"
)

// OfKind names a kind of documents.
type OfKind struct {
	Kind string `path:"kind" minLength:"1" maxLength:"63" doc:"Such as Pipeline; all of them in one schema where it is All."`
}

// AllKinds has the schema of all kinds in one, as an editor takes it for a folder.
const AllKinds = "All"

// Of the language.
var (
	ListCatalog = Operation[None, []catalog.Entry]{
		"list-catalog", http.MethodGet, "/catalog",
		"List the Tasks and Pipelines that are ready-made here, with their texts.", "language", false}
	GetSchema = Operation[OfKind, map[string]any]{
		"get-schema", http.MethodGet, "/schemas/{kind}",
		"Get the JSON Schema of a kind of documents, as this server reads it.", "language", false}
)
