package traces_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/traces"
	"sluice.dev/sluice/internal/traces/collectortest"
)

// log is what a process logs. It is safe for concurrent use.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func open(t *testing.T, getenv func(string) string) (*traces.Traces, *log, error) {
	t.Helper()
	said := &log{}
	sent, err := traces.Open(t.Context(), traces.Options{
		Service: "sluice-test", Version: "1.2.3", Getenv: getenv, Clock: clock.RealClock{}, Logger: slog.New(slog.NewTextHandler(said, nil)),
	})
	return sent, said, err
}

func opened(t *testing.T) (*traces.Traces, *log) {
	t.Helper()
	sent, said, err := open(t, os.Getenv)
	if err != nil || sent == nil {
		t.Fatal(sent, err)
	}
	t.Cleanup(sent.Close)
	return sent, said
}

// temporal is a Temporal that takes what is started, or fails.
type temporal struct {
	workflowservice.UnimplementedWorkflowServiceServer
	client client.Client
	along  string // with what was started last
	fails  error
}

func (f *temporal) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (f *temporal) StartWorkflowExecution(
	_ context.Context, r *workflowservice.StartWorkflowExecutionRequest,
) (*workflowservice.StartWorkflowExecutionResponse, error) {
	f.along = string(r.GetHeader().GetFields()["_tracer-data"].GetData())
	return &workflowservice.StartWorkflowExecutionResponse{RunId: "1"}, f.fails
}

func (f *temporal) UpdateWorkflowExecution(
	context.Context, *workflowservice.UpdateWorkflowExecutionRequest,
) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	return nil, f.fails
}

// serve starts a Temporal whose client leaves traces.
func serve(t *testing.T, sent *traces.Traces) *temporal {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, server := &temporal{}, grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, f)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	f.client, err = client.DialContext(t.Context(), client.Options{
		HostPort: listener.Addr().String(), Interceptors: sent.Interceptors(), Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.client.Close)
	return f
}

// starts starts a run.
func (f *temporal) starts(ctx context.Context) error {
	_, err := f.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "agent-1", TaskQueue: "q"}, api.RolloutName, "hunter2")
	return err
}

func TestWhereNoEndpointIsSetNothingIsThere(t *testing.T) {
	for reason, env := range map[string]map[string]string{
		"nobody says anything":        {},
		"a name is no endpoint":       {"OTEL_SERVICE_NAME": "sluice"},
		"it is switched off":          {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "TRUE"},
		"nothing is to export traces": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"},
	} {
		before := runtime.NumGoroutine()
		sent, _, err := open(t, func(name string) string { return env[name] })
		if sent != nil || err != nil || sent.Interceptors() != nil || sent.Endpoint() != "" {
			t.Errorf("%s: %v, %v", reason, sent, err)
		}
		if now := runtime.NumGoroutine(); now > before {
			t.Errorf("%s: %d goroutines have become %d", reason, before, now)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		same, answered := sent.Request(r)
		if same != r {
			t.Errorf("%s: a request is another one", reason)
		}
		answered(traces.Answer{Operation: "whoami", Status: http.StatusOK})
		sent.Close()
	}
}

func TestWhereSpansAreSent(t *testing.T) {
	for _, c := range []struct {
		reason string
		env    map[string]string
		want   string // "" for none
		code   fault.Code
	}{
		{"of all signals", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "http://collector:4318", ""},
		{"of traces before that", map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://tempo/v1/traces",
		}, "https://tempo/v1/traces", ""},
		{"who sends is not told", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://ann:hunter2@tempo"}, "https://ann:xxxxx@tempo", ""},
		{"JSON can be spoken", map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
		}, "http://collector:4318", ""},
		{"gRPC cannot", map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
		}, "", fault.Invalid},
		{"there is no other exporter", map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "zipkin",
		}, "", fault.Invalid},
		{"spaces are nobody's intent", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": " http://collector:4318\n"}, "http://collector:4318", ""},
		{"no scheme", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "", fault.Invalid},
		{"no host", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "/v1/traces"}, "", fault.Invalid},
	} {
		sent, _, err := open(t, func(name string) string { return c.env[name] })
		if sent.Endpoint() != c.want || c.code != "" && fault.CodeOf(err) != c.code || c.code == "" && err != nil {
			t.Errorf("%s: %q, %v", c.reason, sent.Endpoint(), err)
		}
		sent.Close()
	}
}

// TestARunIsUnderTheRequestThatBeganIt hands a trace from whoever asks through a server to Temporal.
func TestARunIsUnderTheRequestThatBeganIt(t *testing.T) {
	const trace, job = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	collector := collectortest.Start(t)
	sent, _ := opened(t)
	r := httptest.NewRequest(http.MethodPost, "/api/v1/runs?secret=hunter2", strings.NewReader("hunter2"))
	r.Header.Set("Authorization", "Bearer hunter2")
	r.Header.Set("Traceparent", "00-"+trace+"-"+job+"-01")
	r.Header.Set("Tracestate", "ci=1")
	r.Header.Set("Baggage", "password=hunter2")
	asked, answered := sent.Request(r)
	f := serve(t, sent)
	if err := f.starts(asked.Context()); err != nil {
		t.Fatal(err)
	}
	f.fails = status.Error(codes.InvalidArgument, "cannot take hunter2")
	if err := f.starts(asked.Context()); !errors.As(err, new(*serviceerror.InvalidArgument)) {
		t.Errorf("the error has become %v", err)
	}
	_, err := f.client.UpdateWorkflow(asked.Context(), client.UpdateWorkflowOptions{
		WorkflowID: "agent-1", UpdateName: api.UpdatePause, Args: []any{"hunter2"}, WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	if !errors.As(err, new(*serviceerror.InvalidArgument)) {
		t.Errorf("a command that is refused has the error %v", err)
	}
	answered(traces.Answer{Operation: "start-run", Run: "agent-1", Status: http.StatusServiceUnavailable})
	sent.Close()
	const want = `start-run, failed: Service Unavailable
  start run
  start run, failed: internal
  tell pause, failed: internal
`
	got := collectortest.Tree(collector.Spans(), func(s collectortest.Span) string {
		if s.Trace != trace {
			t.Errorf("%s is in trace %s", s.Name, s.Trace)
		}
		if s.Failed {
			return s.Name + ", failed: " + s.Description
		}
		return s.Name
	})
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	top := collector.Spans()[3]
	if top.Parent != job || top.Service != "sluice-test" || top.With["sluice.run"] != "agent-1" {
		t.Errorf("the request is %+v", top)
	}
	if !strings.Contains(f.along, trace) || !strings.Contains(f.along, `"tracestate":"ci=1"`) {
		t.Errorf("along with the run goes %s", f.along)
	}
	if raw := collector.Raw(); bytes.Contains(raw, []byte("hunter2")) {
		t.Errorf("a secret was sent:\n%q", raw)
	}
}

func TestWhatSomebodySaysOfATraceIsBounded(t *testing.T) {
	collector := collectortest.Start(t)
	sent, _ := opened(t)
	state := make([]string, 30)
	for i := range state {
		state[i] = string(rune('a'+i%26)) + string(rune('a'+i/26)) + "=" + strings.Repeat("x", 200)
	}
	f := serve(t, sent)
	for reason, head := range map[string]map[string]string{
		"a state that is too long": {"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tracestate": strings.Join(state, ",")},
		"no parent":                {"Traceparent": "00-zz-zz-01"},
		"a parent of nothing":      {"Traceparent": "00-00000000000000000000000000000000-0000000000000000-01"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		for k, v := range head {
			r.Header.Set(k, v)
		}
		asked, answered := sent.Request(r)
		if err := f.starts(asked.Context()); err != nil {
			t.Fatal(err)
		}
		if f.along == "" || len(f.along) > 200 {
			t.Errorf("%s: %q goes along", reason, f.along)
		}
		answered(traces.Answer{Status: http.StatusNotFound})
	}
	sent.Close()
	if got := len(collector.Spans()); got != 3 {
		t.Errorf("%d spans were sent: whoever asks for nothing leaves none", got)
	}
}

// TestACollectorThatDoesNotTakeSpansKeepsNobodyWaiting has more spans be left than may be kept.
func TestACollectorThatDoesNotTakeSpansKeepsNobodyWaiting(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for reason, answer := range map[string]http.HandlerFunc{
		"nobody listens":       nil,
		"it does not answer":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"it fails":             func(w http.ResponseWriter, _ *http.Request) { http.Error(w, strings.Repeat("no", 9000), 500) },
		"it is asked too much": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"it refuses who asks":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"it speaks nonsense": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write([]byte("nonsense"))
		},
	} {
		t.Run(reason, func(t *testing.T) {
			url := gone.URL
			if answer != nil {
				server := httptest.NewServer(answer)
				t.Cleanup(server.CloseClientConnections)
				url = server.URL
			}
			collectortest.Use(t, url)
			sent, said := opened(t)
			const many = 50_000
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			began := time.Now()
			for range many {
				_, answered := sent.Request(r)
				answered(traces.Answer{Operation: "whoami", Status: http.StatusOK})
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("%d spans took %s", many, took)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			if more := int64(after.HeapAlloc) - int64(before.HeapAlloc); more > 24<<20 {
				t.Errorf("%d KiB are kept", more>>10)
			}
			began = time.Now()
			sent.Close()
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("to end took %s", took)
			}
			text := said.String()
			if n := strings.Count(text, "\n"); n != 1 || !strings.Contains(text, "traces are not sent; runs go on") || len(text) > 600 {
				t.Errorf("%d lines were logged:\n%s", n, text)
			}
		})
	}
}

func TestACollectorThatComesBackIsSentWhatIsNew(t *testing.T) {
	var mu sync.Mutex
	down := true
	collector := &collectortest.Collector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if down {
			w.WriteHeader(http.StatusInternalServerError)
			down = false
			return
		}
		collector.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	collectortest.Use(t, server.URL)
	sent, said := opened(t)
	end := time.Now().Add(20 * time.Second)
	for len(collector.Spans()) == 0 {
		if time.Now().After(end) {
			t.Fatalf("nothing was sent: %s", said)
		}
		_, answered := sent.Request(httptest.NewRequest(http.MethodGet, "/", nil))
		answered(traces.Answer{Operation: "whoami", Status: http.StatusOK})
		time.Sleep(20 * time.Millisecond)
	}
}

func TestWhatIsNotSampledIsNotSent(t *testing.T) {
	collector := collectortest.Start(t)
	sent, _ := opened(t)
	f := serve(t, sent)
	for _, flags := range []string{"00", "01"} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c8031"+flags+"-b7ad6b7169203331-"+flags)
		asked, answered := sent.Request(r)
		if err := f.starts(asked.Context()); err != nil {
			t.Fatal(err)
		}
		answered(traces.Answer{Operation: "start-run", Status: http.StatusOK})
		if !strings.HasSuffix(f.along, "-"+flags+`"}`) {
			t.Errorf("what is asked for goes on with %s, and not with %s", f.along, flags)
		}
	}
	sent.Close()
	for _, s := range collector.Spans() {
		if !strings.HasSuffix(s.Trace, "01") {
			t.Errorf("%s is sent, of a trace that is not sampled", s.Name)
		}
	}
	if got := len(collector.Spans()); got != 2 {
		t.Errorf("%d spans are sent of the one that is", got)
	}
}

func TestWhoSendsIsSaidAsFarAsItCanBe(t *testing.T) {
	collector := collectortest.Start(t)
	t.Setenv("OTEL_SERVICE_NAME", "ours")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=e2e,nonsense")
	sent, said := opened(t)
	_, answered := sent.Request(httptest.NewRequest(http.MethodGet, "/", nil))
	answered(traces.Answer{Operation: "whoami", Status: http.StatusOK})
	sent.Close()
	if all := collector.Spans(); len(all) != 1 || all[0].Service != "ours" {
		t.Errorf("sent was %+v", all)
	}
	if !strings.Contains(said.String(), "missing value") {
		t.Errorf("nobody hears of what is wrong: %s", said)
	}
}
