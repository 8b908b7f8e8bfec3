package workflows_test

import (
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
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
// them up where they are. `make histories` fills the folder of the newest shape; those before it are closed.
func TestReplays(t *testing.T) {
	files := historyFiles(t, "*")
	if len(files) < 290 {
		t.Fatalf("there are %d histories", len(files))
	}
	for _, file := range files {
		t.Run(nameOf(file), func(t *testing.T) {
			if err := replay(read(t, file)); err != nil {
				t.Error(err)
			}
		})
	}
}

// replay has the code of now take up an execution where its history ends.
func replay(h *history.History) error {
	replayer := worker.NewWorkflowReplayer()
	workflows.Register(replayer)
	start := h.Events[0].GetWorkflowExecutionStartedEventAttributes()
	return replayer.ReplayWorkflowHistoryWithOptions(nil, h, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: start.GetWorkflowId(), RunID: start.GetOriginalExecutionRunId()},
	})
}

// TestClosedShapesStayAsTheyWere holds the stored histories to the sums that were written down when their shape was
// closed: a history made anew from changed code proves nothing about an upgrade. Only the newest shape may be open.
func TestClosedShapesStayAsTheyWere(t *testing.T) {
	folders, err := os.ReadDir(histories)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if n, err := strconv.Atoi(f.Name()); err != nil || n < int(oldest) || n > int(shape.Newest) {
			t.Errorf("there are histories of shape %s, and no such shape", f.Name())
		}
	}
	for n := oldest; n <= shape.Newest; n++ {
		name := strconv.Itoa(int(n))
		listed, err := sums(filepath.Join(histories, name, "SHA256SUMS"))
		if n == shape.Newest && errors.Is(err, fs.ErrNotExist) {
			continue // it is open
		}
		if err != nil {
			t.Errorf("shape %s is not closed, and a newer one has begun: %v", name, err)
			continue
		}
		for _, wrong := range unlike(t, name, listed) {
			t.Error(wrong)
		}
	}
}

// oldest is the shape whose histories are the oldest that are still replayed; the first one noted no number.
const oldest = shape.Shape(1)

// unlike says what in the folder of a closed shape is not as it was listed.
func unlike(t *testing.T, shape string, listed map[string]string) (wrong []string) {
	for _, file := range historyFiles(t, shape) {
		want, ok := listed[filepath.Base(file)]
		switch got := sumOf(t, file); {
		case !ok:
			wrong = append(wrong, file+" is not in the list of a closed shape: a new history belongs to a new shape")
		case got != want:
			wrong = append(wrong, file+" was changed after its shape was closed")
		}
		delete(listed, filepath.Base(file))
	}
	for name := range listed {
		wrong = append(wrong, name+" of shape "+shape+" is gone: a shape is retired whole, by a decision record")
	}
	return wrong
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

func sumOf(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
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
func sums(list string) (map[string]string, error) {
	data, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			return nil, fmt.Errorf("%s: %q is not a line of sha256sum", list, line)
		}
		out[name] = sum
	}
	return out, nil
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
