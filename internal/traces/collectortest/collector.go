// Package collectortest stands in for a collector of OpenTelemetry in tests: it takes spans over HTTP as OTLP has them, and says what it
// was sent. It is for tests only.
package collectortest

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector takes spans.
type Collector struct {
	URL string // its endpoint

	mu    sync.Mutex
	spans []Span
	raw   []byte
	asked int
}

// Span is one that was sent.
type Span struct {
	Service, Name     string
	Trace, ID, Parent string // in hexadecimal
	Kind              tracepb.Span_SpanKind
	Failed            bool
	Description       string // of its status
	With              map[string]string
	Began, Ended      time.Time
}

// Start starts a collector that ends with the test, and has traces of this process go to it from now on: what sends them reads the
// environment.
func Start(t *testing.T) *Collector {
	t.Helper()
	c := &Collector{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.URL = server.URL
	Use(t, server.URL)
	return c
}

// Use has traces of this process go to an endpoint, and what is to be sent go at once.
func Use(t *testing.T, endpoint string) {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
}

// ServeHTTP takes spans.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if err := c.take(r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (c *Collector) take(r *http.Request) error {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" {
		return fmt.Errorf("nothing is taken by %s at %s", r.Method, r.URL.Path)
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = z
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	c.raw = append(c.raw, data...)
	sent := &coltracepb.ExportTraceServiceRequest{}
	if err := proto.Unmarshal(data, sent); err != nil {
		return err
	}
	for _, from := range sent.GetResourceSpans() {
		service := texts(from.GetResource().GetAttributes())["service.name"]
		for _, scope := range from.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, spanOf(service, s))
			}
		}
	}
	return nil
}

func spanOf(service string, s *tracepb.Span) Span {
	return Span{
		Service: service, Name: s.GetName(), Kind: s.GetKind(),
		Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
		Failed: s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR, Description: s.GetStatus().GetMessage(),
		With:  texts(s.GetAttributes()),
		Began: time.Unix(0, int64(s.GetStartTimeUnixNano())).UTC(), Ended: time.Unix(0, int64(s.GetEndTimeUnixNano())).UTC(),
	}
}

func texts(all []*commonpb.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range all {
		switch v := a.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			out[a.GetKey()] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			out[a.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		default:
			out[a.GetKey()] = strings.TrimSpace(fmt.Sprint(a.GetValue()))
		}
	}
	return out
}

// Asked is how often anything was sent.
func (c *Collector) Asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// Raw is all that was sent, unpacked.
func (c *Collector) Raw() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.raw)
}

// Spans are those that were sent, by when they ended.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Tree prints spans under their parents, two spaces a level, with what word says of each. Those whose parent was not sent come first.
func Tree(all []Span, word func(Span) string) string {
	var b strings.Builder
	known, printed := map[string]bool{}, map[int]bool{}
	for _, s := range all {
		known[s.ID] = true
	}
	var under func(parent string, depth int)
	under = func(parent string, depth int) {
		for i, s := range all {
			if !printed[i] && (s.Parent == parent || parent == "" && !known[s.Parent]) {
				printed[i] = true
				fmt.Fprintf(&b, "%s%s\n", strings.Repeat("  ", depth), word(s))
				under(s.ID, depth+1)
			}
		}
	}
	under("", 0)
	return b.String()
}
