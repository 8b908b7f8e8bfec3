package patch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/pipelines"
)

// generatedAnnotation is templates.GeneratedAnnotation: an object that is made where it is missing, and nothing more.
const generatedAnnotation = "sluice.dev/generated"

// baseNameAnnotation is templates.BaseNameAnnotation: the name that an object under a digest has in its template.
const baseNameAnnotation = "sluice.dev/base-name"

// Compute works out the change. Its errors say that an object cannot be understood (a target whose fields have the wrong
// type); what must not be done is no error but a Refusal.
func Compute(t Triple, o Options) (Change, error) {
	if t.Target == nil {
		return absent(t), nil
	}
	c := &computation{
		shape:   shapeOf(t.Target),
		target:  t.Target,
		options: o,
		change:  Change{Object: nameOf(t.Target)},
	}
	if t.Live == nil {
		return c.create(t)
	}
	return c.update(t)
}

// absent is the change of an object that the render no longer has. Nothing is ever deleted for that reason.
func absent(t Triple) Change {
	c := Change{Action: Unchanged, Absent: true}
	for _, object := range []*unstructured.Unstructured{t.Live, t.Recorded} {
		if object != nil {
			c.Object, c.Result = nameOf(object), object.DeepCopy()
			c.LiveVersion = object.GetResourceVersion()
			break
		}
	}
	return c
}

type computation struct {
	shape   shape
	target  *unstructured.Unstructured
	options Options
	change  Change
}

func (c *computation) create(t Triple) (Change, error) {
	target := spec(t.Target)
	dropNulls(target.Object)
	after, err := c.shape.canonical(target)
	if err != nil {
		return Change{}, c.unreadable("target", target, err)
	}
	c.change.Action, c.change.Result = Create, target
	if t.Recorded != nil {
		gone := FieldChange{Recorded: "there", Target: "there"}
		c.change.Drift = []FieldChange{gone}
		if c.options.Drift == pipelines.DriftKeep {
			c.change.Action, c.change.Result = Unchanged, nil
			return c.change, nil
		}
		c.refuseDrift()
	}
	c.refuseForbidden(nil, nil, after)
	c.change.Diff = createText(c.shape, after, c.options.Previous)
	c.settle()
	return c.change, nil
}

func (c *computation) update(t Triple) (Change, error) {
	c.change.LiveVersion = t.Live.GetResourceVersion()
	c.change.Adopts = t.Recorded == nil && t.Live.GetAnnotations()[componentAnnotation] == ""
	live := t.Live.DeepCopy()
	delete(live.Object, "status")
	live.SetManagedFields(nil)
	if t.Target.GetAnnotations()[generatedAnnotation] == "true" {
		c.change.Action, c.change.Result, c.change.Adopts = Unchanged, live, false
		return c.change, nil
	}
	if t.Live.GetDeletionTimestamp() != nil {
		c.refuse(RuleTerminating, "it is being deleted: wait until it is gone, or find out which finalizer holds it")
	}
	if owner, wayOut := ownerOf(t.Live, c.options.Component); owner != "" {
		c.refuse(RuleOwnedBy, fmt.Sprintf("%s keeps it: %s", owner, wayOut))
	}
	target, recorded := spec(t.Target), spec(t.Recorded)
	leaveLive(recorded, live, target, c.shape.merge, c.options)
	if err := c.findDrift(t.Live, recorded, live, target); err != nil {
		return Change{}, err
	}
	m, err := c.shape.merge3(recorded, live, target)
	if err != nil {
		return Change{}, c.unreadable("target", target, err)
	}
	before, err := c.shape.canonical(live)
	if err != nil {
		return Change{}, c.unreadable("live object", live, err)
	}
	after, err := c.shape.canonical(m.result)
	if err != nil {
		return Change{}, c.unreadable("target", target, err)
	}
	c.change.Result = m.result
	if equal(before, after) {
		c.change.Action, c.change.Result = Unchanged, live
		c.settle()
		return c.change, nil
	}
	c.change.Action, c.change.Patch, c.change.PatchType = Patch, m.patch, m.kind
	c.describe(objectOf(recorded), before, after)
	c.refuseForbidden(t.Live, before, after)
	if c.options.ReachesAtOnce != "" {
		c.refuse(RuleReachesAtOnce, "the change reaches the whole cluster at once: "+c.options.ReachesAtOnce)
	}
	c.settle()
	return c.change, nil
}

// findDrift records what others have changed, and makes target and recorded say the same where it is to be kept.
func (c *computation) findDrift(whole, recorded, live, target *unstructured.Unstructured) error {
	if recorded == nil {
		return nil
	}
	v := versions{}
	for _, part := range []struct {
		name   string
		object *unstructured.Unstructured
		into   *any
	}{{"recorded object", recorded, &v.recorded}, {"live object", live, &v.live}, {"target", target, &v.target}} {
		content, err := c.shape.canonical(part.object)
		if err != nil {
			return c.unreadable(part.name, part.object, err)
		}
		*part.into = content
	}
	for _, intent := range c.options.Intents {
		content, err := c.shape.canonical(intent)
		if err != nil {
			return c.unreadable("intent", intent, err)
		}
		v.intents = append(v.intents, content)
	}
	d := &drifts{live: whole, masked: maskOf(target)}
	d.walkMap(nil, c.shape.merge, v)
	c.change.Drift = d.changes
	if c.options.Drift != pipelines.DriftKeep {
		c.refuseDrift()
		return nil
	}
	for _, p := range d.paths {
		keeper{}.keep(target.Object, recorded.Object, live.Object, c.shape.merge, p)
	}
	return nil
}

func (c *computation) describe(recorded, before, after map[string]any) {
	w := &fieldWalk{masked: maskOf(c.change.Result)}
	w.maps(nil, c.shape.merge, before, after)
	for _, f := range w.fields {
		masked := w.masked(f.path)
		c.change.Fields = append(c.change.Fields, FieldChange{
			Path:     f.path.String(),
			Recorded: short(lookup(recorded, f.path, c.shape.merge), masked),
			Live:     short(f.before, masked),
			Target:   short(f.after, masked),
		})
	}
	c.change.Diff = fieldsText(w)
}

func (c *computation) refuse(rule Rule, message string) {
	c.change.Refusals = append(c.change.Refusals, Refusal{Rule: rule, Object: c.change.Object, Message: message})
}

func (c *computation) refuseDrift() {
	if c.options.Drift == pipelines.DriftOverwrite {
		return
	}
	for _, change := range c.change.Drift {
		c.refuse(RuleDrift, driftMessage(change))
	}
}

// settle sorts the refusals and sets those aside for which the pipeline names an exception.
func (c *computation) settle() {
	var left []Refusal
	for _, refusal := range c.change.Refusals {
		i := slices.IndexFunc(c.options.Exceptions, func(e pipelines.Exception) bool {
			return e.Rule == string(refusal.Rule) && c.isNamed(e.Object)
		})
		if i < 0 {
			left = append(left, refusal)
			continue
		}
		c.change.Excepted = append(c.change.Excepted, Excepted{Refusal: refusal, Reason: c.options.Exceptions[i].Reason})
	}
	slices.SortFunc(left, compareRefusals)
	slices.SortFunc(c.change.Excepted, func(a, b Excepted) int { return compareRefusals(a.Refusal, b.Refusal) })
	c.change.Refusals = left
}

// isNamed reports whether an exception names this object: with its namespace, without it, or by the name that a ConfigMap
// or Secret has in the template.
func (c *computation) isNamed(name string) bool {
	kind := c.target.GetKind() + "/"
	if base := c.target.GetAnnotations()[baseNameAnnotation]; base != "" && (name == kind+base || name == kind+c.target.GetNamespace()+"/"+base) {
		return true
	}
	return name == c.change.Object || name == kind+c.target.GetName()
}

func compareRefusals(a, b Refusal) int {
	return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
}

// unreadable is the error of an object whose fields cannot be understood. The cause may quote a value, which for a Secret
// must not be shown.
func (c *computation) unreadable(what string, object *unstructured.Unstructured, err error) error {
	if isSecret(object) {
		err = errors.New("a field has the wrong type or is not base64")
	}
	return fmt.Errorf("cannot read %s of %s as %s: %w", what, c.change.Object, c.shape.kind.GroupVersion().WithKind(c.shape.kind.Kind), err)
}

func nameOf(object *unstructured.Unstructured) string {
	if object.GetNamespace() == "" {
		return object.GetKind() + "/" + object.GetName()
	}
	return object.GetKind() + "/" + object.GetNamespace() + "/" + object.GetName()
}

func dropNulls(m map[string]any) {
	for key, value := range m {
		switch v := value.(type) {
		case nil:
			delete(m, key)
		case map[string]any:
			dropNulls(v)
		case []any:
			for _, element := range v {
				if inner, ok := element.(map[string]any); ok {
					dropNulls(inner)
				}
			}
		}
	}
}

// lookup returns what is at a pointer without patterns, or nil.
func lookup(value any, p pointer, m meta) any {
	var l list
	for _, segment := range p {
		switch v := value.(type) {
		case map[string]any:
			l, m, value = m.list(segment), m.child(segment), v[segment]
		case []any:
			m, value = l.element, byLabel(v, l.key)[segment]
			l = list{}
		default:
			return nil
		}
	}
	return value
}
