package rule

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
)

// Program is a compiled rule. It is safe for concurrent use.
type Program struct {
	source  string
	scope   Scope
	reads   []string
	planned cel.Program
	spare   sync.Pool // of *activation: facts are large, and a gate is looked at for days
}

// Source is the rule as it was written.
func (p *Program) Source() string { return p.source }

// Scope is the scope that the rule was compiled for.
func (p *Program) Scope() Scope { return p.scope }

// Reads lists the facts and params that the rule mentions, sorted: "batch.target", "params.minSuccess", "unit.labels".
func (p *Program) Reads() []string { return slices.Clone(p.reads) }

// ReadsFact reports whether the rule mentions the fact, such as "batch", or any part of it.
func (p *Program) ReadsFact(fact string) bool {
	return slices.ContainsFunc(p.reads, func(path string) bool {
		return path == fact || strings.HasPrefix(path, fact+".")
	})
}

// Eval says whether the rule holds for the facts. An error says that this could not be told: a key or param that is
// missing, a division by zero, too much work, or a context that ended, which the error then wraps.
func (p *Program) Eval(ctx context.Context, facts Facts, params Params) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("cannot evaluate rule: %w", err)
	}
	a := p.activate(facts, params)
	defer p.release(a)
	out, _, err := p.planned.ContextEval(ctx, a)
	if err != nil {
		return false, fmt.Errorf("cannot evaluate rule: %w", err)
	}
	holds, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("cannot evaluate rule: it yields %s, not bool", out.Type().TypeName())
	}
	return bool(holds), nil
}

func (p *Program) activate(facts Facts, params Params) *activation {
	a, ok := p.spare.Get().(*activation)
	if !ok {
		a = &activation{}
	}
	a.facts, a.params = facts, params
	return a
}

// release lets go of the facts: a verdict holds nothing of them.
func (p *Program) release(a *activation) {
	*a = activation{}
	p.spare.Put(a)
}

// Seen returns the values of everything that Reads lists, by path, for telling a person why the rule held or did not.
// A key that a map does not have is left out.
func (p *Program) Seen(facts Facts, params Params) map[string]any {
	a := &activation{facts: facts, params: params}
	seen := make(map[string]any, len(p.reads))
	for _, path := range p.reads {
		if name, ok := strings.CutPrefix(path, paramsPrefix); ok {
			if value, given := params[name]; given {
				seen[path] = value
			}
			continue
		}
		if strings.HasPrefix(path, tasksPrefix) {
			if value, given := params[path]; given {
				seen[path] = value
			}
			continue
		}
		if value, ok := a.resolve(strings.Split(path, ".")); ok {
			seen[path] = value
		}
	}
	return seen
}

// resolve follows a path of names through the facts.
func (a *activation) resolve(path []string) (any, bool) {
	part := a.part(path[0])
	if part == nil {
		return nil, false
	}
	v := reflect.ValueOf(part).Elem()
	for _, name := range path[1:] {
		switch v.Kind() {
		case reflect.Struct:
			f, ok := field(v.Type(), name)
			if !ok {
				return nil, false
			}
			v = v.FieldByIndex(f.Index)
		case reflect.Map:
			v = v.MapIndex(reflect.ValueOf(name))
			if !v.IsValid() {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return v.Interface(), true
}
