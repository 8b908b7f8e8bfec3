package server

import (
	"context"
	"slices"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// asker is who asks, with what he is given.
type asker struct {
	access.Subject
	held   access.Held
	anyone bool // nobody is asked for rights: it is the server of a local stack
	denial *denial
}

type askerKey struct{}

func who(ctx context.Context) asker {
	a, _ := ctx.Value(askerKey{}).(asker)
	return a
}

// name is the name under which somebody acts.
func name(ctx context.Context) string {
	a := who(ctx)
	return a.Who()
}

func (a asker) caller() wire.Caller {
	return wire.Caller{Name: a.Who(), Kind: string(a.Kind), Verified: a.Verified}
}

// may is nil where somebody has a right over an object, else the refusal that he may hear; the log hears why.
func (s *server) may(ctx context.Context, right pipelines.Right, o access.Object) error {
	a := who(ctx)
	if a.anyone {
		return nil
	}
	d := a.held.May(right, o)
	if !d.Allowed {
		s.Metrics.Denied(string(right))
		s.Logger.Info("denied", "who", a.Name, "why", d.Why())
		*a.denial = denial{right, d.Why()}
	}
	return d.Err()
}

// sees reports whether somebody may see a component in a list.
func (a asker) sees(component string) bool {
	return a.anyone || a.held.Sees(pipelines.RightView, component)
}

// partOf is a part of a list, of what somebody may see.
func partOf(ctx context.Context, p ledger.Page) engine.Part {
	return engine.Part{Page: p, Sees: who(ctx).sees}
}

// seen are those of some things of which somebody may see the component.
func seen[T any](ctx context.Context, all []T, err error, component func(T) string) ([]T, error) {
	a := who(ctx)
	if err != nil || a.anyone {
		return all, err
	}
	return slices.DeleteFunc(all, func(t T) bool { return !a.sees(component(t)) }), nil
}

// need says which right an operation takes, and over what. In finds that out of what was sent.
type need[In any] struct {
	right pipelines.Right
	over  func(context.Context, *In) (access.Object, error)
	by    func(*In) pipelines.Right // which right, where that depends on what was sent
	open  bool                      // nobody is asked who he is
}

// met is nil where who asks has what an operation needs. Whether something is there that he has no right over, he does not hear.
func (n need[In]) met(ctx context.Context, s *server, in *In) error {
	if n.over == nil || who(ctx).anyone {
		return nil
	}
	if n.by != nil {
		n.right = n.by(in)
	}
	o, err := n.over(ctx, in)
	if fault.CodeOf(err) == fault.NotFound {
		if no := s.may(ctx, n.right, access.Object{}); no != nil {
			return no
		}
	}
	if err != nil || n.right == "" && n.by == nil {
		return err
	}
	return s.may(ctx, n.right, o)
}

// nobody needs a right for this: who asks is known, and that is enough; or it is looked at where it is known what it is about.
func nobody[In any]() need[In] { return need[In]{} }

// anybody need not even say who he is.
func anybody[In any]() need[In] { return need[In]{open: true} }

// all takes a right over everything.
func all[In any](right pipelines.Right) need[In] {
	return need[In]{right: right, over: func(context.Context, *In) (access.Object, error) { return access.Object{}, nil }}
}

func ofRun[In any](s *server, right pipelines.Right, run func(*In) string) need[In] {
	return need[In]{right: right, over: func(ctx context.Context, in *In) (access.Object, error) {
		return s.touchedByRun(ctx, run(in))
	}}
}

func ofPlan[In any](s *server, right pipelines.Right, hash func(*In) string) need[In] {
	return need[In]{right: right, over: func(ctx context.Context, in *In) (access.Object, error) {
		return s.touchedByPlan(ctx, hash(in))
	}}
}

func byRun(in *wire.ByRun) string { return in.Run }

func ofComponent[In any](right pipelines.Right, component func(*In) string) need[In] {
	return need[In]{right: right, over: func(_ context.Context, in *In) (access.Object, error) {
		return access.Object{Component: component(in)}, nil
	}}
}

// telling is what it takes to tell a run something: whoever approves need not operate, and whoever operates does not approve by that.
func (s *server) telling() need[wire.Commanded] {
	n := ofRun(s, pipelines.RightOperate, func(in *wire.Commanded) string { return in.Run })
	n.by = func(in *wire.Commanded) pipelines.Right {
		right, _ := access.RightTo(wire.CommandOf(in.Name)) // "", which nobody has, for a word that is none
		return right
	}
	return n
}

// planning is what it takes to have documents made into a plan: to plan the component somewhere. What the plan touches is looked at once
// it is known.
func (s *server) planning() need[keyed[wire.PlanBody]] {
	return need[keyed[wire.PlanBody]]{over: func(ctx context.Context, in *keyed[wire.PlanBody]) (access.Object, error) {
		if a := who(ctx); !a.held.Sees(pipelines.RightPlan, in.Body.Component) {
			return access.Object{}, s.may(ctx, pipelines.RightPlan, access.Object{Component: in.Body.Component})
		}
		return access.Object{}, nil
	}}
}

// keeping is what it takes to have documents read that are to be kept: to keep any. Which kinds they are is looked at once it is known.
func (s *server) keeping() need[keyed[wire.ApplyBody]] {
	return need[keyed[wire.ApplyBody]]{over: func(ctx context.Context, _ *keyed[wire.ApplyBody]) (access.Object, error) {
		a := who(ctx)
		for _, kind := range pipelines.KeptKinds() {
			if a.anyone || a.held.Has(access.RightToKeep(kind)) {
				return access.Object{}, nil
			}
		}
		return access.Object{}, s.may(ctx, pipelines.RightRegister, access.Object{})
	}}
}

// bypassing is what it takes to let a plan pass: to approve, over what the plan touches. Named for a run, it lets others of the plan pass
// too, and takes what the plan touches as it was seen last besides.
func (s *server) bypassing() need[keyed[wire.BypassBody]] {
	over := func(ctx context.Context, in *keyed[wire.BypassBody]) (access.Object, error) {
		run, err := s.Engine.SeenForRun(ctx, in.Body.For)
		if fault.CodeOf(err) == fault.NotFound {
			return s.touchedByPlan(ctx, in.Body.For)
		}
		if err != nil {
			return access.Object{}, err
		}
		o, err := s.touched(ctx, run)
		if err != nil {
			return access.Object{}, err
		}
		last, err := s.touchedByPlan(ctx, run.Plan)
		o.Namespaces = both(o.Namespaces, last.Namespaces)
		return o, err
	}
	return need[keyed[wire.BypassBody]]{right: pipelines.RightApprove, over: over}
}

// auditing is what it takes to read the audit: to view all of it, or what the object touches that is asked about.
func (s *server) auditing() need[wire.AuditQuery] {
	return need[wire.AuditQuery]{right: pipelines.RightView, over: func(ctx context.Context, in *wire.AuditQuery) (access.Object, error) {
		if in.Object == "" {
			return access.Object{}, nil
		}
		o, err := s.named(ctx, in.Object)
		if fault.CodeOf(err) == fault.NotFound {
			return access.Object{}, nil // it is about something else, or nothing
		}
		return o, err
	}}
}

// named is what a run touches, or a plan, by its name or hash.
func (s *server) named(ctx context.Context, name string) (access.Object, error) {
	o, err := s.touchedByRun(ctx, name)
	if fault.CodeOf(err) == fault.NotFound {
		return s.touchedByPlan(ctx, name)
	}
	return o, err
}

func (s *server) freezing() need[keyed[wire.FreezeBody]] {
	over := func(ctx context.Context, in *keyed[wire.FreezeBody]) (access.Object, error) {
		return s.freezeObject(ctx, in.Body.Scope)
	}
	return need[keyed[wire.FreezeBody]]{right: pipelines.RightOperate, over: over}
}

// lifting is what it takes to lift a freeze: to operate all that it is about.
func (s *server) lifting() need[wire.Lifting] {
	return need[wire.Lifting]{right: pipelines.RightOperate, over: func(ctx context.Context, in *wire.Lifting) (access.Object, error) {
		scope, err := s.Engine.FrozenScope(ctx, in.Name)
		if err != nil {
			return access.Object{}, err
		}
		return s.freezeObject(ctx, scope)
	}}
}

// freezeObject is what a freeze is about. A group of which nobody knows the labels is within scopes alone that do not ask for any: one that
// leaves out what has a label would have it otherwise.
func (s *server) freezeObject(ctx context.Context, f api.FreezeScope) (o access.Object, err error) {
	if f.Component != (api.Subject{}) {
		o.Component = f.Component.String()
	}
	if f.Environment != "" {
		o.Environments = []string{f.Environment}
	}
	if f.Group == "" {
		return o, nil
	}
	fleet, err := s.fleets.now(ctx)
	if err != nil {
		return o, err
	}
	if labels := fleet.Group(f.Group); labels != nil {
		o.Environments, o.GroupLabels = nil, []map[string]string{labels}
	}
	return o, nil
}
