package server

import (
	"bytes"
	"maps"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/fault"
)

// maxValues bounds the values of a body: one of two bytes takes twenty times as much in memory.
const maxValues = 50_000

// boundedFormats read no body that has more values than may be.
func boundedFormats(of map[string]huma.Format) map[string]huma.Format {
	bounded := maps.Clone(of)
	for name, f := range bounded {
		unmarshal := f.Unmarshal
		f.Unmarshal = func(data []byte, v any) error {
			if hasMoreValues(data, maxValues) {
				return fault.New(fault.Invalid, "it has more than %d values", maxValues)
			}
			return unmarshal(data, v)
		}
		bounded[name] = f
	}
	return bounded
}

// hasMoreValues reports whether a text, of JSON or not, has more of what separates and opens values than may be. What is in strings does
// not count.
func hasMoreValues(data []byte, most int) bool {
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case ',', '[', '{':
			if most--; most < 0 {
				return true
			}
		case '"':
			if i += stringEnd(data[i+1:]); i >= len(data) {
				return false
			}
		}
	}
	return false
}

// stringEnd is how far the end of a string of JSON is from its beginning, with both quotes of it.
func stringEnd(data []byte) int {
	for i := 0; ; {
		next := bytes.IndexAny(data[i:], `"\`)
		if next < 0 {
			return len(data) + 1
		}
		if i += next; data[i] == '"' {
			return i + 1
		}
		if i += 2; i > len(data) {
			return len(data) + 1
		}
	}
}
