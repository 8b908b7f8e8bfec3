package probe

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// StatusRange is a range of HTTP statuses, its ends among them.
type StatusRange struct {
	Low, High int
}

var statusRange = regexp.MustCompile(`^([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?$|^([1-5])xx$`)

// ParseStatusRange reads 204, 200-299 or 2xx.
func ParseStatusRange(text string) (StatusRange, error) {
	found := statusRange.FindStringSubmatch(strings.TrimSpace(text))
	if found == nil {
		return StatusRange{}, fmt.Errorf("%q is no status, such as 204, 200-299 or 2xx", text)
	}
	if found[3] != "" {
		hundreds, _ := strconv.Atoi(found[3])
		return StatusRange{hundreds * 100, hundreds*100 + 99}, nil
	}
	low, _ := strconv.Atoi(found[1])
	high := low
	if found[2] != "" {
		high, _ = strconv.Atoi(found[2])
	}
	if high < low {
		return StatusRange{}, fmt.Errorf("%q ends before it begins", text)
	}
	return StatusRange{low, high}, nil
}
