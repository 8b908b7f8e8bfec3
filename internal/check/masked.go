package check

import (
	"encoding/json"
	"strings"

	"sluice.dev/sluice/internal/logscan"
)

// masked is a finding without the secrets that it shows: all of it is stored, sent and shown to whoever may see the run, whichever kind
// of check it comes from.
func masked(f Finding) Finding {
	f.Message = logscan.Mask(f.Message)
	f.Seen, _ = maskedAs("", f.Seen).(map[string]any)
	results, _ := maskedAs("", map[string]any(f.Results)).(map[string]any)
	f.Results = results
	return f
}

// maskedAs is a value under a name, which may say that it is secret.
func maskedAs(name string, value any) any {
	switch v := value.(type) {
	case nil, bool, int, int64, uint64, float64, json.Number:
		return v
	case string:
		return maskedText(name, v)
	case []string:
		all := make([]string, len(v))
		for i := range v {
			all[i] = maskedText(name, v[i])
		}
		return all
	case map[string]string:
		all := make(map[string]string, len(v))
		for key, text := range v {
			all[key] = maskedText(key, text)
		}
		return all
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = maskedAs(name, v[i])
		}
		return all
	case map[string]any:
		if v == nil {
			return v
		}
		all := make(map[string]any, len(v))
		for key, below := range v {
			all[key] = maskedAs(key, below)
		}
		return all
	}
	return maskedAs(name, plainly(value))
}

func maskedText(name, text string) string {
	if plain := logscan.Mask(text); name == "" || plain != text {
		return plain
	}
	if plain, whole := strings.CutPrefix(logscan.Mask(name+"="+text), name+"="); whole {
		return plain
	}
	return text
}

// plainly is a value as JSON has it; one that JSON has not is left out.
func plainly(value any) any {
	var plain any
	body, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	_ = decoder.Decode(&plain) // it was just written
	return plain
}
