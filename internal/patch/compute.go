package patch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// generatedAnnotation is templates.GeneratedAnnotation: an object that is made where it is missing, and nothing more.
const generatedAnnotation = "sluice.dev/generated"

// baseNameAnnotation is templates.BaseNameAnnotation: the name that an object under a digest has in its template.
const baseNameAnnotation = "sluice.dev/base-name"

// Compute works out the change. Its errors say that an object cannot be understood (a target whose fields have the wrong
// type); what must not be done is no error but a Refusal.
func Compute(t Triple, o Options) (Change, error) {
	named := cmp.Or(t.Target, t.Live, t.Recorded)
	if named == nil {
		return Change{Action: Unchanged, Absent: true}, nil
	}
	c := &computation{
		shape:   shapeOf(named),
		target:  named,
		options: o,
		change:  Change{Object: nameOf(named)},
	}
	switch {
	case t.Target == nil:
		return c.leave(t)
	case t.Live == nil:
		return c.create(t)
	default:
		return c.update(t)
	}
}

// leave is the change of an object that the render no longer has. Nothing is ever deleted for that reason. What somebody
// else has changed in it is drift all the same: it may be a configuration whose next version has another name.
func (c *computation) leave(t Triple) (Change, error) {
	c.change.Action, c.change.Absent = Unchanged, true
	if t.Live == nil {
		return c.change, nil
	}
	c.change.LiveVersion, c.change.Result = t.Live.GetResourceVersion(), withoutStatus(t.Live)
	s, err := c.specs(Triple{Recorded: t.Recorded, Live: t.Live, Target: t.Live})
	if err != nil {
		return Change{}, err
	}
	c.leaveLive(s.recorded, s.live, s.target)
	s.target = s.recorded // it stays as it is: what somebody took out of it is missed
	c.findDrift(t.Live, s)
	for i := range c.change.Drift {
		c.change.Drift[i].Target = ""
	}
	c.settle()
	return c.change, nil
}

type computation struct {
	shape   shape
	target  *unstructured.Unstructured // live or recorded, where there is none
	options Options
	change  Change
}

func (c *computation) create(t Triple) (Change, error) {
	target := spec(t.Target)
	dropNulls(target.Object)
	after, err := c.shape.canonical(target, nil)
	if err != nil {
		return Change{}, c.unreadable("target", err)
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
	live := withoutStatus(t.Live)
	if t.Target.GetAnnotations()[generatedAnnotation] == "true" {
		c.change.Action, c.change.Result, c.change.Adopts = Unchanged, live, false
		return c.change, nil
	}
	if t.Live.GetDeletionTimestamp() != nil {
		c.refuse(api.RuleTerminating, "it is being deleted: wait until it is gone, or find out which finalizer holds it")
	}
	if owner, wayOut := ownerOf(t.Live, c.options.Component); owner != "" {
		c.refuse(api.RuleOwnedBy, fmt.Sprintf("%s keeps it: %s", owner, wayOut))
	}
	s, err := c.specs(t)
	if err != nil {
		return Change{}, err
	}
	before := runtime.DeepCopyJSON(s.live)
	c.leaveLive(s.recorded, s.live, s.target)
	c.findDrift(t.Live, s)
	settle(s.recorded, s.live, s.target, c.shape.merge)
	m, err := c.shape.merge3(s.recorded, s.live, s.target)
	if err != nil {
		return Change{}, c.unreadable("target", err)
	}
	after, err := c.shape.canonical(&unstructured.Unstructured{Object: m.result}, before)
	if err != nil {
		return Change{}, c.unreadable("target", err)
	}
	c.change.Action, c.change.Result = Unchanged, live
	if equal(before, after) {
		c.settle()
		return c.change, nil
	}
	result, err := c.shape.apply(m, live.Object)
	if err != nil {
		return Change{}, c.unreadable("target", err)
	}
	c.change.Action, c.change.Patch, c.change.PatchType = Patch, m.patch, m.kind
	c.change.Result = &unstructured.Unstructured{Object: result}
	c.describe(s.recorded, before, after)
	c.refuseForbidden(t.Live, before, after)
	c.refuseCosts(before, after)
	if c.options.ReachesAtOnce != "" && contentChanged(before, after) {
		c.refuse(api.RuleReachesAtOnce, "the change reaches the whole cluster at once: "+c.options.ReachesAtOnce)
	}
	c.settle()
	return c.change, nil
}

// contentChanged reports whether a ConfigMap or Secret would say something else to whoever reads it. Labels and annotations,
// which most charts change with each version, are not what programs read.
func contentChanged(before, after map[string]any) bool {
	return slices.ContainsFunc([]string{"data", "binaryData", "stringData", "type"}, func(field string) bool {
		return !equal(before[field], after[field])
	})
}

// specs are the three specs and the intents, canonical.
type specs struct {
	recorded, live, target map[string]any
	intents                []any
}

func (c *computation) specs(t Triple) (specs, error) {
	var s specs
	var err error
	if s.live, err = c.shape.canonical(t.Live, nil); err != nil {
		return specs{}, c.unreadable("live object", err)
	}
	if s.target, err = c.shape.canonical(t.Target, s.live); err != nil {
		return specs{}, c.unreadable("target", err)
	}
	s.recorded = c.past(t.Recorded, s.live)
	for _, intent := range c.options.Intents {
		s.intents = append(s.intents, c.past(intent, s.live))
	}
	return s, nil
}

// past is the spec of an object that was written once. It may be of another version, whose fields have other types.
func (c *computation) past(object *unstructured.Unstructured, live map[string]any) map[string]any {
	if object == nil {
		return nil
	}
	content, err := c.shape.canonical(object, live)
	if err != nil {
		return spec(object).Object
	}
	return content
}

// findDrift records what others have changed, and makes target and recorded say the same where it is to be kept.
func (c *computation) findDrift(live *unstructured.Unstructured, s specs) {
	if s.recorded == nil {
		return
	}
	d := &drifts{live: live, masked: maskOf(c.target)}
	d.walkMap(nil, c.shape.merge, versions{recorded: s.recorded, live: s.live, target: s.target, intents: s.intents})
	c.change.Drift = d.changes
	if c.options.Drift != pipelines.DriftKeep {
		c.refuseDrift()
		return
	}
	for _, p := range d.paths {
		keeper{}.keep(s.target, s.recorded, s.live, c.shape.merge, p)
	}
}

func (c *computation) describe(recorded, before, after map[string]any) {
	w := &fieldWalk{masked: maskOf(c.target)}
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

func (c *computation) refuse(rule api.Rule, message string) {
	c.change.Refusals = append(c.change.Refusals, api.Refusal{Rule: rule, Object: c.change.Object, Message: message})
}

// refuseCosts refuses what it costs to move pods, where they do move.
func (c *computation) refuseCosts(before, after map[string]any) {
	if equal(at(before, "spec", "template"), at(after, "spec", "template")) {
		return
	}
	for _, cost := range c.options.Costs {
		c.refuse(cost.Rule, cost.Why)
	}
}

func (c *computation) refuseDrift() {
	if c.options.Drift == pipelines.DriftOverwrite {
		return
	}
	for _, change := range c.change.Drift {
		c.refuse(api.RuleDrift, driftMessage(change))
	}
}

// settle sorts the refusals and sets those aside for which the pipeline names an exception.
func (c *computation) settle() {
	var left []api.Refusal
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
	if base := c.target.GetAnnotations()[baseNameAnnotation]; base != "" {
		if name == kind+base || name == kind+c.target.GetNamespace()+"/"+base {
			return true
		}
	}
	return name == c.change.Object || name == kind+c.target.GetName()
}

func compareRefusals(a, b api.Refusal) int {
	return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
}

// unreadable is the error of an object whose fields cannot be understood. The cause may quote a value, which for a Secret
// must not be shown.
func (c *computation) unreadable(what string, err error) error {
	if isSecret(c.target) {
		err = errors.New("a field has the wrong type or is not base64")
	}
	return fmt.Errorf("cannot read %s of %s as %s: %w", what, c.change.Object, c.shape.kind, err)
}

func nameOf(object *unstructured.Unstructured) string {
	if object.GetNamespace() == "" {
		return object.GetKind() + "/" + object.GetName()
	}
	return object.GetKind() + "/" + object.GetNamespace() + "/" + object.GetName()
}

func withoutStatus(live *unstructured.Unstructured) *unstructured.Unstructured {
	out := live.DeepCopy()
	delete(out.Object, "status")
	out.SetManagedFields(nil)
	return out
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
