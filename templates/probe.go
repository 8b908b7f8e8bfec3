package templates

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// A chart may hold a function whose result changes by itself behind a condition that is false here. Helm's engine takes no
// functions, so whether one is reached is found out by a probe: the chart is rendered once with a tripwire before every
// call of one. What the probe renders is thrown away; the real render is that of the chart as it is.

// tripwire is the name of a named template that fails. Its number is that of the site that it stands at.
const tripwire = "sluice.refused."

var tripped = regexp.MustCompile(`sluice\.refused\.(\d+);`)

// site is a call of an unstable function at a place in a template.
type site struct {
	function     string
	file         string
	line, column int // column 0 where it is not known
}

// probe puts tripwires into texts.
type probe struct {
	sites []site
}

// probeChart returns an error where rendering a chart reaches an unstable function. What else is wrong with the chart is left
// to the real render.
func probeChart(in Input, files []file, capabilities *chartutil.Capabilities, v verdict) error {
	c, rendering, err := prepareChart(in, files, capabilities)
	if err != nil {
		return err
	}
	p := &probe{}
	p.chart(c, v.tpl)
	if values, ok := rendering["Values"].(chartutil.Values); ok && v.tpl {
		p.values("values", map[string]any(values))
	}
	var wires strings.Builder
	for i := range p.sites {
		fmt.Fprintf(&wires, "{{define %q}}{{fail %q}}{{end}}\n", tripwire+strconv.Itoa(i), tripwire+strconv.Itoa(i)+";")
	}
	c.Templates = append(c.Templates, &chart.File{Name: "templates/_" + tripwire + "tpl", Data: []byte(wires.String())})
	_, err = engine.Engine{}.Render(c, rendering)
	if err == nil {
		return nil
	}
	found := tripped.FindStringSubmatch(err.Error())
	if found == nil {
		return nil
	}
	i, err := strconv.Atoi(found[1])
	if err != nil || i >= len(p.sites) {
		return nil
	}
	s := p.sites[i]
	return &RenderError{File: s.file, Line: s.line, Column: s.column, Message: (&refusedCall{s.function}).Error()}
}

// chart wires a chart and those below it. Its other files are texts that tpl may be given.
func (p *probe) chart(c *chart.Chart, tpl bool) {
	for _, f := range c.Templates {
		f.Data = []byte(p.wired(insideChart(path.Join(c.ChartFullPath(), f.Name)), string(f.Data)))
	}
	for _, f := range c.Files {
		if tpl && path.Ext(f.Name) != ".md" {
			f.Data = []byte(p.wired(f.Name, string(f.Data)))
		}
	}
	for _, dependency := range c.Dependencies() {
		p.chart(dependency, tpl)
	}
}

// values wires every string of a map, in place.
func (p *probe) values(name string, values map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		values[key] = p.value(name+"."+key, values[key])
	}
}

func (p *probe) value(name string, value any) any {
	switch v := value.(type) {
	case string:
		return p.wired(name, v)
	case map[string]any:
		p.values(name, v)
	case chartutil.Values:
		p.values(name, v)
	case []any:
		for i := range v {
			v[i] = p.value(fmt.Sprintf("%s[%d]", name, i), v[i])
		}
	}
	return value
}

// wired returns a text with tripwires; one that is no template, or calls nothing unstable, as it is.
func (p *probe) wired(name, text string) string {
	if !strings.Contains(text, "{{") {
		return text
	}
	trees := map[string]*parse.Tree{}
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(text, "", "", trees); err != nil {
		return text
	}
	w := &wiring{probe: p, file: name, text: text}
	for _, defined := range slices.Sorted(maps.Keys(trees)) {
		w.node(trees[defined].Root)
	}
	return w.done()
}

// wiring is the edits of one text.
type wiring struct {
	probe *probe
	file  string
	text  string
	edits []edit
}

// edit puts a text in the place of length bytes at offset.
type edit struct {
	offset, length int
	text           string
}

func (w *wiring) done() string {
	slices.SortFunc(w.edits, func(a, b edit) int { return b.offset - a.offset })
	text := w.text
	for _, e := range w.edits {
		text = text[:e.offset] + e.text + text[e.offset+e.length:]
	}
	return text
}

func (w *wiring) node(n parse.Node) {
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
		w.node(n.Pipe)
	case *parse.PipeNode:
		if n == nil {
			return
		}
		for i, command := range n.Cmds {
			w.command(command, i == 0)
		}
	case *parse.ChainNode:
		w.node(n.Node)
	case *parse.IdentifierNode: // a call that is itself an argument, or has a field taken of its result
		if wire, refused := w.wire(n); refused {
			w.edits = append(w.edits, edit{int(n.Pos), len(n.Ident), fmt.Sprintf("(include %q .)", wire)})
		}
	}
}

func (w *wiring) branch(n *parse.BranchNode) {
	w.node(n.Pipe)
	w.node(n.List)
	w.node(n.ElseList)
}

// command puts a wire into the pipeline before a call. One that takes what the pipeline has so far is followed by it.
func (w *wiring) command(n *parse.CommandNode, first bool) {
	args := n.Args
	if called, ok := args[0].(*parse.IdentifierNode); ok {
		args = args[1:]
		if wire, refused := w.wire(called); refused {
			text := fmt.Sprintf("include %q | ", wire)
			if first {
				text = fmt.Sprintf("include %q . | ", wire)
			}
			w.edits = append(w.edits, edit{int(called.Pos), 0, text})
		}
		if literal, isText := head(args).(*parse.StringNode); isText && called.Ident == "tpl" {
			args = args[1:]
			w.inline(literal)
		}
	}
	for _, arg := range args {
		w.node(arg)
	}
}

func head(args []parse.Node) parse.Node {
	if len(args) == 0 {
		return nil
	}
	return args[0]
}

// inline wires the text of a tpl call that is written out in the template.
func (w *wiring) inline(literal *parse.StringNode) {
	known := len(w.probe.sites)
	wired := w.probe.wired(w.file, literal.Text)
	line, _ := position(w.text, int(literal.Pos))
	for i := known; i < len(w.probe.sites); i++ {
		w.probe.sites[i].line, w.probe.sites[i].column = line, 0
	}
	if wired != literal.Text {
		w.edits = append(w.edits, edit{int(literal.Pos), len(literal.Quoted), strconv.Quote(wired)})
	}
}

// wire makes a site of a call of an unstable function, and names its tripwire.
func (w *wiring) wire(n *parse.IdentifierNode) (name string, refused bool) {
	if _, refused = unstable[n.Ident]; !refused {
		return "", false
	}
	line, column := position(w.text, int(n.Pos))
	w.probe.sites = append(w.probe.sites, site{function: n.Ident, file: w.file, line: line, column: column})
	return tripwire + strconv.Itoa(len(w.probe.sites)-1), true
}
