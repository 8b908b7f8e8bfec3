package rule

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
)

// names walks a parsed rule for the facts and params that it reads. It finds what cel-go's checker would find too,
// and says it in words that name the scope and what could have been meant.
type names struct {
	tree   *ast.AST
	scope  Scope
	params []Param
	paths  map[string]bool
	issues Issues
	said   map[Issue]bool // places, without a message, that issues already speak about
}

func readNames(tree *ast.AST, scope Scope, params []Param) *names {
	n := &names{tree: tree, scope: scope, params: params, paths: map[string]bool{}, said: map[Issue]bool{}}
	n.walk(tree.Expr(), nil)
	return n
}

func (n *names) sorted() []string {
	return slices.Sorted(maps.Keys(n.paths))
}

// walk visits an expression; bound are the loop variables that hide facts of the same name.
func (n *names) walk(e ast.Expr, bound []string) {
	switch e.Kind() {
	case ast.IdentKind:
		n.path(e, []string{e.AsIdent()}, []ast.Expr{e}, bound)
	case ast.SelectKind:
		n.selection(e, bound)
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			n.walk(call.Target(), bound)
		}
		for _, arg := range call.Args() {
			n.walk(arg, bound)
		}
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			n.walk(element, bound)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			n.walk(entry.AsMapEntry().Key(), bound)
			n.walk(entry.AsMapEntry().Value(), bound)
		}
	case ast.StructKind:
		n.report(e, "a rule cannot build objects")
	case ast.ComprehensionKind:
		loop := e.AsComprehension()
		n.walk(loop.IterRange(), bound)
		n.walk(loop.AccuInit(), bound)
		inner := append(slices.Clone(bound), loop.IterVar(), loop.AccuVar())
		if loop.HasIterVar2() {
			inner = append(inner, loop.IterVar2())
		}
		n.walk(loop.LoopCondition(), inner)
		n.walk(loop.LoopStep(), inner)
		n.walk(loop.Result(), inner)
	}
}

// selection flattens a.b.c into a path; a selection from anything but a name is left to the checker.
func (n *names) selection(e ast.Expr, bound []string) {
	var path []string
	var exprs []ast.Expr
	for e.Kind() == ast.SelectKind {
		path = append(path, e.AsSelect().FieldName())
		exprs = append(exprs, e)
		e = e.AsSelect().Operand()
	}
	if e.Kind() != ast.IdentKind {
		n.walk(e, bound)
		return
	}
	path = append(path, e.AsIdent())
	exprs = append(exprs, e)
	slices.Reverse(path)
	slices.Reverse(exprs)
	n.path(exprs[0], path, exprs, bound)
}

// path resolves a chain of names from its root; exprs[i] is the expression that ends with path[i].
func (n *names) path(root ast.Expr, path []string, exprs []ast.Expr, bound []string) {
	path[0] = strings.TrimPrefix(path[0], ".")
	if slices.Contains(bound, path[0]) {
		return
	}
	if path[0] == strings.TrimSuffix(paramsPrefix, ".") {
		n.param(root, path, exprs)
		return
	}
	if path[0] == strings.TrimSuffix(tasksPrefix, ".") {
		n.result(root, path, exprs)
		return
	}
	t := factType(path[0])
	if t == nil {
		return
	}
	if !n.scope.has(path[0]) {
		n.report(root, fmt.Sprintf("cannot read %s in a rule of scope %s, which has %s%s",
			path[0], n.scope, enumerate(n.scope.Facts()), elsewhere(path[0])))
		return
	}
	for i, name := range path[1:] {
		if t.Kind() != reflect.Struct {
			break
		}
		f, ok := field(t, name)
		if !ok {
			n.reportField(exprs[i+1], fmt.Sprintf("%s has no field %s%s", strings.Join(path[:i+1], "."), name, Suggest(name, fieldNames(t))))
			return
		}
		if exprs[i+1].AsSelect().IsTestOnly() {
			n.report(root, fmt.Sprintf("%s is always there: compare its value instead of asking has()", strings.Join(path[:i+2], ".")))
			return
		}
		t = f.Type
	}
	n.paths[strings.Join(path, ".")] = true
}

func (n *names) param(root ast.Expr, path []string, exprs []ast.Expr) {
	declared := paramNames(n.params)
	if len(path) == 1 {
		n.report(root, "params is no value by itself: read params.NAME")
		return
	}
	if !slices.Contains(declared, path[1]) {
		n.said[n.place(root)] = true
		n.reportField(exprs[1], fmt.Sprintf("there is no param %s here%s", path[1], Suggest(path[1], declared)))
		return
	}
	if exprs[1].AsSelect().IsTestOnly() {
		n.report(root, fmt.Sprintf("params.%s is always there: compare its value instead of asking has()", path[1]))
		return
	}
	i := slices.IndexFunc(n.params, func(p Param) bool { return p.Task == "" && p.Name == path[1] })
	n.key(n.params[i], path[2:], exprs[2:])
	n.paths[paramsPrefix+path[1]] = true
}

// key checks what is read of an object whose keys are known.
func (n *names) key(of Param, path []string, exprs []ast.Expr) {
	if len(path) > 0 && of.Keys != nil && !slices.Contains(of.Keys, path[0]) {
		n.reportField(exprs[0], fmt.Sprintf("%s has no key %s%s", of.path(), path[0], Suggest(path[0], of.Keys)))
	}
}

// result resolves tasks.TASK.results.NAME.
func (n *names) result(root ast.Expr, path []string, exprs []ast.Expr) {
	var tasks, results []string
	for _, p := range n.params {
		if p.Task == "" {
			continue
		}
		tasks = append(tasks, p.Task)
		if len(path) > 1 && p.Task == path[1] {
			results = append(results, p.Name)
		}
	}
	switch {
	case len(tasks) == 0:
		n.report(root, "there are no results of tasks here")
	case len(path) < 4 || path[2] != "results":
		n.report(root, "a rule reads results of tasks as tasks.TASK.results.NAME; a task's name with dashes stands in backquotes")
	case len(results) == 0:
		n.said[n.place(root)] = true
		n.reportField(exprs[1], fmt.Sprintf("there is no task %s with results here%s", path[1], Suggest(path[1], tasks)))
	case !slices.Contains(results, path[3]):
		n.said[n.place(root)] = true
		n.reportField(exprs[3], fmt.Sprintf("task %s has no result %s%s", path[1], path[3], Suggest(path[3], results)))
	case exprs[3].AsSelect().IsTestOnly():
		n.report(root, strings.Join(path[:4], ".")+" is always there: a task is not asked about while a result is missing")
	default:
		i := slices.IndexFunc(n.params, func(p Param) bool { return p.Task == path[1] && p.Name == path[3] })
		n.key(n.params[i], path[4:], exprs[4:])
		n.paths[strings.Join(path[:4], ".")] = true
	}
}

// report puts an issue where the expression starts.
func (n *names) report(e ast.Expr, message string) {
	at := n.place(e)
	n.said[at] = true
	at.Message = message
	n.issues = append(n.issues, at)
}

// reportField puts an issue on the field of a selection: cel-go places the selection on its dot.
func (n *names) reportField(e ast.Expr, message string) {
	at := n.place(e)
	n.said[at] = true
	at.Column++
	at.Message = message
	n.issues = append(n.issues, at)
}

func (n *names) place(e ast.Expr) Issue {
	return place(n.tree.SourceInfo().GetStartLocation(e.ID()))
}

// elsewhere says in which scopes a fact could be read.
func elsewhere(fact string) string {
	var scopes []string
	for _, s := range []Scope{ScopeBatch, ScopeCluster, ScopeStage} {
		if s.has(fact) {
			scopes = append(scopes, string(s))
		}
	}
	return fmt.Sprintf("; %s is known in scope %s", fact, enumerate(scopes))
}
