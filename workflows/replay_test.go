package workflows_test

import (
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/workflows"
	"sluice.dev/sluice/workflows/shape"
)

// histories holds a folder for each shape of workflow code whose runs may still be open.
const histories = "testdata/histories"

// TestReplays replays the histories of runs that earlier code made, and so shows that a worker with this code can take
// them up where they are. `make histories` fills the folder of the newest shape; the others are closed.
func TestReplays(t *testing.T) {
	files := historyFiles(t, "*")
	if len(files) < 290 {
		t.Fatalf("there are %d histories", len(files))
	}
	for _, file := range files {
		t.Run(nameOf(file), func(t *testing.T) {
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

// TestClosedShapesStayAsTheyWere holds the stored histories to the sums that were written down when their shape was
// released: a history made anew from changed code proves nothing about an upgrade.
func TestClosedShapesStayAsTheyWere(t *testing.T) {
	shapes, err := os.ReadDir(histories)
	if err != nil {
		t.Fatal(err)
	}
	if newest := strconv.Itoa(int(shape.Newest)); shapes[len(shapes)-1].Name() != newest {
		t.Errorf("the newest histories are of shape %s, and new runs begin with shape %s: record them before it is released",
			shapes[len(shapes)-1].Name(), newest)
	}
	for _, shape := range shapes {
		listed := sums(t, filepath.Join(histories, shape.Name(), "SHA256SUMS"))
		for _, file := range historyFiles(t, shape.Name()) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, ok := listed[filepath.Base(file)]
			switch got := fmt.Sprintf("%x", sha256.Sum256(data)); {
			case !ok:
				t.Errorf("%s is not in the list of a closed shape: a new history belongs to a new shape", file)
			case got != want:
				t.Errorf("%s was changed after its shape was closed", file)
			}
			delete(listed, filepath.Base(file))
		}
		for name := range listed {
			t.Errorf("%s of shape %s is gone: a shape is retired whole, by a decision record", name, shape.Name())
		}
	}
}

// TestHistoriesAreOfTheirShape finds a history that lies in the folder of another shape than the one that it notes.
func TestHistoriesAreOfTheirShape(t *testing.T) {
	for _, file := range historyFiles(t, "*") {
		want := filepath.Base(filepath.Dir(file))
		if got := shapeIn(t, read(t, file)); got != want {
			t.Errorf("%s is in the folder of shape %s, and its execution began with shape %s", file, want, got)
		}
	}
}

// shapeIn is the shape that a history notes; the first one noted nothing.
func shapeIn(t *testing.T, h *history.History) string {
	t.Helper()
	for _, e := range h.Events {
		marker := e.GetMarkerRecordedEventAttributes()
		if marker.GetMarkerName() != "Version" {
			continue
		}
		var name string
		var version int
		c := converter.GetDefaultDataConverter()
		if err := c.FromPayloads(marker.Details["change-id"], &name); err != nil {
			t.Fatal(err)
		}
		if name != "shape" {
			continue
		}
		if err := c.FromPayloads(marker.Details["version"], &version); err != nil {
			t.Fatal(err)
		}
		return strconv.Itoa(version)
	}
	return "1"
}

func historyFiles(t *testing.T, shape string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(histories, shape, "*.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func nameOf(file string) string {
	return filepath.Base(filepath.Dir(file)) + "/" + strings.TrimSuffix(filepath.Base(file), ".json.gz")
}

// sums reads what sha256sum wrote: a sum and a file's name a line.
func sums(t *testing.T, list string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("%s: %q is not a line of sha256sum", list, line)
		}
		out[name] = sum
	}
	return out
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
