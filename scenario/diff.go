package scenario

import (
	"slices"
	"strings"
)

// Differs compares decisions with those that were expected, line by line: "-" is what was expected and did not come, "+" what came and was
// not expected. It is empty where they are the same. How many spaces are between words does not matter.
func Differs(expected, got []string) []string {
	want, have := plain(expected), plain(got)
	if slices.Equal(want, have) {
		return nil
	}
	common := longest(want, have)
	var lines []string
	i, j := 0, 0
	for i < len(want) || j < len(have) {
		switch {
		case i < len(want) && j < len(have) && want[i] == have[j]:
			lines = append(lines, "  "+got[j])
			i, j = i+1, j+1
		case i < len(want) && (j == len(have) || common[i+1][j] >= common[i][j+1]):
			lines = append(lines, "- "+expected[i])
			i++
		default:
			lines = append(lines, "+ "+got[j])
			j++
		}
	}
	return lines
}

// longest is how many lines two texts have in common from a line of each on.
func longest(a, b []string) [][]int {
	n := make([][]int, len(a)+1)
	for i := range n {
		n[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if n[i][j] = max(n[i+1][j], n[i][j+1]); a[i] == b[j] {
				n[i][j] = n[i+1][j+1] + 1
			}
		}
	}
	return n
}

func plain(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.Join(strings.Fields(line), " ")
	}
	return out
}
