package rule

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
)

// How many environments and programs a Compiler remembers: all rules of a large folder of pipelines at once.
const (
	maxEnvs     = 64
	maxPrograms = 1024
)

// Compiler turns rules into programs, and remembers both the environments and the programs. It is safe for
// concurrent use.
type Compiler struct {
	envs       *lru[envKey, *cel.Env]
	programs   *lru[programKey, *Program]
	conditions *lru[programKey, *Condition]
}

type envKey struct {
	scope  Scope
	params string
}

type programKey struct {
	envKey
	source string
}

// NewCompiler makes a Compiler that has nothing compiled yet.
func NewCompiler() *Compiler {
	return &Compiler{
		envs:       newLRU[envKey, *cel.Env](maxEnvs),
		programs:   newLRU[programKey, *Program](maxPrograms),
		conditions: newLRU[programKey, *Condition](maxPrograms),
	}
}

// Compile parses and type-checks a rule for the scope, with the params declared, and plans it. What is wrong with the
// rule comes back as Issues, all of it at once; any other error is a scope that does not exist.
func (c *Compiler) Compile(scope Scope, params []Param, source string) (*Program, error) {
	key := programKey{envKey{scope, signature(params)}, source}
	if program, ok := c.programs.get(key); ok {
		return program, nil
	}
	env, err := c.env(key.envKey, params)
	if err != nil {
		return nil, err
	}
	program, err := compile(env, scope, params, source)
	if err != nil {
		return nil, err
	}
	return c.programs.put(key, program), nil
}

func (c *Compiler) env(key envKey, params []Param) (*cel.Env, error) {
	if env, ok := c.envs.get(key); ok {
		return env, nil
	}
	env, err := newEnv(key.scope, params)
	if err != nil {
		return nil, err
	}
	return c.envs.put(key, env), nil
}

func compile(env *cel.Env, scope Scope, params []Param, source string) (*Program, error) {
	checked, reads, err := check(env, scope, params, source)
	if err != nil {
		return nil, err
	}
	planned, err := plan(env, checked)
	if err != nil {
		return nil, err
	}
	return &Program{source: source, scope: scope, reads: reads, planned: planned}, nil
}

// check parses and type-checks what yields a bool, and says what it reads.
func check(env *cel.Env, scope Scope, params []Param, source string) (*cel.Ast, []string, error) {
	if strings.TrimSpace(source) == "" {
		return nil, nil, Issues{{Line: 1, Column: 1, Message: "the rule is empty"}}
	}
	if n := utf8.RuneCountInString(source); n > MaxSource {
		return nil, nil, Issues{{Line: 1, Column: 1, Message: fmt.Sprintf("the rule has %d characters, at most %d are allowed", n, MaxSource)}}
	}
	parsed, found := env.Parse(source)
	if found.Err() != nil {
		return nil, nil, issuesOf(found, scope, nil).sorted()
	}
	names := readNames(parsed.NativeRep(), scope, params)
	checked, found := env.Check(parsed)
	if found.Err() != nil || len(names.issues) > 0 {
		return nil, nil, append(names.issues, issuesOf(found, scope, names.said)...).sorted()
	}
	if out := checked.OutputType(); !out.IsExactType(cel.BoolType) {
		return nil, nil, Issues{{Line: 1, Column: 1, Message: fmt.Sprintf("the rule yields %s, not bool", out)}}
	}
	return checked, names.sorted(), nil
}

// plan makes what is checked ready to be evaluated, within bounds.
func plan(env *cel.Env, checked *cel.Ast) (cel.Program, error) {
	planned, err := env.Program(checked,
		cel.EvalOptions(cel.OptOptimize),
		cel.CostLimit(MaxCost),
		cel.InterruptCheckFrequency(interruptInterval),
	)
	if err != nil {
		return nil, Issues{{Line: 1, Column: 1, Message: plain(err.Error())}}
	}
	return planned, nil
}
