package source_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/workflows/source"
)

// TestReplays replays histories of sources that were followed by a real worker, so that one with this code can take them up where they
// are. A file there is never made anew: a change of what is asked for goes behind workflow.GetVersion, and adds one.
func TestReplays(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no histories: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			file, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			unzipped, err := gzip.NewReader(file)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(unzipped)
			if err != nil {
				t.Fatal(err)
			}
			h := &history.History{}
			if err := (temporalproto.CustomJSONUnmarshalOptions{}).Unmarshal(data, h); err != nil {
				t.Fatal(err)
			}
			start := h.Events[0].GetWorkflowExecutionStartedEventAttributes()
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflowWithOptions(source.Source, workflow.RegisterOptions{Name: api.SourceWorkflowName})
			err = replayer.ReplayWorkflowHistoryWithOptions(nil, h, worker.ReplayWorkflowHistoryOptions{
				OriginalExecution: workflow.Execution{ID: start.GetWorkflowId(), RunID: start.GetOriginalExecutionRunId()},
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
