package cli

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/utils/clock"
)

// TestAPodAsksAndSaysWhatCameOfIt where Kubernetes reads it; what went wrong before it could ask is no answer.
func TestAPodAsksAndSaysWhatCameOfIt(t *testing.T) {
	server := httptest.NewServer(nil)
	t.Cleanup(server.Close)
	for _, c := range []struct {
		reason, question string
		code             int
		says             string
	}{
		{"it asks", `{"step": {"http": {"url": "` + server.URL + `"}}, "timeout": "30s"}`, 0, `{"verdict":"Failed","message":"GET ` + server.URL + `: status 404"`},
		{"there is no question", "", 2, ""},
		{"the question is one of a newer worker", `{"newer": true}`, 2, ""},
	} {
		file := filepath.Join(t.TempDir(), "log")
		var errs bytes.Buffer
		f := &Factory{Out: &errs, Err: &errs, Clock: clock.RealClock{}, Getenv: func(name string) string {
			return map[string]string{"SLUICE_QUESTION": c.question, "TERMINATION_LOG": file}[name]
		}}
		code := Execute(t.Context(), []string{"answer-probe"}, f)
		said, _ := os.ReadFile(file)
		if code != c.code || !strings.HasPrefix(string(said), c.says) || c.says == "" && len(said) > 0 {
			t.Errorf("%s: exit code %d, %q, %s", c.reason, code, said, errs.String())
		}
	}
}

// TestAWorkerOfTheLocalStackHasAnImageToAskFrom, unless it is told another or serves other clusters.
func TestAWorkerOfTheLocalStackHasAnImageToAskFrom(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "stack.json"), []byte(`{"kubeconfig": "/tmp/of-the-stack"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ kubeconfig, given, want string }{
		{"", "", localProber}, {"", "mine:1", "mine:1"}, {"/tmp/other", "", ""}, {"/tmp/other", "mine:1", "mine:1"},
	} {
		o := &WorkerOptions{Factory: &Factory{Dir: dir, Getenv: func(string) string { return "" }}, ProberImage: c.given}
		if c.kubeconfig != "" {
			o.Kubeconfigs = []string{c.kubeconfig}
		}
		if err := o.useStack(); err != nil || o.ProberImage != c.want {
			t.Errorf("with kubeconfig %q and image %q it is %q: %v", c.kubeconfig, c.given, o.ProberImage, err)
		}
	}
}
