// Package param reads what a case is told in its environment, within bounds.
package param

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/probes/internal/trial"
)

// Reader reads variables. The first that cannot be used is its error.
type Reader struct {
	getenv func(string) string
	err    error
}

// New reads an environment.
func New(getenv func(string) string) *Reader { return &Reader{getenv: getenv} }

// Err is what cannot be used: a case that is told nonsense cannot look.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return trial.Blind("BadParameter", "cannot read what the case is told: %w", r.err)
}

func (r *Reader) fail(name, value, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s is %q: want %s", name, value, want)
	}
}

// Text is a variable, or what is said where it is empty.
func (r *Reader) Text(name, otherwise string) string {
	if v := r.getenv(name); v != "" {
		return v
	}
	return otherwise
}

// Duration is a duration of at least 1 ms.
func (r *Reader) Duration(name string, otherwise, most time.Duration) time.Duration {
	v := r.getenv(name)
	if v == "" {
		return otherwise
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < time.Millisecond || d > most {
		r.fail(name, v, "a duration of 1ms to "+most.String())
		return otherwise
	}
	return d
}

// Int is a whole number of least to most.
func (r *Reader) Int(name string, otherwise, least, most int) int {
	v := r.getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		r.fail(name, v, fmt.Sprintf("a number of %d to %d", least, most))
		return otherwise
	}
	return n
}

// Share is a percentage, as 99.5%, as a share of 0 to 1.
func (r *Reader) Share(name string, otherwise float64) float64 {
	v := r.getenv(name)
	if v == "" {
		return otherwise
	}
	percent, ok := strings.CutSuffix(v, "%")
	f, err := strconv.ParseFloat(percent, 64)
	// Written so that NaN is refused too.
	if err != nil || !ok || !(f >= 0 && f <= 100) {
		r.fail(name, v, "a percentage such as 99.5%")
		return otherwise
	}
	return f / 100
}

// Choice is one of several words; the first is the default.
func (r *Reader) Choice(name string, words ...string) string {
	v := r.Text(name, words[0])
	for _, w := range words {
		if v == w {
			return v
		}
	}
	r.fail(name, v, "one of "+strings.Join(words, ", "))
	return words[0]
}

// List is a list with commas between, of at most so many.
func (r *Reader) List(name string, most int) []string {
	var items []string
	for item := range strings.SplitSeq(r.getenv(name), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	if len(items) > most {
		r.fail(name, r.getenv(name), fmt.Sprintf("at most %d", most))
		return items[:most]
	}
	return items
}

// Labels are pairs such as pool=edge,zone=a.
func (r *Reader) Labels(name string) map[string]string {
	labels := map[string]string{}
	for _, item := range r.List(name, 20) {
		key, value, ok := strings.Cut(item, "=")
		if !ok || key == "" {
			r.fail(name, item, "pairs such as pool=edge,zone=a")
		}
		labels[key] = value
	}
	return labels
}
