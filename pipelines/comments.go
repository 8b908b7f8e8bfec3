package pipelines

import (
	"embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// declarations are the files of this package that declare the kinds: their comments are the descriptions in the JSON
// Schemas, so that there is one text and not two.
//
//go:embed kinds.go pipeline.go rules.go step*.go int_or_text.go selector.go check.go component.go indicators.go data_source.go receiver.go
//go:embed fleet.go param.go amount.go duration.go probe.go
var declarations embed.FS

// comments are the comments on types and fields, by "Type" and "Type.Field".
func comments() map[string]string {
	found := map[string]string{}
	entries, err := declarations.ReadDir(".")
	if err != nil {
		panic(fmt.Sprintf("cannot read embedded source: %v", err)) // the compiler put it there
	}
	for _, entry := range entries {
		source, err := declarations.ReadFile(entry.Name())
		if err != nil {
			panic(fmt.Sprintf("cannot read embedded source: %v", err))
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), source, parser.ParseComments)
		if err != nil {
			panic(fmt.Sprintf("cannot parse embedded source: %v", err)) // it has compiled
		}
		for _, declaration := range file.Decls {
			types, ok := declaration.(*ast.GenDecl)
			if !ok || types.Tok != token.TYPE {
				continue
			}
			for _, spec := range types.Specs {
				typeComments(found, spec.(*ast.TypeSpec), types.Doc)
			}
		}
	}
	return found
}

func typeComments(found map[string]string, t *ast.TypeSpec, doc *ast.CommentGroup) {
	found[t.Name.Name] = sentence(doc.Text())
	fields, ok := t.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range fields.Fields.List {
		text := f.Doc.Text()
		if text == "" {
			text = f.Comment.Text()
		}
		for _, name := range f.Names {
			found[t.Name.Name+"."+name.Name] = sentence(text)
		}
	}
}

// sentence puts a comment on one line.
func sentence(text string) string {
	return strings.Join(strings.Fields(text), " ")
}
