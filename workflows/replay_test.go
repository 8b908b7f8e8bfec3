package workflows_test

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/workflows"
)

// TestReplays replays the histories of runs that earlier code made, and so shows that a worker with this code can take
// them up where they are. `make histories` adds new ones; old ones stay for as long as runs of their shape may be open.
func TestReplays(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 6 {
		t.Fatalf("there are %d histories", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json.gz"), func(t *testing.T) {
			h := read(t, file)
			replayer := worker.NewWorkflowReplayer()
			workflows.Register(replayer)
			start := h.Events[0].GetWorkflowExecutionStartedEventAttributes()
			err := replayer.ReplayWorkflowHistoryWithOptions(nil, h, worker.ReplayWorkflowHistoryOptions{
				OriginalExecution: workflow.Execution{ID: start.GetWorkflowId(), RunID: start.GetOriginalExecutionRunId()},
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func read(t *testing.T, file string) *history.History {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	h := &history.History{}
	data := make([]byte, 0, 1<<20)
	buf := make([]byte, 32<<10)
	for {
		n, err := z.Read(buf)
		data = append(data, buf[:n]...)
		if err != nil {
			break
		}
	}
	if err := (temporalproto.CustomJSONUnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, h); err != nil {
		t.Fatal(err)
	}
	if len(h.Events) == 0 {
		t.Fatalf("%s has no events", file)
	}
	return h
}
