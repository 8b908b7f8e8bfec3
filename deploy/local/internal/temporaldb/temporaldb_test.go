package temporaldb

import (
	"os"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		file, marker string
		fails        string
		reason       string
	}{
		"NoFile":       {marker: "0.1", reason: "where nothing is, nothing can be broken"},
		"OurFile":      {file: "x", marker: Version + "\n", reason: "this version made it"},
		"OtherFile":    {file: "x", marker: "1.30.0\n", fails: "version 1.30.0", reason: "there are no migrations"},
		"UnmarkedFile": {file: "x", fails: "unknown version", reason: "nobody says who made it"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, text := range map[string]string{File(dir): tc.file, marker(dir): tc.marker} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := Check(dir)
			if tc.fails == "" && err != nil {
				t.Errorf("%s: %v", tc.reason, err)
			}
			if tc.fails != "" && (err == nil || !strings.Contains(err.Error(), tc.fails) || !strings.Contains(err.Error(), Version)) {
				t.Errorf("%s: error %v, want %q and our version in it", tc.reason, err, tc.fails)
			}
		})
	}
}
