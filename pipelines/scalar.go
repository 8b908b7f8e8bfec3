package pipelines

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"sluice.dev/sluice/pipelines/rule"
)

// scalar decodes a text, number or bool into a field of that type.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, s subject) bool {
	switch v.Kind() {
	case reflect.String:
		return d.text(n, v, s)
	case reflect.Bool:
		if !isScalar(n, "!!bool") {
			return d.fail(n, "%s must be true or false, not %s", s, nature(n))
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
		return true
	case reflect.Int:
		if !isScalar(n, "!!int") {
			return d.fail(n, "%s must be a whole number, not %s", s, nature(n))
		}
		number, ok := whole(n.Value)
		if !ok {
			return d.fail(n, "%s: %s is too large", s, shortened(n.Value))
		}
		v.SetInt(number)
		return d.inRange(n, float64(number), s)
	case reflect.Float64:
		number, ok := finite(n)
		if !ok {
			return d.fail(n, "%s must be a number, not %s", s, nature(n))
		}
		v.SetFloat(number)
		return d.inRange(n, number, s)
	}
	return d.fail(n, "%s cannot be given here", s)
}

func (d *decoder) inRange(n *yaml.Node, number float64, s subject) bool {
	f := s.field
	if f == nil || !f.bounded || number >= f.lowest && number <= f.highest {
		return true
	}
	return d.fail(n, "%s must be from %s to %s", s, decimal(f.lowest), decimal(f.highest))
}

func decimal(number float64) string {
	return strconv.FormatFloat(number, 'f', -1, 64)
}

func (d *decoder) text(n *yaml.Node, v reflect.Value, s subject) bool {
	if !isScalar(n, "!!str") && !isScalar(n, "!!timestamp") {
		if n.Kind == yaml.ScalarNode && n.Style&yaml.TaggedStyle == 0 {
			return d.fail(n, "%s must be text, not %s: put it in quotes", s, nature(n))
		}
		return d.fail(n, "%s must be text, not %s", s, nature(n))
	}
	if utf8.RuneCountInString(n.Value) > maxText {
		return d.fail(n, "%s is longer than %d characters", s, maxText)
	}
	v.SetString(n.Value) // even if it is not allowed: what refers to the name is right
	if kind, ok := v.Addr().Interface().(enum); ok {
		if allowed := (&format{values: kind.values()}); !allowed.allows(n.Value) {
			return d.fail(n, "%s: %q %s", s, shortened(n.Value), allowed.complaint(n.Value))
		}
	}
	if s.field != nil && s.field.is != nil && !s.field.is.allows(n.Value) {
		if n.Value == "" {
			return d.fail(n, "%s must not be empty", s)
		}
		return d.fail(n, "%s: %q %s", s, shortened(n.Value), s.field.is.complaint(n.Value))
	}
	return true
}

func (d *decoder) amount(n *yaml.Node, v reflect.Value, s subject) bool {
	if isScalar(n, "!!int") {
		number, ok := whole(n.Value)
		if !ok {
			return d.fail(n, "%s: %s is too large", s, shortened(n.Value))
		}
		amount := Count(int(number))
		if err := amount.check(); err != nil {
			return d.fail(n, "%s: %v", s, err)
		}
		v.Set(reflect.ValueOf(amount))
		return true
	}
	if !isScalar(n, "!!str") {
		return d.fail(n, "%s must be a number or a percentage such as 10%%, not %s", s, nature(n))
	}
	if !strings.HasSuffix(n.Value, "%") {
		return d.fail(n, "%s must be a number or a percentage such as 10%%, not %s", s, nature(n))
	}
	amount, err := ParseAmount(n.Value)
	if err != nil {
		return d.fail(n, "%s: %v", s, err)
	}
	v.Set(reflect.ValueOf(amount))
	return true
}

func (d *decoder) duration(n *yaml.Node, v reflect.Value, s subject) bool {
	if !isScalar(n, "!!str") {
		return d.fail(n, "%s must be a duration such as 90s, 10m, 24h or 7d, not %s", s, nature(n))
	}
	duration, err := ParseDuration(n.Value)
	if err != nil {
		return d.fail(n, "%s: %v", s, err)
	}
	v.Set(reflect.ValueOf(duration))
	return true
}

// plain decodes a scalar into the Go type that it looks like.
func (d *decoder) plain(n *yaml.Node, s subject) (any, bool) {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return n.Value, true
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), true
	case "!!null":
		return nil, true
	case "!!int":
		number, ok := whole(n.Value)
		if !ok {
			return nil, d.fail(n, "%s: %s is too large", s, shortened(n.Value))
		}
		return number, true
	case "!!float":
		number, ok := finite(n)
		if !ok {
			return nil, d.fail(n, "%s: %s is no finite number", s, shortened(n.Value))
		}
		return number, true
	}
	return nil, d.fail(n, "%s cannot be %s", s, nature(n))
}

// valueParts decodes a list or mapping of scalars, each a text as it is written: 1.10 is a version, too.
func (d *decoder) valueParts(n *yaml.Node, v reflect.Value, s subject) bool {
	text := func(item *yaml.Node) (string, bool) {
		item = target(item)
		if item.Kind != yaml.ScalarNode || item.ShortTag() == "!!null" {
			return "", d.fail(item, "%s must hold texts, numbers, true or false, not %s", s, nature(item))
		}
		return item.Value, true
	}
	ok := true
	if n.Kind == yaml.SequenceNode {
		list := make([]string, len(n.Content))
		for i, item := range n.Content {
			var fine bool
			list[i], fine = text(item)
			ok = ok && fine
		}
		v.Set(reflect.ValueOf(list))
		return ok
	}
	keyed, seen := make(map[string]string, len(n.Content)/2), map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, fine := d.key(n.Content[i], seen)
		item, readable := text(n.Content[i+1])
		keyed[key] = item
		ok = ok && fine && readable
	}
	v.Set(reflect.ValueOf(keyed))
	return ok
}

func isScalar(n *yaml.Node, tag string) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == tag
}

// whole reads an integer in any way that YAML writes it: 10, 0x1f, 0o17, 1_000.
func whole(text string) (int64, bool) {
	text = strings.TrimPrefix(text, "+")
	if number, err := strconv.ParseInt(text, 10, 64); err == nil && !octal(text) {
		return number, true
	}
	number, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 0, 64)
	return number, err == nil
}

// octal reports whether a number has a leading zero, which YAML 1.1 reads as octal.
func octal(text string) bool {
	text = strings.TrimPrefix(text, "-")
	return len(text) > 1 && text[0] == '0'
}

// finite reads a finite number, whole ones too.
func finite(n *yaml.Node) (float64, bool) {
	switch {
	case isScalar(n, "!!int"):
		number, ok := whole(n.Value)
		return float64(number), ok
	case isScalar(n, "!!float"):
		number, err := strconv.ParseFloat(strings.ReplaceAll(n.Value, "_", ""), 64)
		return number, err == nil && !math.IsInf(number, 0) && !math.IsNaN(number)
	}
	return 0, false
}

// meansField is the name of the field that Suggest found, or "".
func meansField(written string, names []string) string {
	name := strings.TrimPrefix(rule.Suggest(written, names), ": did you mean ")
	return strings.TrimSuffix(name, "?")
}
