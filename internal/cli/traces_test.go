package cli

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"k8s.io/utils/clock"
)

func TestAProcessWorksWithoutTraces(t *testing.T) {
	for _, c := range []struct{ reason, endpoint, protocol, says string }{
		{"nobody wants them", "", "", ""},
		{"they cannot be sent so", "http://collector:4317", "grpc", "no traces are sent; runs go on"},
		{"there is no such place", "collector", "", "OTEL_EXPORTER_OTLP_ENDPOINT is no URL"},
		{"they are sent", "http://127.0.0.1:1", "", "sending traces to http://127.0.0.1:1"},
	} {
		var said bytes.Buffer
		f := &Factory{Err: &said, Clock: clock.RealClock{}, Getenv: func(name string) string {
			return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": c.protocol}[name]
		}}
		f.trace(t.Context(), workerService, slog.New(slog.NewTextHandler(&said, nil)))
		if got := said.String(); !strings.Contains(got, c.says) || c.says == "" && got != "" {
			t.Errorf("%s: it says %q", c.reason, got)
		}
		if err := f.Close(); err != nil {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}

func TestATraceIsTakenFromABuildSystem(t *testing.T) {
	const job = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for given, want := range map[string]string{
		job: job, "": "", "none": "", job + "\r\nX-Sluice-As: eve": "", strings.ToUpper(job): "", job + "-more": "",
	} {
		if got := traceparent(given); got != want {
			t.Errorf("%q becomes %q", given, got)
		}
	}
}
