package convert

import (
	"fmt"

	"github.com/expr-lang/expr/ast"
)

func (t *translation) binary(n *ast.BinaryNode) (said, error) {
	left, right, err := t.both(n.Left, n.Right)
	if err != nil {
		return said{}, err
	}
	join := func(operator string, sort sort) (said, error) {
		return said{left.wrapped() + " " + operator + " " + right.wrapped(), sort, false}, nil
	}
	alike := left.sort == right.sort
	numeric := alike && (left.sort == number || left.sort == whole)
	switch n.Operator {
	case "&&", "and":
		if alike && left.sort == boolean {
			return join("&&", boolean)
		}
	case "||", "or":
		if alike && left.sort == boolean {
			return join("||", boolean)
		}
	case "==", "!=":
		if alike && left.sort != list {
			return join(n.Operator, boolean)
		}
	case "<", "<=", ">", ">=":
		if numeric || alike && left.sort == words {
			return join(n.Operator, boolean)
		}
	case "+", "-", "*":
		if numeric {
			return join(n.Operator, left.sort)
		}
	case "/": // of two whole numbers too, expr-lang makes a number
		if numeric {
			left, right = left.number(), right.number()
			return join("/", number)
		}
	default:
		return said{}, fmt.Errorf("the operator %s has no counterpart in CEL", n.Operator)
	}
	return said{}, fmt.Errorf("%s: %s does not take %s and %s", n, n.Operator, left.sort, right.sort)
}

// overItems are expr-lang's functions over a list and a predicate, by what CEL calls them.
func overItems(name string) (macro string, yields sort) {
	switch name {
	case "all":
		return "all", boolean
	case "any", "none":
		return "exists", boolean
	case "one":
		return "exists_one", boolean
	case "filter", "count":
		return "filter", list
	case "map":
		return "map", list
	}
	return "", ""
}

func (t *translation) call(name string, args []ast.Node) (said, error) {
	if macro, yields := overItems(name); macro != "" && len(args) == 2 {
		return t.over(name, macro, yields, args)
	}
	if name == "default" || name == "isNil" {
		return said{}, fmt.Errorf("%s has no counterpart: the step's noData says what an empty answer means", name)
	}
	if len(args) != 1 {
		return said{}, fmt.Errorf("%s has no counterpart in CEL", name)
	}
	switch name {
	case "len":
		of, err := t.numbers(args[0])
		return said{"size(" + of.text + ")", whole, true}, err
	case "isNaN", "isInf", "asFloat", "float":
		of, err := t.say(args[0])
		if err != nil {
			return said{}, err
		}
		if of = of.number(); of.sort != number {
			return said{}, fmt.Errorf("%s takes a number", name)
		}
		if name == "isNaN" || name == "isInf" {
			return said{name + "(" + of.text + ")", boolean, true}, nil
		}
		return of, nil // it is one already
	}
	return said{}, fmt.Errorf("the function %s has no counterpart in CEL", name)
}

// over says a function over the items of a list.
func (t *translation) over(name, macro string, yields sort, args []ast.Node) (said, error) {
	of, err := t.numbers(args[0])
	if err != nil {
		return said{}, err
	}
	predicate, ok := args[1].(*ast.PredicateNode)
	if !ok {
		return said{}, fmt.Errorf("%s takes a predicate", name)
	}
	item := string(rune('x' + len(t.item)))
	if len(t.item) == 3 {
		return said{}, fmt.Errorf("%s: predicates within predicates within predicates are not carried over", name)
	}
	t.item = append(t.item, item)
	body, err := t.say(predicate.Node)
	t.item = t.item[:len(t.item)-1]
	if err != nil {
		return said{}, err
	}
	if want := map[bool]sort{true: number, false: boolean}[name == "map"]; body.number().sort != want {
		return said{}, fmt.Errorf("%s: %s is not %s", name, predicate.Node, want)
	}
	if name == "map" {
		body = body.number()
	}
	out := said{of.text + "." + macro + "(" + item + ", " + body.text + ")", yields, true}
	switch name {
	case "none":
		out.text = "!" + out.text
	case "count":
		out = said{"size(" + out.text + ")", whole, true}
	}
	return out, nil
}
