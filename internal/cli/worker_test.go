package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/engine"
)

const twoContexts = `apiVersion: v1
kind: Config
clusters: [{name: k, cluster: {server: "https://127.0.0.1:1"}}]
contexts:
- {name: a, context: {cluster: k}}
- {name: b, context: {cluster: k}}
`

func TestWorkerRefusesABadKubeconfig(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"broken": "a: [", "empty": "", "other": "kind: Config\napiVersion: v1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"missing", "broken", "empty", "other", "."} {
		path := filepath.Join(dir, file)
		var errs bytes.Buffer
		f := &Factory{
			Out: &errs, Err: &errs, Dir: t.TempDir(), Getenv: func(string) string { return "" },
			Worker: func(context.Context, WorkerRun) error { t.Errorf("%s: it serves", file); return nil },
		}
		code := Execute(t.Context(), []string{"worker", "--kubeconfig", path}, f)
		if code != 2 || !strings.Contains(errs.String(), path) {
			t.Errorf("%s: exit code %d, %q; want 2 and the name of the file", file, code, errs.String())
		}
	}
}

func TestWorkerHasMetricsWhereTheyAreAskedFor(t *testing.T) {
	for _, args := range [][]string{nil, {"--metrics", "127.0.0.1:9464"}} {
		var asked *WorkerOptions
		cmd := NewCmdWorker(&Factory{}, func(_ context.Context, o *WorkerOptions) error { asked = o; return nil })
		cmd.SetArgs(args)
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		run := asked.measured()
		if want := len(args) > 0; (run.Metrics != nil) != want || (run.MetricsAddress != "") != want || (run.ofTemporal() != nil) != want {
			t.Errorf("%v: %+v", args, run)
		}
	}
}

func TestWorkerSaysWhatItServes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "two")
	if err := os.WriteFile(file, []byte(twoContexts), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := readKubeconfigs([]string{file}, true)
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	o := &WorkerOptions{Factory: &Factory{Err: &errs}}
	if err := o.serving(&engine.Connection{Address: "fake:7233", Namespace: "infra"}, "sluice-1", k); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"serving task queue sluice-1", "at fake:7233, namespace infra", file + " (2 contexts)"} {
		if !strings.Contains(errs.String(), words) {
			t.Errorf("does not say %q: %s", words, errs.String())
		}
	}
}
