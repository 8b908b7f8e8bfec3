package pipelines

import (
	"strings"
	"unicode"
)

// How the variables begin that every program of a check finds in its environment: one for each param, and for what is known of
// the unit.
const (
	envParams = "PARAM_"
	envFacts  = "SLUICE_"
)

// EnvName is the variable in which a program finds a param: minSuccess is PARAM_MIN_SUCCESS.
func EnvName(param string) string {
	var b strings.Builder
	b.WriteString(envParams)
	before := rune(0)
	for _, r := range param {
		if unicode.IsUpper(r) && (unicode.IsLower(before) || unicode.IsDigit(before)) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
		before = r
	}
	return b.String()
}
