package templates

import (
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
)

// maxRounds is how often the loops and named templates of one render may run, all together: about a second's worth.
const maxRounds = 1_000_000

// countRounds is the function that every loop and template of a manifests folder calls first.
const countRounds = "sluiceCountRounds"

// bindBounds makes functions stop a template that would never end, or that asks for more memory than a render may have.
// A mistyped count is what they are for. Helm's engine takes no functions: of a chart only what it has rendered is measured.
func bindBounds(functions template.FuncMap) {
	rounds := 0
	functions[countRounds] = func() (string, error) {
		if rounds++; rounds > maxRounds {
			return "", fmt.Errorf("loops and includes run more than %d times", maxRounds)
		}
		return "", nil
	}
	until := functions["until"].(func(int) []int)
	functions["until"] = func(count int) ([]int, error) {
		if err := tooMany(count); err != nil {
			return nil, err
		}
		return until(count), nil
	}
	untilStep := functions["untilStep"].(func(int, int, int) []int)
	functions["untilStep"] = func(start, stop, step int) ([]int, error) {
		if err := tooMany(start, stop); err != nil {
			return nil, err
		}
		return untilStep(start, stop, step), nil
	}
	seq := functions["seq"].(func(...int) string)
	functions["seq"] = func(params ...int) (string, error) {
		if err := tooMany(params...); err != nil {
			return "", err
		}
		return seq(params...), nil
	}
	repeat := functions["repeat"].(func(int, string) string)
	functions["repeat"] = func(count int, text string) (string, error) {
		if err := tooLong(count, len(text)); err != nil {
			return "", err
		}
		return repeat(max(count, 0), text), nil
	}
	for _, name := range []string{"indent", "nindent"} {
		indent := functions[name].(func(int, string) string)
		functions[name] = func(spaces int, text string) (string, error) {
			if err := tooLong(spaces, 1+strings.Count(text, "\n")); err != nil {
				return "", err
			}
			return indent(max(spaces, 0), text), nil
		}
	}
}

func tooMany(counts ...int) error {
	for _, count := range counts {
		if max(count, -count) > maxRounds {
			return fmt.Errorf("%d is more than %d", count, maxRounds)
		}
	}
	return nil
}

func tooLong(times, length int) error {
	if length > 0 && times > MaxRenderedBytes/length {
		return fmt.Errorf("%d times %d bytes are more than %d", times, length, MaxRenderedBytes)
	}
	return nil
}

// addCounts makes each template of a set that was parsed from a text, and each loop in it, count its rounds.
func addCounts(set *template.Template, name, text string) {
	for _, t := range set.Templates() {
		if t.Tree != nil && t.Tree.ParseName == name {
			counts{name, text}.into(t.Root)
		}
	}
}

type counts struct{ name, text string }

func (c counts) into(list *parse.ListNode) {
	c.below(list)
	list.Nodes = append([]parse.Node{c.call(list.Pos)}, list.Nodes...)
}

func (c counts) below(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.IfNode:
			c.below(n.List)
			c.below(n.ElseList)
		case *parse.WithNode:
			c.below(n.List)
			c.below(n.ElseList)
		case *parse.RangeNode:
			c.into(n.List)
			c.below(n.ElseList)
		}
	}
}

// call returns a call of the counter that errors place at the line of what it counts.
func (c counts) call(at parse.Pos) parse.Node {
	line, _ := position(c.text, int(at))
	tree := parse.New(c.name)
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(strings.Repeat("\n", line-1)+"{{"+countRounds+"}}", "", "", map[string]*parse.Tree{}); err != nil {
		panic(err) // the text is ours
	}
	return tree.Root.Nodes[len(tree.Root.Nodes)-1]
}
