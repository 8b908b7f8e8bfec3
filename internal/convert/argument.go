package convert

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// argument is one that a template takes.
type argument struct {
	name, param string
	value       *string // nil: whoever uses the template gives it
	number      bool    // a condition computes with it
	used        bool    // something that is carried over takes it
	at          *yaml.Node
}

// arguments are those of a template, and how its texts paste them.
type arguments struct {
	list []*argument
}

func (c *converter) arguments(f field) *arguments {
	out := &arguments{}
	for n := range c.items(f) {
		a := &argument{at: n}
		for f := range c.fields(n, "args") {
			switch f.name {
			case "name":
				a.name = f.value.Value
			case "value":
				if text, ok := c.text(f); ok {
					a.value = &text
				}
			case "valueFrom":
				c.leave(f.key, "argument %s: valueFrom is read from no cluster: who uses the Task gives the param its value", a.name)
			default:
				c.unknown(f)
			}
		}
		out.add(a)
	}
	return out
}

// add gives an argument the name of a param: dashes and dots are no part of one.
func (a *arguments) add(arg *argument) {
	parts := strings.FieldsFunc(arg.name, func(r rune) bool { return r == '-' || r == '.' })
	for i, p := range parts {
		if i > 0 {
			p = strings.ToUpper(p[:1]) + p[1:]
		}
		arg.param += p
	}
	for _, other := range a.list {
		if other.param == arg.param {
			arg.param += strconv.Itoa(len(a.list))
		}
	}
	a.list = append(a.list, arg)
}

var (
	pastes      = regexp.MustCompile(`\{\{(.*?)\}\}`)
	placeholder = regexp.MustCompile(`^args__([0-9]+)__$`)
)

// replace puts a text in for each argument that is pasted.
func (a *arguments) replace(text string, with func(i int) string) (string, error) {
	var err error
	out := pastes.ReplaceAllStringFunc(text, func(paste string) string {
		name, isArg := strings.CutPrefix(strings.Trim(paste, "{} "), "args.")
		for i, arg := range a.list {
			if isArg && arg.name == name {
				return with(i)
			}
		}
		err = fmt.Errorf("%s is no argument of the template", paste)
		return paste
	})
	return out, err
}

// named puts names into a condition, where it pastes arguments: then it can be parsed.
func (a *arguments) named(text string) (string, error) {
	return a.replace(text, func(i int) string { return fmt.Sprintf("args__%d__", i) })
}

// pasted is the argument behind a name of named.
func (a *arguments) pasted(name string) (*argument, bool) {
	m := placeholder.FindStringSubmatch(name)
	if m == nil {
		return nil, false
	}
	i, err := strconv.Atoi(m[1])
	if err != nil || i >= len(a.list) {
		return nil, false
	}
	return a.list[i], true
}

// use makes an argument a variable of a condition.
func (a *arguments) use(arg *argument, as sort) (said, error) {
	if as == number {
		if arg.value != nil {
			if _, err := strconv.ParseFloat(*arg.value, 64); err != nil {
				return said{}, fmt.Errorf("the argument %s is %q, which is no number", arg.name, *arg.value)
			}
		}
		arg.number = true
	}
	arg.used = true
	return said{"params." + arg.param, as, true}, nil
}

// quoted is a text in a condition, which may be an argument.
func (a *arguments) quoted(text string) (said, error) {
	if arg, ok := a.pasted(text); ok {
		return a.use(arg, words)
	}
	if strings.Contains(text, "args__") {
		return said{}, fmt.Errorf("an argument is pasted into the middle of the text %q", text)
	}
	return said{strconv.Quote(text), words, true}, nil
}

// expanded is a text in which params are put in when it is used.
func (a *arguments) expanded(text string) (string, error) {
	if strings.Contains(text, "$(") {
		return "", fmt.Errorf("$( would be taken for a param")
	}
	return a.replace(text, func(i int) string {
		a.list[i].used = true
		return "$(params." + a.list[i].param + ")"
	})
}

// fixed is a text in which the arguments' values stand; named are those that it then no longer follows.
func (a *arguments) fixed(text string) (out string, named []string, err error) {
	out, err = a.replace(text, func(i int) string {
		if a.list[i].value == nil {
			return ""
		}
		named = append(named, a.list[i].name)
		return *a.list[i].value
	})
	if err == nil && len(named) < len(pastes.FindAllString(text, -1)) {
		err = fmt.Errorf("%s has no value in the template", text)
	}
	return out, named, err
}

// params are the arguments as a Task takes them: those that are used.
func (c *converter) params(args *arguments) (out []Param) {
	for _, arg := range args.list {
		if !arg.used {
			c.leave(arg.at, "argument %s: nothing that is carried over takes it as a param", arg.name)
			continue
		}
		p := Param{Name: arg.param, Type: "string"}
		if arg.param != arg.name {
			p.Description = "the argument " + arg.name
		}
		if arg.value != nil {
			p.Default = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: *arg.value}
		}
		if arg.number {
			p.Type = "double"
			if v, err := strconv.ParseFloat(*cmp.Or(arg.value, new(string)), 64); err == nil {
				p.Default = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: double(v)}
			}
		}
		out = append(out, p)
	}
	return out
}
