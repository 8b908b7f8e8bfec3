package check

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/prometheus"
	"sluice.dev/sluice/internal/prometheus/prometheustest"
	"sluice.dev/sluice/internal/secret"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
)

var prometheusServer prometheustest.Get

func TestMain(m *testing.M) {
	os.Exit(prometheustest.Main(m, func(get prometheustest.Get) { prometheusServer = get }))
}

// metricsAbout is a question about a cluster of the group eu, whose metrics are at an address.
func metricsAbout(m pipelines.Metrics, address string) Question {
	endpoint := pipelines.Endpoint{Type: pipelines.Prometheus, Address: address}
	return Question{
		Step: pipelines.ResolvedStep{
			Name: "rate/ask", StepKinds: pipelines.StepKinds{Metrics: &m},
			DataSources: []pipelines.BoundDataSource{{Name: "main", Endpoint: endpoint, ClusterGroups: []string{"eu"}}},
		},
		Params: rule.Params{"least": 0.95},
		Facts:  rule.Facts{Unit: rule.Unit{Group: "eu", Cluster: "eu-1"}},
	}
}

// metricsAnswering asks nobody, and answers with a vector of these numbers.
func metricsAnswering(numbers ...float64) *Metrics {
	a := prometheus.Answer{Type: prometheus.Vector}
	for i, v := range numbers {
		a.Series = append(a.Series, prometheus.Series{Labels: map[string]string{"pod": fmt.Sprint(i)}, Samples: []prometheus.Sample{{Value: v}}})
	}
	return metricsSaying(a, nil)
}

func metricsSaying(a prometheus.Answer, err error) *Metrics {
	return NewMetrics(clock.RealClock{}, AskerFunc(func(context.Context, pipelines.BoundDataSource, string) (prometheus.Answer, error) { return a, err }))
}

// metricsOfServers asks real servers.
func metricsOfServers() *Metrics {
	return NewMetrics(clock.RealClock{}, NewDataSources(secret.Store{}))
}

func TestADataSourceIsNoMetadataService(t *testing.T) {
	for _, address := range []string{
		"http://169.254.169.254/latest", "http://[fe80::1%25lo]:9090", "http://[fd00:ec2::254]", "http://[64:ff9b:1::a9fe:a9fe]", "http://[::ffff:169.254.169.254]",
	} {
		f := metricsOfServers().Ask(t.Context(), metricsAbout(pipelines.Metrics{PromQL: "up", SuccessCondition: "value > 0.0"}, address))
		if f.Verdict != api.Error || !strings.Contains(f.Message, "metadata service") {
			t.Errorf("%s: %s: %s", address, f.Verdict, f.Message)
		}
	}
}

func TestMetricsAreJudgedAsArgoRolloutsDoes(t *testing.T) {
	success, failure := "value >= params.least", "value < 0.5"
	for _, c := range []struct {
		reason           string
		success, failure string
		numbers          []float64
		want             api.Verdict
		says             string
	}{
		{"success alone holds", success, "", []float64{0.97}, api.Passed, ""},
		{"success alone does not", success, "", []float64{0.9}, api.Failed, "successCondition does not hold: value >= params.least; value is 0.9"},
		{"failure alone holds", "", failure, []float64{0.4}, api.Failed, "failureCondition holds: value < 0.5; value is 0.4"},
		{"failure alone does not", "", failure, []float64{0.6}, api.Passed, ""},
		{"of both failure comes first", "value < 1.0", failure, []float64{0.4}, api.Failed, "failureCondition holds"},
		{"of both success", success, failure, []float64{0.97}, api.Passed, ""},
		{"neither", success, failure, []float64{0.7}, api.Inconclusive, "neither condition holds"},
		{"success cannot be evaluated", success, "", []float64{1, 1}, api.Error, "successCondition: cannot evaluate condition: there is no single value: the query yields 2"},
		{"failure cannot be evaluated", "result.size() > 0", "result[1] > 1.0", []float64{1}, api.Error, "failureCondition: cannot evaluate condition: index out of bounds"},
		{"a condition that no longer compiles", "valeu > 1.0", "", []float64{1}, api.Error, "cannot compile successCondition"},
		{"of several the range is told", "result.all(x, x < 2.0)", "", []float64{1, 3}, api.Failed, "of 2 numbers the lowest is 1, the highest 3"},
		{"infinity is a number", "", "value > 1.0", []float64{math.Inf(1)}, api.Failed, "value is +Inf"},
	} {
		q := metricsAbout(pipelines.Metrics{PromQL: "up", SuccessCondition: c.success, FailureCondition: c.failure}, "")
		if f := metricsAnswering(c.numbers...).Ask(t.Context(), q); f.Verdict != c.want || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %s: %s", c.reason, f.Verdict, f.Message)
		}
	}
}

// TestFailureMode_R09_NoNumberIsNoVerdict: NaN and an empty answer are what the step says they are, and never a pass by themselves.
func TestFailureMode_R09_NoNumberIsNoVerdict(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		reason           string
		success, failure string
		noData           pipelines.NoData
		numbers          []float64
		want             api.Verdict
		says             string
	}{
		{"no series", "value > 0.9", "", "", nil, api.Inconclusive, "no data: the query yields no series"},
		{"no series, and only a failure is looked for", "", "value > 0.9", "", nil, api.Inconclusive, "no series"},
		{"NaN", "value > 0.9", "", "", []float64{nan}, api.Inconclusive, "1 series without a number (NaN)"},
		{"NaN, and only a failure is looked for", "", "value > 0.9", "", []float64{nan}, api.Inconclusive, "NaN"},
		{"no data is meant to pass", "value > 0.9", "", pipelines.NoDataPassed, nil, api.Passed, "which counts as Passed"},
		{"no data is meant to fail", "value > 0.9", "", pipelines.NoDataFailed, []float64{nan}, api.Failed, "which counts as Failed"},
		{"no data is meant to be an error", "value > 0.9", "", pipelines.NoDataError, nil, api.Error, "which counts as Error"},
		{"one series of two has no number, the other is good", "result.all(x, x > 0.9)", "", "", []float64{0.99, nan}, api.Inconclusive, "1 of 2 series have no number"},
		{"one series of two has no number, the other is bad", "result.all(x, x > 0.9)", "", "", []float64{0.2, nan}, api.Failed, "value is 0.2"},
		{"that the rest is bad is not hidden by a policy", "result.all(x, x > 0.9)", "", pipelines.NoDataPassed, []float64{0.2, nan}, api.Failed, "value is 0.2"},
		{"a condition that asks for NaN judges it", "isNaN(value) || value > 0.9", "", "", []float64{nan}, api.Passed, ""},
		{"it still cannot judge nothing", "isNaN(value) || value > 0.9", "", "", nil, api.Inconclusive, "no series"},
		{"a condition that asks for the size judges nothing", "size(result) == 0 || value > 0.9", "", "", nil, api.Passed, ""},
		{"it is handed no NaN", "size(result) == 1 && value > 0.9", "", "", []float64{nan}, api.Failed, "there is no number"},
		{"a condition with a default judges both", "default(result, 1.0)[0] > 0.9", "", "", []float64{nan}, api.Passed, ""},
	} {
		q := metricsAbout(pipelines.Metrics{PromQL: "up", SuccessCondition: c.success, FailureCondition: c.failure, NoData: c.noData}, "")
		f := metricsAnswering(c.numbers...).Ask(t.Context(), q)
		if f.Verdict != c.want || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %s: %s", c.reason, f.Verdict, f.Message)
		}
	}
}

// TestAPartOfAnAnswerIsNoPass: what a server did not reach may be what is bad. What it did reach and is bad fails all the same.
func TestAPartOfAnAnswerIsNoPass(t *testing.T) {
	part := prometheus.Answer{
		Type: prometheus.Vector, Series: []prometheus.Series{{Samples: []prometheus.Sample{{Value: 0.99}}}}, Warnings: []string{"one store is down"},
	}
	for _, c := range []struct {
		reason string
		step   pipelines.Metrics
		want   api.Verdict
	}{
		{"what is there is good", pipelines.Metrics{SuccessCondition: "value > 0.9"}, api.Inconclusive},
		{"nothing bad is there", pipelines.Metrics{FailureCondition: "value < 0.9"}, api.Inconclusive},
		{"what is there is bad", pipelines.Metrics{SuccessCondition: "value > 0.995"}, api.Failed},
		{"somebody takes that for good", pipelines.Metrics{SuccessCondition: "value > 0.9", NoData: pipelines.NoDataPassed}, api.Passed},
	} {
		c.step.PromQL = "up"
		if f := metricsSaying(part, nil).Ask(t.Context(), metricsAbout(c.step, "")); f.Verdict != c.want || c.want != api.Failed && !strings.Contains(f.Message, "less than all: one store is down") {
			t.Errorf("%s: %s: %s", c.reason, f.Verdict, f.Message)
		}
	}
}

// TestFailureMode_R09_OneFlakyScrapeIsBorne: a target that cannot be scraped for a moment leaves a good rollout inconclusive for that
// moment, and never failed.
func TestFailureMode_R09_OneFlakyScrapeIsBorne(t *testing.T) {
	s := prometheusServer(t)
	s.Flaky.Show(t, "flaky_ratio 0.99")
	q := metricsAbout(pipelines.Metrics{PromQL: "flaky_ratio", SuccessCondition: "value >= params.least", FailureCondition: "value < 0.5"}, s.URL)
	source := metricsOfServers()
	until := func(want api.Verdict) {
		t.Helper()
		prometheustest.Await(t, string(want), func() bool {
			f := source.Ask(t.Context(), q)
			if f.Verdict == api.Failed || f.Verdict == api.Error {
				t.Fatalf("one scrape made it %s: %s", f.Verdict, f.Message)
			}
			return f.Verdict == want
		})
	}
	until(api.Passed)
	s.Flaky.Break(true)
	until(api.Inconclusive)
	s.Flaky.Break(false)
	until(api.Passed)
}

func TestARealPrometheusIsAsked(t *testing.T) {
	s := prometheusServer(t)
	s.Steady.Show(t, `requests{cluster="eu-1",code="200"} 97`, `requests{cluster="eu-1",code="500"} 3`, `idle 0`)
	source := metricsOfServers()
	ask := func(m pipelines.Metrics) Finding { return source.Ask(t.Context(), metricsAbout(m, s.URL)) }
	share := pipelines.Metrics{
		PromQL:           `sum(requests{cluster="eu-1",code="200"}) / sum(requests{cluster="eu-1"})`,
		SuccessCondition: "value >= params.least",
	}
	var f Finding
	prometheustest.Await(t, "two series", func() bool { f = ask(share); return f.Verdict != api.Inconclusive })
	if f.Verdict != api.Passed || f.Results["value"] != 0.97 || f.Results["series"] != int64(1) || f.Seen["dataSource"] != "main" {
		t.Errorf("a share is %+v", f)
	}
	if f := ask(pipelines.Metrics{PromQL: "idle / idle", SuccessCondition: "value >= 0.0"}); f.Verdict != api.Inconclusive {
		t.Errorf("nothing by nothing is %+v", f)
	}
	both := ask(pipelines.Metrics{PromQL: "sort(requests)", SuccessCondition: `labels.exists(l, l.code == "500") && result[0] == 3.0`})
	if got := fmt.Sprint(both.Seen["values"]); both.Verdict != api.Passed || !strings.Contains(got, `code="500"`) || both.Results["value"] != nil {
		t.Errorf("two series are %+v", both)
	}
	ranged := ask(pipelines.Metrics{
		PromQL: "vector(2) # and nothing else", Range: new(pipelines.Duration(time.Minute)), Step: new(pipelines.Duration(10 * time.Second)),
		SuccessCondition: "size(result) >= 6 && size(series) == 1 && result.all(x, x == 2.0)",
	})
	if ranged.Verdict != api.Passed {
		t.Errorf("a range is %+v", ranged)
	}
	if f := ask(pipelines.Metrics{PromQL: "sum(", SuccessCondition: "value > 0.0"}); f.Verdict != api.Error || !strings.Contains(f.Message, "parse error") {
		t.Errorf("a wrong query is %+v", f)
	}
	if f := ask(pipelines.Metrics{PromQL: `"text"`, SuccessCondition: "value > 0.0"}); f.Verdict != api.Error {
		t.Errorf("a text is %+v", f)
	}
}

func TestWithoutAnAnswerThereIsAnError(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	handler := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	for _, c := range []struct {
		reason, address, says string
		within                time.Duration
	}{
		{"Prometheus is down", gone.URL, "connection refused", time.Minute},
		{"it is slow", handler(func(_ http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			<-r.Context().Done()
		}), "no whole answer in time", 50 * time.Millisecond},
		{"it answers with more than ten megabytes", handler(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat(" ", 11_000_000))
		}), "more than 10 megabytes", time.Minute},
		{"it is no Prometheus", handler(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }), "not that of Prometheus", time.Minute},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), c.within)
		f := metricsOfServers().Ask(ctx, metricsAbout(pipelines.Metrics{PromQL: "up", FailureCondition: "value < 1.0", NoData: pipelines.NoDataPassed}, c.address))
		cancel()
		if f.Verdict != api.Error || !strings.Contains(f.Message, c.says) || !strings.HasPrefix(f.Message, "DataSource main: ") {
			t.Errorf("%s: %s: %s", c.reason, f.Verdict, f.Message)
		}
	}
}

func TestWhatCannotBeAskedIsAnError(t *testing.T) {
	m := pipelines.Metrics{PromQL: "up", SuccessCondition: "value > 0.0"}
	other := metricsAbout(m, "http://x")
	other.Facts.Unit.Group = "us"
	future := metricsAbout(m, "http://x")
	future.Step.DataSources[0].Type = "graphite"
	secretive := metricsAbout(m, "http://x")
	secretive.Step.DataSources[0].BearerToken = &pipelines.WorkerSecret{Env: "SLUICE_SECRET_X"}
	trusting := metricsAbout(m, "https://x")
	trusting.Step.DataSources[0].CAFile = "ca.pem"
	for reason, c := range map[string]struct {
		q    Question
		says string
	}{
		"a group that the plan knows no source of": {other, "no DataSource to cluster group us"},
		"a type that this worker does not know":    {future, `type "graphite"`},
		"a secret that this worker does not have":  {secretive, "SLUICE_SECRET_X"},
		"authorities that are not there":           {trusting, "ca.pem"},
	} {
		if f := metricsOfServers().Ask(t.Context(), c.q); f.Verdict != api.Error || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %s: %s", reason, f.Verdict, f.Message)
		}
	}
}

func TestWhatIsShownIsSmall(t *testing.T) {
	a := prometheus.Answer{Type: prometheus.Vector, Warnings: []string{"a", "b", "c", "d"}}
	for i := range 50 {
		labels := map[string]string{"long": strings.Repeat("x", 5000), "i": fmt.Sprint(i)}
		a.Series = append(a.Series, prometheus.Series{Labels: labels, Samples: []prometheus.Sample{{Value: math.Inf(1)}}})
	}
	f := metricsSaying(a, nil).Ask(t.Context(), metricsAbout(pipelines.Metrics{PromQL: strings.Repeat("x", 4000), FailureCondition: "result[0] < 0.0"}, ""))
	if shown := bounded(f).Seen; shown["tooLong"] != nil || len(shown["values"].([]any)) != 10 || shown["series"] != 50 {
		t.Errorf("it shows %v", shown)
	}
	if f = metricsSaying(prometheus.Answer{}, fault.Wrap(fault.Unreachable, errors.New("down"), "cannot ask")).Ask(t.Context(), metricsAbout(pipelines.Metrics{}, "")); f.Seen["took"] == nil {
		t.Errorf("an error shows %v", f.Seen)
	}
}
