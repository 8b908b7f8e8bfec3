package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// wide is how many methods an interface may have without a word about it.
const wide = 5

// reason is how the reason of a wide one begins, in its comment.
var reason = regexp.MustCompile(`It is (as )?wide (as|because|since) `)

// declared is an interface of the module where it is declared.
type declared struct {
	name    string
	doc     string
	methods []string
	embeds  []string // names of the same form as the keys of a catalogue
}

// catalogue has the interfaces of the module by folder and name.
type catalogue map[string]declared

func TestAWideInterfaceSaysWhy(t *testing.T) {
	all := catalogue{}
	for _, p := range packages(t) {
		if err := all.read(strings.TrimPrefix(p.ImportPath, module)); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d interfaces were found", len(all))
	}
	for at, i := range all {
		n := len(all.methods(at, map[string]bool{}))
		switch said := reason.MatchString(strings.ReplaceAll(i.doc, "\n", " ")); {
		case n > wide && !said:
			t.Errorf("%s has %d methods, and its comment does not say %q", at, n, reason)
		case n <= wide && said:
			t.Errorf("%s has %d methods, and says why it has more than %d", at, n, wide)
		}
	}
}

// read adds the interfaces of a package, tests apart.
func (c catalogue) read(path string) error {
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(path), "*.go"))
	if err != nil {
		return err
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			if group, ok := d.(*ast.GenDecl); ok {
				c.group(path, file, group)
			}
		}
	}
	return nil
}

func (c catalogue) group(path string, file *ast.File, group *ast.GenDecl) {
	for _, s := range group.Specs {
		named, ok := s.(*ast.TypeSpec)
		if !ok {
			continue
		}
		shape, ok := named.Type.(*ast.InterfaceType)
		if !ok {
			continue
		}
		i := declared{name: named.Name.Name, doc: named.Doc.Text() + group.Doc.Text()}
		for _, m := range shape.Methods.List {
			for _, name := range m.Names {
				i.methods = append(i.methods, name.Name)
			}
			if len(m.Names) == 0 {
				i.embeds = append(i.embeds, embedded(path, file, m.Type))
			}
		}
		c[path+"."+i.name] = i
	}
}

// embedded is the catalogue's name of an interface that another one has within it; one of another module has none.
func embedded(path string, file *ast.File, of ast.Expr) string {
	switch of := of.(type) {
	case *ast.Ident:
		return path + "." + of.Name
	case *ast.SelectorExpr:
		for _, i := range file.Imports {
			from := strings.Trim(i.Path.Value, `"`)
			if name, ok := of.X.(*ast.Ident); ok && strings.HasPrefix(from, module) && filepath.Base(from) == name.Name {
				return strings.TrimPrefix(from, module) + "." + of.Sel.Name
			}
		}
	}
	return ""
}

// methods are all methods of an interface, those of what it embeds too.
func (c catalogue) methods(at string, seen map[string]bool) []string {
	if seen[at] {
		return nil
	}
	seen[at] = true
	all := c[at].methods
	for _, e := range c[at].embeds {
		all = append(all, c.methods(e, seen)...)
	}
	return all
}
