package metrics_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/metrics"
)

// page is what Prometheus would read.
func page(t *testing.T, m metrics.Source) string {
	t.Helper()
	server := httptest.NewServer(metrics.Page(nil, m))
	defer server.Close()
	response, err := http.Get(server.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", response.Status, err, text)
	}
	return string(text)
}

// series are the lines of a page that say a value of Sluice's or of Temporal's.
func series(page string) (all []string) {
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, "sluice_") || strings.HasPrefix(line, "temporal_") || strings.HasPrefix(line, "kuberhealthy_") {
			all = append(all, line)
		}
	}
	return all
}

func wants(t *testing.T, page string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+page, "\n"+line+"\n") {
			t.Errorf("the page does not say %s; it says\n%s", line, strings.Join(series(page), "\n"))
		}
	}
}

func TestAWorkerCountsWhatItDoes(t *testing.T) {
	m := metrics.New()
	for status, times := range map[int]int{200: 3, 404: 2, 429: 1, 503: 4, 0: 5} {
		for range times {
			m.Request("eu-1", status)
		}
	}
	m.KeptBack("eu-1", 1500*time.Millisecond)
	m.Verdict("logs", api.Failed)
	h := m.Temporal().WithTags(map[string]string{"namespace": "default", "operation": "StartWorkflow", "task_queue": "none"})
	h.Counter("temporal_request").Inc(2)
	h.Timer("temporal_request_latency").Record(300 * time.Millisecond)
	h.WithTags(map[string]string{"worker_type": "ActivityWorker"}).Gauge("temporal_num_pollers").Update(7)
	m.Temporal().Counter("temporal_request").Inc(1)
	wants(t, page(t, m),
		`sluice_api_requests_total{cluster="eu-1",outcome="answered"} 3`,
		`sluice_api_requests_total{cluster="eu-1",outcome="refused"} 2`,
		`sluice_api_requests_total{cluster="eu-1",outcome="throttled"} 1`,
		`sluice_api_requests_total{cluster="eu-1",outcome="failed"} 4`,
		`sluice_api_requests_total{cluster="eu-1",outcome="unanswered"} 5`,
		`sluice_api_throttled_seconds_total{cluster="eu-1"} 1.5`,
		`sluice_check_verdicts_total{kind="logs",verdict="Failed"} 1`,
		`temporal_request_total{operation="StartWorkflow"} 2`,
		`temporal_request_total 1`,
		`temporal_request_latency_seconds_bucket{operation="StartWorkflow",le="0.5"} 1`,
		`temporal_num_pollers{operation="StartWorkflow",worker_type="ActivityWorker"} 7`,
	)
}

func TestWhatCanComeOfARequestBeginsAtNothing(t *testing.T) {
	m := metrics.New()
	m.Request("eu-1", 200)
	wants(t, page(t, m), `sluice_api_requests_total{cluster="eu-1",outcome="throttled"} 0`, `sluice_api_throttled_seconds_total{cluster="eu-1"} 0`)
}

func TestNoFleetMakesThePageLarge(t *testing.T) {
	m := metrics.New()
	for i := range 10_000 {
		cluster := fmt.Sprintf("cluster-%d", i)
		for _, status := range []int{0, 200, 403, 429, 500} {
			m.Request(cluster, status)
		}
		m.KeptBack(cluster, time.Second)
	}
	of := series(page(t, m))
	if most := 6*501 + 10; len(of) > most {
		t.Errorf("10,000 clusters make %d series, more than %d", len(of), most)
	}
	wants(t, page(t, m), `sluice_api_requests_total{cluster="cluster-0",outcome="answered"} 1`,
		`sluice_api_requests_total{cluster="other",outcome="answered"} 9500`)
}

func TestTheSDKMakesNoMoreSeriesThanThereIsRoomFor(t *testing.T) {
	m := metrics.New()
	for i := range 4000 {
		m.Temporal().WithTags(map[string]string{"task_queue": fmt.Sprint(i)}).Counter("temporal_request").Inc(1)
	}
	text := page(t, m)
	wants(t, text, "sluice_temporal_series_dropped_total 1000")
	if n := strings.Count(text, "\ntemporal_request_total{"); n != 3000 {
		t.Errorf("there are %d series", n)
	}
}

func TestNamesKeepToConventions(t *testing.T) {
	m := metrics.New()
	m.Request("a", 200)
	m.KeptBack("a", time.Second)
	m.Verdict("gate", api.Passed)
	m.Watch(whole(t))
	problems, err := promlint.New(strings.NewReader(page(t, m))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "sluice_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestHealthz(t *testing.T) {
	answer := httptest.NewRecorder()
	metrics.Page(nil, metrics.New()).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if answer.Code != http.StatusOK {
		t.Errorf("it answers %d", answer.Code)
	}
}
