package prometheus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/prometheus"
	"sluice.dev/sluice/internal/prometheus/prometheustest"
)

var server prometheustest.Get

func TestMain(m *testing.M) {
	os.Exit(prometheustest.Main(m, func(get prometheustest.Get) { server = get }))
}

func client(t *testing.T, address string, o prometheus.Options) *prometheus.Client {
	t.Helper()
	c, err := prometheus.New(address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestARealPrometheusIsRead(t *testing.T) {
	s := server(t)
	s.Steady.Show(t, `read_total{cluster="a"} 5`, `read_total{cluster="b"} +Inf`, `read_total{cluster="c"} NaN`)
	c := client(t, s.URL+"/", prometheus.Options{})
	var got prometheus.Answer
	ask := func(promql string) prometheus.Answer {
		a, err := c.Query(t.Context(), promql, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	prometheustest.Await(t, "three series", func() bool {
		got = ask("sort_desc(read_total)")
		return len(got.Series) == 3
	})
	values := map[string]float64{}
	for _, series := range got.Series {
		values[series.Labels["cluster"]] = series.Samples[0].Value
	}
	if got.Type != prometheus.Vector || values["a"] != 5 || !math.IsInf(values["b"], 1) || !math.IsNaN(values["c"]) {
		t.Errorf("the vector is %+v", got)
	}
	if got := ask("none_such"); got.Type != prometheus.Vector || len(got.Series) != 0 {
		t.Errorf("what is not there is %+v", got)
	}
	if got := ask("scalar(read_total{cluster='a'})"); got.Type != prometheus.Scalar || got.Series[0].Samples[0].Value != 5 {
		t.Errorf("the scalar is %+v", got)
	}
	if got := ask(`"text"`); got.Type != prometheus.String || got.Text != "text" {
		t.Errorf("the string is %+v", got)
	}
	now := time.Now()
	ranged, err := c.QueryRange(t.Context(), "vector(7)", now.Add(-time.Minute), now, 15*time.Second)
	if err != nil || ranged.Type != prometheus.Matrix || len(ranged.Series) != 1 || len(ranged.Series[0].Samples) != 5 {
		t.Errorf("the range is %+v, %v", ranged, err)
	}
	_, err = c.Query(t.Context(), "sum(", time.Time{})
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "parse error") {
		t.Errorf("a wrong query yields %v", err)
	}
}

// vector is an answer with series.
func vector(series ...string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(series, ",") + `]}}`
}

func TestOnlyWholeAnswersAreRead(t *testing.T) {
	many := make([]string, prometheus.MaxSeries+1)
	for i := range many {
		many[i] = fmt.Sprintf(`{"metric":{"i":"%d"},"value":[1,"1"]}`, i)
	}
	for _, c := range []struct {
		reason string
		status int
		body   string
		want   string // of the error
		code   fault.Code
	}{
		{"a vector", 200, vector(`{"metric":{"a":"b"},"value":[1.5,"2"]}`), "", ""},
		{"numbers past what a double holds are infinite", 200, vector(`{"metric":{},"value":[1,"1e999"]}`), "", ""},
		{"as many series as are read", 200, vector(many[1:]...), "", ""},
		{"a series too many", 200, vector(many...), "10001 series, at most 10000", fault.Invalid},
		{"a byte too many", 200, strings.Repeat(" ", prometheus.MaxBytes-1) + "{}", "more than 10 megabytes", fault.Invalid},
		{"half an answer", 200, vector("")[:30], "not that of Prometheus", fault.Unreachable},
		{"another API", 200, `{"hits":[]}`, "not that of Prometheus", fault.Unreachable},
		{"nothing", 200, "", "an empty body", fault.Unreachable},
		{"a value that is none", 200, vector(`{"metric":{},"value":[1,"much"]}`), "a sample is", fault.Invalid},
		{"a sample without its time", 200, vector(`{"metric":{},"value":["1"]}`), "a sample is", fault.Invalid},
		{"a series without a value", 200, vector(`{"metric":{}}`), "no samples", fault.Invalid},
		{"a native histogram", 200, vector(`{"metric":{},"histogram":[1,{}]}`), "native histograms", fault.Invalid},
		{"a type of the future", 200, `{"status":"success","data":{"resultType":"cube","result":[]}}`, `"cube"`, fault.Invalid},
		{"a query that is too dear", 422, `{"status":"error","errorType":"execution","error":"too many samples"}`, "too many samples", fault.Invalid},
		{"a server that gave up", 503, `{"status":"error","errorType":"timeout","error":"query timed out"}`, "query timed out", fault.Unreachable},
		{"an error that says it went well", 200, `{"status":"error","errorType":"bad_data","error":"parse\nerror"}`, "parse error", fault.Invalid},
		{"a proxy between", 502, "bad gateway \x1b[31m", "502: bad gateway [31m", fault.Unreachable},
		{"nobody is let in", 401, "secret-token is wrong", "401: *** is wrong", fault.Unauthorized},
		{"no such API", 404, "404 page not found", "404", fault.NotFound},
	} {
		t.Run(c.reason, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer s.Close()
			login := func() (prometheus.Login, error) { return prometheus.Login{Token: "secret-token"}, nil }
			_, err := client(t, s.URL, prometheus.Options{Login: login}).Query(t.Context(), "up", time.Time{})
			if fault.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, %v", fault.CodeOf(err), err)
			}
			if err != nil && (strings.Contains(err.Error(), "secret-token") || strings.Contains(err.Error(), "\x1b")) {
				t.Errorf("the error tells what it must not: %q", err)
			}
		})
	}
}

func TestWarningsAreKept(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","isPartial":true,"warnings":["one store is down"],"data":{"resultType":"scalar","result":[1,"2"]}}`)
	}))
	defer s.Close()
	got, err := client(t, s.URL, prometheus.Options{}).Query(t.Context(), "1", time.Time{})
	if err != nil || cmp.Diff([]string{"it is partial", "one store is down"}, got.Warnings) != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhoAsksIsSaid(t *testing.T) {
	var got http.Header
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		fmt.Fprint(w, vector())
	}))
	defer s.Close()
	for _, c := range []struct {
		reason, tenant string
		login          prometheus.Login
		want           string
	}{
		{"nobody", "", prometheus.Login{}, ""},
		{"a token, for a tenant", "team-a", prometheus.Login{Token: "t"}, "Bearer t"},
		{"a user", "", prometheus.Login{User: "u", Password: "p"}, "Basic dTpw"},
	} {
		o := prometheus.Options{Tenant: c.tenant, Login: func() (prometheus.Login, error) { return c.login, nil }}
		if _, err := client(t, s.URL, o).Query(t.Context(), "up", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if got.Get("Authorization") != c.want || got.Get("X-Scope-OrgID") != c.tenant {
			t.Errorf("%s: the server hears %v", c.reason, got)
		}
	}
	asked := got
	o := prometheus.Options{Login: func() (prometheus.Login, error) { return prometheus.Login{}, errors.New("no such file") }}
	_, err := client(t, s.URL, o).Query(t.Context(), "up", time.Time{})
	if fault.CodeOf(err) != fault.Unauthorized || got.Get("User-Agent") != asked.Get("User-Agent") {
		t.Errorf("without its secret: %v", err)
	}
}

func TestQuestionsAreNotSentOnToOthers(t *testing.T) {
	var asked bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked = true
		fmt.Fprint(w, vector())
	}))
	defer other.Close()
	for _, c := range []struct {
		reason string
		status int
		to     string
		want   string // of the error; "" where it is followed
	}{
		{"within the server", http.StatusTemporaryRedirect, "/moved/api/v1/query", ""},
		{"to another one", http.StatusTemporaryRedirect, other.URL, "which nobody named"},
		{"in a way that loses the query", http.StatusFound, "/moved/api/v1/query", "without its text"},
		{"in a circle", http.StatusPermanentRedirect, "/api/v1/query", "more than 3 times"},
	} {
		mux := http.NewServeMux()
		mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, c.to, c.status) })
		mux.HandleFunc("/moved/", func(w http.ResponseWriter, r *http.Request) {
			if r.PostFormValue("query") != "up" {
				http.Error(w, "no query", http.StatusBadRequest)
				return
			}
			fmt.Fprint(w, vector())
		})
		s := httptest.NewServer(mux)
		_, err := client(t, s.URL, prometheus.Options{}).Query(t.Context(), "up", time.Time{})
		s.Close()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
	if asked {
		t.Error("the other server was asked")
	}
}

func TestAQuestionEndsWithItsContext(t *testing.T) {
	for _, c := range []struct {
		reason string
		answer func(http.ResponseWriter, *http.Request)
	}{
		{"a server that never answers", func(_ http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm() // a server hears that the client is gone once it has read the whole question
			<-r.Context().Done()
		}},
		{"one that begins and never ends", func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			_, _ = w.Write(bytes.Repeat([]byte(" "), 1<<16))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
	} {
		s := httptest.NewServer(http.HandlerFunc(c.answer))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := client(t, s.URL, prometheus.Options{}).Query(ctx, "up", time.Time{})
		cancel()
		s.Close()
		if !errors.Is(err, context.DeadlineExceeded) || fault.CodeOf(err) != fault.Unreachable {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}

func TestAddressesAreRead(t *testing.T) {
	for _, c := range []struct {
		reason, address string
		good            bool
	}{
		{"a host and port", "http://prometheus:9090", true},
		{"a path below which the API is", "https://metrics.example/prometheus/", true},
		{"no scheme", "prometheus:9090", false},
		{"another scheme", "file:///etc/passwd", false},
		{"no host", "http:///x", false},
		{"a password in git", "http://u:p@prometheus:9090", false},
		{"a query", "http://prometheus:9090/?q=1", false},
		{"no URL", "http://[", false},
	} {
		_, err := prometheus.New(c.address, prometheus.Options{})
		if (err == nil) != c.good || err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}

func TestAnAddressIsAskedOnlyWhereItIsAllowed(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(s.Close)
	var resolved []string
	refuse := func(address string) error {
		resolved = append(resolved, address)
		return errors.New("not this one")
	}
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	_, err := client(t, "http://localhost:"+port, prometheus.Options{Allowed: refuse}).Query(t.Context(), "up", time.Time{})
	if fault.CodeOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "not this one") || asked != 0 {
		t.Errorf("got %v, and it was asked %d times", err, asked)
	}
	if !slices.Contains(resolved, "127.0.0.1:"+port) {
		t.Errorf("it was asked of %q, which is not what the name stands for", resolved)
	}
}

func TestAServerThatIsGoneIsUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := client(t, s.URL, prometheus.Options{}).Query(t.Context(), "up", time.Time{})
	if fault.CodeOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
}
