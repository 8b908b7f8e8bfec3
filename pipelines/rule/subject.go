package rule

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// The names under which a subject rule reads a Subject.
const (
	SubjectClaims = "claims"
	SubjectName   = "subject"
	SubjectKind   = "kind"
	SubjectIssuer = "issuer"
)

// scopeSubject is what a subject rule sees.
const scopeSubject Scope = "subject"

// MaxSubjectCost is how much work it may be to tell whether one subject is meant, in cel-go's units. It is asked at every request, of
// every binding.
const MaxSubjectCost = 10_000

// Subject is what a subject rule speaks about: somebody who asks, as whoever vouches for him says.
type Subject struct {
	Claims map[string]any // texts, bools, int64, float64, and lists and maps of these
	Name   string
	Kind   string
	Issuer string
}

// SubjectFacts are a subject as rules read it: made once, and read by as many rules as one likes. They are safe for concurrent use.
type SubjectFacts struct {
	claims, name, kind, issuer ref.Val
}

var _ interpreter.Activation = (*SubjectFacts)(nil)

// Facts are what rules read of the subject.
func (s Subject) Facts() *SubjectFacts {
	claims := s.Claims
	if claims == nil {
		claims = map[string]any{}
	}
	return &SubjectFacts{types.DefaultTypeAdapter.NativeToValue(claims), types.String(s.Name), types.String(s.Kind), types.String(s.Issuer)}
}

// ResolveName implements interpreter.Activation.
func (f *SubjectFacts) ResolveName(name string) (any, bool) {
	switch name {
	case SubjectClaims:
		return f.claims, true
	case SubjectName:
		return f.name, true
	case SubjectKind:
		return f.kind, true
	case SubjectIssuer:
		return f.issuer, true
	}
	return nil, false
}

// Parent implements interpreter.Activation.
func (f *SubjectFacts) Parent() interpreter.Activation { return nil }

// SubjectKinds are the kinds of subjects.
func SubjectKinds() []string { return []string{"person", "job", "service", "machine"} }

// SubjectRule is a compiled rule that says whom something is for. It is safe for concurrent use.
type SubjectRule struct {
	planned cel.Program
	reads   []string
}

// CompileSubject parses and type-checks a rule over a subject, and plans it. What is wrong with it comes back as Issues, all of it at
// once: also that it asks nothing, so that it means everybody or nobody.
func (c *Compiler) CompileSubject(source string) (*SubjectRule, error) {
	env, err := c.subjectEnv()
	if err != nil {
		return nil, err
	}
	checked, _, err := check(env, scopeSubject, nil, source)
	if err != nil {
		return nil, err
	}
	r := &SubjectRule{}
	if issues := r.read(checked.NativeRep()); len(issues) > 0 {
		return nil, issues.sorted()
	}
	r.planned, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(MaxSubjectCost))
	if err != nil {
		return nil, Issues{{Line: 1, Column: 1, Message: plain(err.Error())}}
	}
	return r, constant(env, checked)
}

func (c *Compiler) subjectEnv() (*cel.Env, error) {
	key := envKey{scope: scopeSubject}
	if env, ok := c.envs.get(key); ok {
		return env, nil
	}
	env, err := cel.NewEnv(append(language(),
		cel.Variable(SubjectClaims, cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable(SubjectName, cel.StringType),
		cel.Variable(SubjectKind, cel.StringType),
		cel.Variable(SubjectIssuer, cel.StringType),
	)...)
	if err != nil {
		return nil, fmt.Errorf("cannot build subject environment: %w", err)
	}
	return c.envs.put(key, env), nil
}

// read notes which variables the rule reads, and finds kinds that nobody is of.
func (r *SubjectRule) read(tree *ast.AST) (issues Issues) {
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if name := variable(e); name != "" && !slices.Contains(r.reads, name) {
			r.reads = append(r.reads, name)
		}
		if e.Kind() != ast.CallKind || !slices.Contains([]string{operators.Equals, operators.NotEquals}, e.AsCall().FunctionName()) {
			return
		}
		args := e.AsCall().Args()
		for i, arg := range args {
			other := args[1-i]
			if arg.Kind() != ast.IdentKind || arg.AsIdent() != SubjectKind || other.Kind() != ast.LiteralKind {
				continue
			}
			if name, ok := other.AsLiteral().Value().(string); ok && !slices.Contains(SubjectKinds(), name) {
				issue := place(tree.SourceInfo().GetStartLocation(other.ID()))
				issue.Message = fmt.Sprintf("there is no kind %s, only %s%s", name, enumerate(SubjectKinds()), Suggest(name, SubjectKinds()))
				issues = append(issues, issue)
			}
		}
	}))
	return issues
}

// variable is what an expression reads by name: a variable, or a claim as claims.NAME; "" for any other.
func variable(e ast.Expr) string {
	isClaims := func(of ast.Expr) bool { return of.Kind() == ast.IdentKind && of.AsIdent() == SubjectClaims }
	switch {
	case e.Kind() == ast.IdentKind:
		return e.AsIdent()
	case e.Kind() == ast.SelectKind && isClaims(e.AsSelect().Operand()):
		return SubjectClaims + "." + e.AsSelect().FieldName()
	case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Index && isClaims(e.AsCall().Args()[0]):
		if key := e.AsCall().Args()[1]; key.Kind() == ast.LiteralKind {
			if name, ok := key.AsLiteral().Value().(string); ok {
				return SubjectClaims + "." + name
			}
		}
	}
	return ""
}

// constant is what is wrong with a rule that comes out the same whoever asks: nothing of a subject is known when it is looked at here.
func constant(env *cel.Env, checked *cel.Ast) error {
	planned, err := env.Program(checked, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(MaxSubjectCost))
	if err != nil {
		return Issues{{Line: 1, Column: 1, Message: plain(err.Error())}}
	}
	var unknown []*cel.AttributePatternType
	for _, name := range scopeSubject.Facts() {
		unknown = append(unknown, cel.AttributePattern(name))
	}
	vars, err := cel.PartialVars(map[string]any{}, unknown...)
	if err != nil {
		return fmt.Errorf("cannot look at subject rule: %w", err)
	}
	out, _, err := planned.Eval(vars)
	switch {
	case err != nil:
		return Issues{{Line: 1, Column: 1, Message: "it can never be told: " + plain(err.Error())}}
	case out == types.True:
		return Issues{{Line: 1, Column: 1, Message: "it is true whoever asks: for everybody who is known write subject != ''"}}
	case out == types.False:
		return Issues{{Line: 1, Column: 1, Message: "it is false whoever asks"}}
	}
	return nil
}

// Reads reports whether the rule mentions a variable, such as SubjectClaims, or a claim: "claims.email".
func (r *SubjectRule) Reads(name string) bool { return slices.Contains(r.reads, name) }

// Means reports whether the rule is about the subject. An error says that this could not be told, such as for a claim that is not
// there: nobody is meant by an error.
func (r *SubjectRule) Means(s *SubjectFacts) (bool, error) {
	out, _, err := r.planned.Eval(s)
	if err != nil {
		return false, fmt.Errorf("cannot tell whether the subject is meant: %w", err)
	}
	means, ok := out.(types.Bool)
	if !ok {
		return false, errors.New("cannot tell whether the subject is meant: the rule yields no bool")
	}
	return bool(means), nil
}
