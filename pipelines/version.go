package pipelines

import (
	"cmp"
	"strings"
)

// compareVersions orders versions as people read them: numbers as numbers, so that 1.10 comes after 1.9, and what
// has a dash (1.0.0-rc1) before the same without.
func compareVersions(a, b string) int {
	mainA, preA, hasA := strings.Cut(a, "-")
	mainB, preB, hasB := strings.Cut(b, "-")
	if c := compareRuns(mainA, mainB); c != 0 {
		return c
	}
	if hasA != hasB {
		if hasA {
			return -1
		}
		return 1
	}
	return cmp.Or(compareRuns(preA, preB), strings.Compare(a, b))
}

// compareRuns compares runs of digits as numbers and all else as text.
func compareRuns(a, b string) int {
	for a != "" && b != "" {
		runA, restA := run(a)
		runB, restB := run(b)
		c := strings.Compare(runA, runB)
		if isDigit(runA[0]) && isDigit(runB[0]) {
			numberA, numberB := strings.TrimLeft(runA, "0"), strings.TrimLeft(runB, "0")
			c = cmp.Or(cmp.Compare(len(numberA), len(numberB)), strings.Compare(numberA, numberB))
		}
		if c != 0 {
			return c
		}
		a, b = restA, restB
	}
	return cmp.Compare(len(a), len(b))
}

func run(s string) (first, rest string) {
	i := 1
	for i < len(s) && isDigit(s[i]) == isDigit(s[0]) {
		i++
	}
	return s[:i], s[i:]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
