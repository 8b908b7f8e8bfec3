package rule

import (
	"fmt"
	"reflect"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
)

// Bounds on a rule. Whoever writes rules is trusted to mean well, not to count: a rule over every event of a workload
// costs some hundred units, one over a thousand maps some three thousand.
const (
	// MaxSource is how long a rule may be, in characters.
	MaxSource = 4096
	// MaxCost is how much work one evaluation may be, in cel-go's units; past it the evaluation is an error.
	MaxCost = 100_000

	maxNodes          = 5_000
	maxDepth          = 100
	maxRange          = 1_000 // elements that lists.range may make
	maxRegexSize      = 1_000
	maxLoopDepth      = 3
	interruptInterval = 100 // loop steps between two looks at the context
)

// newEnv builds the environment of a scope. The versions of the function libraries are fixed, so that a newer cel-go
// does not change what a rule means.
func newEnv(scope Scope, params []Param) (*cel.Env, error) {
	if scope.Facts() == nil {
		return nil, fmt.Errorf("cannot build rule environment: there is no scope %q", scope)
	}
	natives := []any{ext.ParseStructTags(true)}
	var variables []cel.EnvOption
	for _, fact := range scope.Facts() {
		t := factType(fact)
		natives = append(natives, t)
		variables = append(variables, cel.Variable(fact, cel.ObjectType(typeName(t))))
	}
	for _, p := range params {
		variables = append(variables, cel.Variable(p.path(), p.Type.cel()))
	}
	options := append(language(), ext.NativeTypes(natives...))
	env, err := cel.NewEnv(append(options, variables...)...)
	if err != nil {
		return nil, fmt.Errorf("cannot build rule environment: %w", err)
	}
	return env, nil
}

// language is what every rule is written in, and its bounds.
func language() []cel.EnvOption {
	return []cel.EnvOption{
		ext.Strings(ext.StringsVersion(5)),
		ext.Lists(ext.ListsVersion(3), ext.ListsMaxRangeSize(maxRange)),
		ext.Math(ext.MathVersion(3)),
		cel.ParserExpressionSizeLimit(MaxSource),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserErrorRecoveryLimit(4),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegexSize),
		cel.EnableIdentifierEscapeSyntax(),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateRegexLiterals(),
			cel.ValidateComprehensionNestingLimit(maxLoopDepth),
		),
	}
}

// typeName is the name under which ext.NativeTypes declares a Go struct.
func typeName(t reflect.Type) string {
	return t.String()
}
