package convert

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// maxCondition bounds a condition, in bytes.
const maxCondition = 4 << 10

// sort is the type of an expression, as far as it is known.
type sort string

const (
	number  sort = "a number"       // CEL's double
	whole   sort = "a whole number" // CEL's int: a literal, a length
	boolean sort = "a truth value"
	words   sort = "a text"
	list    sort = "a list" // of numbers
)

// said is an expression in CEL.
type said struct {
	text string
	sort sort
	atom bool // needs no parentheses
}

// condition translates a condition of Argo's, in expr-lang, into CEL over the variables of a metrics step. Its error names
// what has no counterpart there.
func (a *arguments) condition(text string) (string, error) {
	if len(text) > maxCondition {
		return "", fmt.Errorf("it has more than %d bytes", maxCondition)
	}
	pasted, err := a.named(text)
	if err != nil {
		return "", err
	}
	tree, err := parser.Parse(pasted)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return "", fmt.Errorf("cannot read %q: %s", text, line)
	}
	t := &translation{args: a}
	got, err := t.say(tree.Node)
	if err != nil {
		return "", err
	}
	if got.sort != boolean {
		return "", fmt.Errorf("%q yields no truth value", text)
	}
	return got.text, nil
}

// translation walks one expression.
type translation struct {
	args *arguments
	item []string // the names of the items of the lists that are gone through, the innermost last
}

func (t *translation) say(n ast.Node) (said, error) {
	switch n := n.(type) {
	case *ast.BoolNode:
		return said{strconv.FormatBool(n.Value), boolean, true}, nil
	case *ast.IntegerNode:
		return said{strconv.Itoa(n.Value), whole, true}, nil
	case *ast.FloatNode:
		return said{double(n.Value), number, true}, nil
	case *ast.StringNode:
		return t.args.quoted(n.Value)
	case *ast.IdentifierNode:
		return t.identifier(n.Value)
	case *ast.PointerNode:
		if n.Name != "" || len(t.item) == 0 {
			return said{}, fmt.Errorf("#%s has no counterpart in CEL", n.Name)
		}
		return said{t.item[len(t.item)-1], number, true}, nil
	case *ast.MemberNode:
		return t.member(n)
	case *ast.UnaryNode:
		return t.unary(n)
	case *ast.BinaryNode:
		return t.binary(n)
	case *ast.ConditionalNode:
		return t.conditional(n)
	case *ast.CallNode:
		name, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			return said{}, fmt.Errorf("%s has no counterpart in CEL", n.Callee)
		}
		return t.call(name.Value, n.Arguments)
	case *ast.BuiltinNode:
		return t.call(n.Name, n.Arguments)
	case *ast.NilNode:
		return said{}, fmt.Errorf("nil has no counterpart in CEL: the step's noData says what an empty answer means")
	}
	return said{}, fmt.Errorf("%s has no counterpart in CEL", n)
}

// identifier is a param, or the result: as long as nobody takes one of it, it is the only value.
func (t *translation) identifier(name string) (said, error) {
	if name == "result" {
		return said{"value", number, true}, nil
	}
	if arg, ok := t.args.pasted(name); ok {
		return t.args.use(arg, number)
	}
	return said{}, fmt.Errorf("%s is not known", name)
}

// numbers is an expression that has to be a list: the result, or what was made of it.
func (t *translation) numbers(n ast.Node) (said, error) {
	if id, ok := n.(*ast.IdentifierNode); ok && id.Value == "result" {
		return said{"result", list, true}, nil
	}
	got, err := t.say(n)
	if err == nil && got.sort != list {
		err = fmt.Errorf("%s is no list", n)
	}
	return got, err
}

func (t *translation) member(n *ast.MemberNode) (said, error) {
	if _, ok := n.Property.(*ast.StringNode); ok || n.Optional || n.Method {
		return said{}, fmt.Errorf("%s has no counterpart: Prometheus' result is a list of numbers", n)
	}
	of, err := t.numbers(n.Node)
	if err != nil {
		return said{}, err
	}
	at, err := t.say(n.Property)
	if err != nil {
		return said{}, err
	}
	if at.sort != whole || strings.HasPrefix(at.text, "-") {
		return said{}, fmt.Errorf("%s has no counterpart: an item is taken by its number from 0", n)
	}
	return said{of.text + "[" + at.text + "]", number, true}, nil
}

func (t *translation) unary(n *ast.UnaryNode) (said, error) {
	got, err := t.say(n.Node)
	if err != nil {
		return said{}, err
	}
	switch {
	case (n.Operator == "!" || n.Operator == "not") && got.sort == boolean:
		return said{"!" + got.wrapped(), boolean, true}, nil
	case n.Operator == "-" && (got.sort == number || got.sort == whole):
		return said{"-" + got.wrapped(), got.sort, false}, nil
	case n.Operator == "+" && (got.sort == number || got.sort == whole):
		return got, nil
	}
	return said{}, fmt.Errorf("%s has no counterpart in CEL", n)
}

func (t *translation) conditional(n *ast.ConditionalNode) (said, error) {
	cond, err := t.say(n.Cond)
	if err != nil {
		return said{}, err
	}
	yes, no, err := t.both(n.Exp1, n.Exp2)
	if err != nil {
		return said{}, err
	}
	if cond.sort != boolean || yes.sort != no.sort {
		return said{}, fmt.Errorf("%s has no counterpart in CEL: its two ends are not of one type", n)
	}
	return said{cond.wrapped() + " ? " + yes.wrapped() + " : " + no.wrapped(), yes.sort, false}, nil
}

// both says two expressions; where one is a number and the other a whole one, both are numbers.
func (t *translation) both(a, b ast.Node) (left, right said, err error) {
	if left, err = t.say(a); err != nil {
		return left, right, err
	}
	if right, err = t.say(b); err != nil {
		return left, right, err
	}
	if left.sort == number && right.sort == whole {
		right = right.number()
	}
	if left.sort == whole && right.sort == number {
		left = left.number()
	}
	return left, right, nil
}

// number is a whole number as CEL's double: the two do not mix there.
func (s said) number() said {
	if s.sort != whole {
		return s
	}
	if n, err := strconv.Atoi(s.text); err == nil {
		return said{double(float64(n)), number, true}
	}
	return said{"double(" + s.text + ")", number, true}
}

func (s said) wrapped() string {
	if s.atom {
		return s.text
	}
	return "(" + s.text + ")"
}

// double writes a number so that CEL takes it for a double.
func double(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
