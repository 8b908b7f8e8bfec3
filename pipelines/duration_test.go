package pipelines_test

import (
	"encoding/json"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"sluice.dev/sluice/pipelines"
)

func TestDuration(t *testing.T) {
	cases := map[string]struct {
		text    string
		want    time.Duration
		printed string
	}{
		"Minutes":              {"10m", 10 * time.Minute, "10m"},
		"Days":                 {"7d", 7 * 24 * time.Hour, "7d"},
		"Days and hours":       {"1d12h", 36 * time.Hour, "1d12h"},
		"Hours become days":    {"24h", 24 * time.Hour, "1d"},
		"Half an hour":         {"0.5h", 30 * time.Minute, "30m"},
		"Half a day":           {"0.5d", 12 * time.Hour, "12h"},
		"Seconds roll over":    {"90s", 90 * time.Second, "1m30s"},
		"Below a second":       {"1500ms", 1500 * time.Millisecond, "1.5s"},
		"Zero without a unit":  {"0", 0, "0s"},
		"Zero":                 {"0s", 0, "0s"},
		"Days after hours":     {"1h1d", 25 * time.Hour, "1d1h"},
		"Days around hours":    {"1d1h1d", 49 * time.Hour, "2d1h"},
		"Microseconds, mu":     {"5µs", 5 * time.Microsecond, "5µs"},
		"Two hundred years":    {"100000d", 100_000 * 24 * time.Hour, "100000d"},
		"As Go writes it":      {"1h0m1s", time.Hour + time.Second, "1h1s"},
		"A day short of whole": {"23h59m59s", 24*time.Hour - time.Second, "23h59m59s"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := pipelines.ParseDuration(tc.text)
			if err != nil {
				t.Fatalf("ParseDuration(%q): %v", tc.text, err)
			}
			if got.Std() != tc.want {
				t.Errorf("ParseDuration(%q): got %s, want %s", tc.text, got.Std(), tc.want)
			}
			if got.String() != tc.printed {
				t.Errorf("%q prints as %s, want %s", tc.text, got, tc.printed)
			}
		})
	}
}

func TestDurationThatIsNone(t *testing.T) {
	for _, text := range []string{"", "10", "-1m", "+1m", "1w", "ten", "1 h", "1h ", "m", "1.h", "d", "1000000000d", "9999999999h", "106751d24h", "1e3s"} {
		if got, err := pipelines.ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q): got %s, want an error", text, got)
		}
	}
	var d pipelines.Duration
	if err := json.Unmarshal([]byte("600"), &d); err == nil {
		t.Errorf("json.Unmarshal(600): got %s, want an error: nobody can tell the unit", d)
	}
}

func TestDurationSurvivesTextJSONAndYAML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := pipelines.Duration(rapid.Int64Range(0, int64(3*365*pipelines.Day)).Draw(t, "duration"))
		if rapid.Bool().Draw(t, "whole") {
			d -= d % pipelines.Duration(time.Second)
		}
		if got, err := pipelines.ParseDuration(d.String()); err != nil || got != d {
			t.Fatalf("ParseDuration(%q): got %s, %v", d, got, err)
		}
		data, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var fromJSON, fromYAML pipelines.Duration
		if err := json.Unmarshal(data, &fromJSON); err != nil || fromJSON != d {
			t.Fatalf("JSON %s: got %s, %v", data, fromJSON, err)
		}
		if data, err = yaml.Marshal(d); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, &fromYAML); err != nil || fromYAML != d {
			t.Fatalf("YAML %s: got %s, %v", data, fromYAML, err)
		}
	})
}
