package pipelines

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Duration is a time.Duration that is written as Go writes it, and in days as "7d".
type Duration time.Duration

// Day is 24 hours: Sluice counts days as time that passes, not by any calendar.
const Day = 24 * time.Hour

const durationPattern = `^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))+)$`

var (
	durationForm = regexp.MustCompile(durationPattern)
	durationDays = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)d`)
)

// ParseDuration reads what time.ParseDuration does, without a sign, and days: "10m", "1h30m", "7d", "1d12h".
func ParseDuration(text string) (Duration, error) {
	if !durationForm.MatchString(text) {
		return 0, fmt.Errorf("%q is no duration such as 90s, 10m, 24h or 7d", text)
	}
	days, tooLong := time.Duration(0), false
	rest := durationDays.ReplaceAllStringFunc(text, func(part string) string {
		n, err := strconv.ParseFloat(strings.TrimSuffix(part, "d"), 64)
		if err != nil || n >= float64(math.MaxInt64/int64(Day)) || time.Duration(n*float64(Day)) > math.MaxInt64-days {
			tooLong = true
			return ""
		}
		days += time.Duration(n * float64(Day))
		return ""
	})
	if tooLong {
		return 0, errTooLong(text)
	}
	if rest == "" {
		return Duration(days), nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d > math.MaxInt64-days {
		return 0, errTooLong(text)
	}
	return Duration(days + d), nil
}

func errTooLong(text string) error {
	return errors.New("duration " + text + " is too long")
}

// Std is the duration as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String prints the duration as people write it, from days down: 7d, 1d12h, 10m, 1m30s, 0s. ParseDuration reads it
// back to the same value.
func (d Duration) String() string {
	rest := time.Duration(d)
	if rest < 0 || rest%time.Second != 0 {
		return rest.String()
	}
	if rest == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, part := range []struct {
		unit time.Duration
		name string
	}{{Day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := rest / part.unit; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + part.name)
			rest %= part.unit
		}
	}
	return b.String()
}

// MarshalJSON writes the duration as String does.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(d.String())
}

// UnmarshalJSON reads what ParseDuration does.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("cannot read duration: %w", err)
	}
	parsed, err := ParseDuration(text)
	if err != nil {
		return fmt.Errorf("cannot read duration: %w", err)
	}
	*d = parsed
	return nil
}

// UnmarshalYAML reads what ParseDuration does.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := ParseDuration(node.Value)
	if err != nil {
		return fmt.Errorf("cannot read duration: %w", err)
	}
	*d = parsed
	return nil
}

// MarshalYAML writes the duration as String does.
func (d Duration) MarshalYAML() (any, error) {
	return d.String(), nil
}
