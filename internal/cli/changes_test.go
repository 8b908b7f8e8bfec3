package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
)

func TestChangesOfAClusterAreListed(t *testing.T) {
	s := newSession(t, api.PhaseSucceeded)
	if out, err, code := s.types("run agent --go --wait -f " + s.files); code != 0 {
		t.Fatalf("%s%s", out, err)
	}
	if out, err, code := s.types("changes c9"); code != 0 || !strings.HasPrefix(out, "nothing that is known touched c9 since ") {
		t.Errorf("of a cluster that nothing touched: %d: %s%s", code, out, err)
	}
	out, err, code := s.types("changes c1 --since 30m -o json")
	var found engine.Changes
	if code != 0 || json.Unmarshal([]byte(out), &found) != nil || found.Cluster != "c1" || found.Changes == nil {
		t.Errorf("%d: %s%s", code, out, err)
	}
	for _, line := range []string{"changes", "changes c1 --since 0s", "changes c1 --since -1h"} {
		if out, err, code := s.types(line); code != 2 {
			t.Errorf("%s exits with %d: %s%s", line, code, out, err)
		}
	}
}
