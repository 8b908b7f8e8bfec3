package e2e_test

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/engine"
)

// recordEnv names a folder into which the histories of the runs of these tests are written, for workflows/TestReplays.
const recordEnv = "SLUICE_RECORD_HISTORIES"

// keep writes the history of a workflow down where somebody asked for it.
func (s *site) keep(id string) {
	s.t.Helper()
	dir := os.Getenv(recordEnv)
	if dir == "" {
		return
	}
	c, err := engine.Dial(s.t.Context(), s.dial)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	keepHistory(s.t, c.Client, id, "")
}

// keepHistory writes the history of an execution down where somebody asked for it: of the latest one, or of the run that is named.
func keepHistory(t testing.TB, c client.Client, id, run string) {
	t.Helper()
	dir := os.Getenv(recordEnv)
	if dir == "" {
		return
	}
	h := &history.History{}
	events := c.GetWorkflowHistory(t.Context(), id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		h.Events = append(h.Events, e)
	}
	suffix := ""
	if run != "" {
		suffix = "_first"
	}
	data, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, strings.ReplaceAll(id, "/", "_")+suffix+".json.gz"), data)
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
