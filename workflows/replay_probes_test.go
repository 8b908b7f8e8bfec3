package workflows_test

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"

	"sluice.dev/sluice/internal/api"
)

// probes holds the histories of cases that people had run. A Probe notes no shape: it asks for one activity, and ends. What it asks for stays
// as it is, or it gets another name. They were made by a Temporal server, and a worker whose activity answered as their names say; they are
// never made anew, as those of a closed shape.
const probes = "testdata/probes"

// TestReplaysOfProbes takes up each of them where it ended, and where it waited for the activity, as an upgrade finds it.
func TestReplaysOfProbes(t *testing.T) {
	listed, err := sums(filepath.Join(probes, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(probes, "*.json.gz"))
	if err != nil || len(files) != len(listed) || len(files) < 6 {
		t.Fatalf("there are %d histories, and %v are listed: %v", len(files), slices.Sorted(maps.Keys(listed)), err)
	}
	for _, file := range files {
		t.Run(nameOf(file), func(t *testing.T) {
			if sumOf(t, file) != listed[filepath.Base(file)] {
				t.Error("it was changed after it was made")
			}
			h := read(t, file)
			start := h.Events[0].GetWorkflowExecutionStartedEventAttributes()
			if start.GetWorkflowType().GetName() != api.ProbeWorkflowName {
				t.Fatalf("it is of a %s", start.GetWorkflowType().GetName())
			}
			for _, one := range []*history.History{h, waiting(h)} {
				if err := replay(one); err != nil {
					t.Errorf("after %d events: %v", len(one.Events), err)
				}
			}
		})
	}
}

// waiting is the beginning of a history, until its activity was asked for.
func waiting(h *history.History) *history.History {
	i := slices.IndexFunc(h.Events, func(e *history.HistoryEvent) bool { return e.EventType == enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED })
	one := proto.Clone(h).(*history.History)
	one.Events = one.Events[:i+1]
	return one
}
