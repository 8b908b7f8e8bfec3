package rule

import "strings"

// Suggest returns ": did you mean X?" for the name of those that is closest to what was written, the first of them
// in case of a tie, or nothing where none is close. What a name starts with is close to it.
func Suggest(written string, names []string) string {
	best, distance := "", len(written)/3+1
	if len(written) < 3 {
		distance = 1
	}
	for _, name := range names {
		if strings.EqualFold(name, written) {
			return ": did you mean " + name + "?"
		}
		if d := edits(written, name, distance); d < distance {
			best, distance = name, d
		}
	}
	for _, name := range names {
		if best == "" && len(written) >= 3 && strings.HasPrefix(name, written) {
			best = name
		}
	}
	if best == "" {
		return ""
	}
	return ": did you mean " + best + "?"
}

// edits counts the letters to change, add, drop or swap between a and b, up to limit.
func edits(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := []int(nil), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, make([]int, len(b)+1)
	}
	return last[len(b)]
}
