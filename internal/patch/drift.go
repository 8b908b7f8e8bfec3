package patch

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// drifts collects the fields that we rendered before and that somebody else has changed since: live is neither what was
// recorded, nor what is rendered now, nor what a write of our own has meant. Fields that we never rendered are nobody's
// drift, which is what keeps defaults and injected sidecars out of it.
type drifts struct {
	live    *unstructured.Unstructured
	masked  func(pointer) bool
	changes []FieldChange
	paths   []pointer
}

// versions are the values at one place. Nil is absent.
type versions struct {
	recorded, live, target any
	intents                []any
}

func (v versions) child(key string) versions {
	c := versions{recorded: at(v.recorded, key), live: at(v.live, key), target: at(v.target, key)}
	for _, intent := range v.intents {
		c.intents = append(c.intents, at(intent, key))
	}
	return c
}

func (v versions) element(label, key string) versions {
	pick := func(value any) any { return byLabel(asList(value), key)[label] }
	e := versions{recorded: pick(v.recorded), live: pick(v.live), target: pick(v.target)}
	for _, intent := range v.intents {
		e.intents = append(e.intents, pick(intent))
	}
	return e
}

// ours reports whether live is as we have written it or are about to.
func (v versions) ours(m meta, l list) bool {
	for _, wanted := range slices.Concat([]any{v.recorded, v.target}, v.intents) {
		if coversAt(wanted, v.live, m, l) {
			return true
		}
	}
	return false
}

func (d *drifts) walkMap(p pointer, m meta, v versions) {
	for _, key := range unionKeys(asMap(v.recorded)) {
		d.walk(p.with(key), m.child(key), m.list(key), v.child(key))
	}
}

func (d *drifts) walk(p pointer, m meta, l list, v versions) {
	if v.recorded == nil || v.ours(m, l) {
		return
	}
	if r, isMap := v.recorded.(map[string]any); isMap && (v.live == nil && len(r) > 0 || asMap(v.live) != nil) {
		d.walkMap(p, m, v)
		return
	}
	elements, isList := v.recorded.([]any)
	if isList && l.merged && l.key != "" && d.walkElements(p, l, elements, v) {
		return
	}
	d.add(p, v)
}

// walkElements goes into a keyed list; false where its elements cannot be told apart.
func (d *drifts) walkElements(p pointer, l list, recorded []any, v versions) bool {
	if _, unique := byKey(recorded, l.key); !unique {
		return false
	}
	if _, unique := byKey(asList(v.live), l.key); !unique {
		return false
	}
	for _, label := range labels(recorded, l.key) {
		e := v.element(label, l.key)
		if e.live == nil && !e.ours(l.element, list{}) {
			d.add(p.with(label), e)
			continue
		}
		d.walk(p.with(label), l.element, list{}, e)
	}
	return true
}

func (d *drifts) add(p pointer, v versions) {
	d.paths = append(d.paths, p)
	masked := d.masked(p)
	d.changes = append(d.changes, FieldChange{
		Path:     p.String(),
		Recorded: short(v.recorded, masked),
		Live:     short(v.live, masked),
		Target:   short(v.target, masked),
		Manager:  managerOf(d.live, p),
	})
}

// covers reports whether have says all that want says. What only have says is a default or another's; where the API server
// has no defaults it is another's, and means something else.
func covers(want, have map[string]any, m meta) bool {
	for key := range have {
		if _, said := want[key]; !said && m.isUndefaulted() {
			return false
		}
	}
	for key, value := range want {
		if !coversAt(value, have[key], m.child(key), m.list(key)) {
			return false
		}
	}
	return true
}

func coversAt(want, have any, m meta, l list) bool {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			// Where the API has a pointer, {} means something: every namespace, an empty volume.
			return have == nil && len(w) == 0 && !m.isPointer()
		}
		return covers(w, h, m)
	case []any:
		h, ok := have.([]any)
		if !ok {
			return have == nil && len(w) == 0
		}
		return coversList(w, h, l)
	default:
		return equal(want, have) || samePort(want, have)
	}
}

func coversList(want, have []any, l list) bool {
	if l.merged && l.key == "" {
		for _, w := range want {
			if !slices.ContainsFunc(have, func(h any) bool { return equal(w, h) }) {
				return false
			}
		}
		return true
	}
	if l.merged {
		wanted, unique := byKey(want, l.key)
		there, uniqueToo := byKey(have, l.key)
		if unique && uniqueToo {
			for label, w := range wanted {
				h, found := there[label]
				if !found || !coversAt(w, h, l.element, list{}) {
					return false
				}
			}
			return true
		}
	}
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if !coversAt(want[i], have[i], l.element, list{}) {
			return false
		}
	}
	return true
}

// samePort takes "8080" for 8080: a field that holds a number or a name reads both the same.
func samePort(want, have any) bool {
	text, isText := want.(string)
	count, isNumber := have.(int64)
	if !isText || !isNumber {
		if count, isNumber = want.(int64); !isNumber {
			return false
		}
		if text, isText = have.(string); !isText {
			return false
		}
	}
	return text == fmt.Sprint(count)
}

func driftMessage(change FieldChange) string {
	var out strings.Builder
	if change.Path == "" {
		return "the object was deleted by somebody else"
	}
	fmt.Fprintf(&out, "%s was changed by ", change.Path)
	if change.Manager == "" {
		out.WriteString("somebody else")
	} else {
		out.WriteString(change.Manager)
	}
	fmt.Fprintf(&out, ": %s is now %s", orNothing(change.Recorded), orNothing(change.Live))
	return out.String()
}

func orNothing(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}
