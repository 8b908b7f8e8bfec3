package templates

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"text/template/parse"
)

// unstable are the functions of Helm and sprig whose result does not follow from their arguments: it changes from render
// to render, or from one machine to another. A plan that is shown, approved and run later has to render the same.
var unstable = map[string]string{
	"now": "it reads the clock", "ago": "it reads the clock",
	"date": "it reads the clock or the local time zone", "htmlDate": "it reads the clock or the local time zone",
	"dateInZone": "it reads the clock where it gets no time", "date_in_zone": "it reads the clock where it gets no time",
	"htmlDateInZone": "it reads the clock where it gets no time",
	"toDate":         "it reads the local time zone", "mustToDate": "it reads the local time zone",
	"randAlphaNum": "it is random", "randAlpha": "it is random", "randAscii": "it is random", "randNumeric": "it is random",
	"randBytes": "it is random", "randInt": "it is random", "shuffle": "it is random", "uuidv4": "it is random",
	"bcrypt": "its salt is random", "htpasswd": "its salt is random", "encryptAES": "its first block is random",
	"genPrivateKey": "it makes a new key", "genCA": "it makes a new key", "genCAWithKey": "it makes a new certificate",
	"genSelfSignedCert": "it makes a new key", "genSelfSignedCertWithKey": "it makes a new certificate",
	"genSignedCert": "it makes a new key", "genSignedCertWithKey": "it makes a new certificate",
	"env": "it reads this machine's environment", "expandenv": "it reads this machine's environment",
	"getHostByName": "it asks the network",
}

// unordered are the functions that return the keys or values of a map in any order. They are harmless where the result is
// sorted or counted, so what they render is looked at instead.
var unordered = []string{"keys", "values"}

// body is what one named template does, as far as it can be told without running it.
type body struct {
	uses    []string // functions that it calls
	calls   []string // templates that it includes by a literal name
	dynamic bool     // it includes a template whose name is computed
	tpl     bool     // it runs text that it was given as a template
}

// program is a set of templates that see each other.
type program struct {
	bodies map[string][]*body // by template name; several files may define one name
}

// verdict is what the reachable part of a program does.
type verdict struct {
	tpl       bool
	unordered bool
	unstable  bool // what it comes to depends on the branches that are taken
}

// add parses a file into the program under its name. What it defines is added too.
func (p *program) add(name, text string) error {
	trees := map[string]*parse.Tree{}
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(text, "", "", trees); err != nil {
		return located(name, err)
	}
	for _, defined := range slices.Sorted(maps.Keys(trees)) {
		b := &body{}
		w := walker{program: p, file: name, text: text, body: b}
		w.node(trees[defined].Root)
		p.bodies[defined] = append(p.bodies[defined], b)
		if w.err != nil {
			return w.err
		}
	}
	return nil
}

// check says what roots can reach. Templates that nothing includes are never run: libraries of them are full of what one
// chart does not use.
func (p *program) check(roots []string) verdict {
	var v verdict
	seen := map[string]bool{}
	queue := slices.Sorted(slices.Values(roots))
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, b := range p.bodies[name] {
			for _, function := range b.uses {
				_, isUnstable := unstable[function]
				v.unstable = v.unstable || isUnstable
				v.unordered = v.unordered || slices.Contains(unordered, function)
			}
			v.tpl = v.tpl || b.tpl
			queue = append(queue, b.calls...)
			if b.dynamic {
				queue = append(queue, slices.Sorted(maps.Keys(p.bodies))...)
			}
		}
	}
	return v
}

// refusedCall is a call of an unstable function.
type refusedCall struct{ function string }

// Error says what is refused, and why.
func (e *refusedCall) Error() string {
	return fmt.Sprintf("function %q is refused, %s: the result would change from render to render; put the value into the config",
		e.function, unstable[e.function])
}

// checkTexts refuses texts for tpl that may run themselves: Helm's tpl has no bound but the stack.
func (p *program) checkTexts(names []string) error {
	for _, name := range names {
		for _, b := range p.bodies[name] {
			if b.tpl {
				return &RenderError{
					File: name,
					Message: "runs tpl on something that is not written out, and is itself run by tpl: " +
						"it could run itself for ever",
				}
			}
		}
	}
	return nil
}

type walker struct {
	program *program
	file    string
	text    string
	body    *body
	err     error
}

func (w *walker) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			w.node(child)
		}
	case *parse.ActionNode:
		w.node(n.Pipe)
	case *parse.IfNode:
		w.branch(&n.BranchNode)
	case *parse.RangeNode:
		w.branch(&n.BranchNode)
	case *parse.WithNode:
		w.branch(&n.BranchNode)
	case *parse.TemplateNode:
		w.body.calls = append(w.body.calls, n.Name)
		w.node(n.Pipe)
	case *parse.PipeNode:
		if n == nil {
			return
		}
		for _, command := range n.Cmds {
			w.command(command)
		}
	case *parse.ChainNode:
		w.node(n.Node)
	case *parse.IdentifierNode:
		w.body.uses = append(w.body.uses, n.Ident)
	}
}

func (w *walker) branch(n *parse.BranchNode) {
	w.node(n.Pipe)
	w.node(n.List)
	w.node(n.ElseList)
}

func (w *walker) command(n *parse.CommandNode) {
	for _, arg := range n.Args {
		w.node(arg)
	}
	function, ok := n.Args[0].(*parse.IdentifierNode)
	if !ok || (function.Ident != "include" && function.Ident != "tpl") {
		return
	}
	var first parse.Node
	if len(n.Args) > 1 {
		first = n.Args[1]
	}
	literal, isLiteral := first.(*parse.StringNode)
	switch {
	case function.Ident == "include" && isLiteral:
		w.body.calls = append(w.body.calls, literal.Text)
	case function.Ident == "include":
		// The usual checksum: (include (print $.Template.BasePath "/configmap.yaml") .) names a file, and files are roots.
		w.body.dynamic = w.body.dynamic || first == nil || !strings.Contains(first.String(), ".Template.BasePath")
	case isLiteral:
		w.inline(literal)
	default:
		w.body.tpl = true
	}
}

// inline looks into the text of a tpl call that is written out in the template.
func (w *walker) inline(literal *parse.StringNode) {
	line, _ := position(w.text, int(literal.Pos))
	nested := &program{bodies: map[string][]*body{}}
	if err := nested.add(w.file, literal.Text); err != nil {
		w.err = &RenderError{File: w.file, Line: line, Message: "cannot parse the text of tpl", Cause: err}
		return
	}
	for _, bodies := range nested.bodies {
		for _, b := range bodies {
			w.body.uses = append(w.body.uses, b.uses...)
			w.body.calls = append(w.body.calls, b.calls...)
			w.body.dynamic = w.body.dynamic || b.dynamic
			w.body.tpl = w.body.tpl || b.tpl
		}
	}
}

// addText adds a text that tpl may be given. Text that is no template is none of ours.
func (p *program) addText(name, text string) (added bool) {
	if !strings.Contains(text, "{{") {
		return false
	}
	return p.add(name, text) == nil
}

// addValues adds every string of a value and returns the names that they were added under.
func (p *program) addValues(name string, value any) []string {
	switch v := value.(type) {
	case string:
		if p.addText(name, v) {
			return []string{name}
		}
	case map[string]any:
		var names []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			names = append(names, p.addValues(name+"."+key, v[key])...)
		}
		return names
	case []any:
		var names []string
		for i, item := range v {
			names = append(names, p.addValues(fmt.Sprintf("%s[%d]", name, i), item)...)
		}
		return names
	}
	return nil
}

func isPartial(name string) bool { return strings.HasPrefix(path.Base(name), "_") }

func position(text string, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	return 1 + strings.Count(before, "\n"), len(before) - strings.LastIndexByte(before, '\n')
}
