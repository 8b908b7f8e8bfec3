package check

import (
	"encoding/json"
	"maps"
	"strings"
)

// Results are what steps after one read of it, by name: a string, int64, float64, bool, or a list or map of texts each.
type Results map[string]any

// UnmarshalJSON reads a whole number as an int64: as a float64 it would not be what it was.
func (r *Results) UnmarshalJSON(text []byte) error {
	var all map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		return err
	}
	for name, value := range maps.Clone(all) {
		number, is := value.(json.Number)
		if !is {
			continue
		}
		if n, err := number.Int64(); err == nil {
			all[name] = n
			continue
		}
		n, err := number.Float64()
		if err != nil {
			return err
		}
		all[name] = n
	}
	*r = all
	return nil
}
