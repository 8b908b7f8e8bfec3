package kuberhealthy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kuberhealthy"
	"sluice.dev/sluice/internal/probing"
)

// runs are some runs, and what was taken of them.
type runs struct {
	mu     sync.Mutex
	known  map[string]kuberhealthy.Known
	owners map[string]string
	take   func(call int) error // what Take answers
	calls  int
	taken  []probing.Result
	how    []kuberhealthy.Report
	ids    []string
}

func (r *runs) Known(_ context.Context, uuid string) (kuberhealthy.Known, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.known[uuid]
	if !ok {
		return k, fault.New(fault.NotFound, "there is no run %s", uuid)
	}
	return k, nil
}

func (r *runs) Owner(_ context.Context, a netip.Addr) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id := r.owners[a.String()]; id != "" {
		return id, nil
	}
	return "", fault.New(fault.NotFound, "there is no pod at %s", a)
}

func (r *runs) Take(_ context.Context, uuid string, result probing.Result, report kuberhealthy.Report) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.take != nil {
		if err := r.take(r.calls); err != nil {
			return err
		}
	}
	r.ids, r.taken, r.how = append(r.ids, uuid), append(r.taken, result), append(r.how, report)
	k := r.known[uuid]
	k.Done, k.Reported = !k.Resident, !k.Resident
	r.known[uuid] = k
	return nil
}

var now = time.Date(2026, 11, 30, 5, 0, 0, 0, time.UTC)

// some are an open run, one that is late, one that has reported, one that was ended, and a resident.
func some() *runs {
	return &runs{
		known: map[string]kuberhealthy.Known{
			"open":               {Deadline: now.Add(time.Minute)},
			"late":               {Deadline: now},
			"reported":           {Deadline: now.Add(time.Minute), Done: true, Reported: true},
			"ended":              {Deadline: now.Add(-time.Minute), Done: true},
			"reported, and over": {Deadline: now, Done: true, Reported: true},
			"resident":           {Deadline: now.Add(-time.Hour), Resident: true},
		},
		owners: map[string]string{"192.0.2.1": "open"}, // that of httptest
	}
}

// ask is a request to the handler.
type ask struct {
	method, kind, uuid, body string
}

func (a ask) to(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	var body io.Reader
	if a.body != "" {
		body = strings.NewReader(a.body)
	}
	r := httptest.NewRequest(a.method, path, body)
	if a.kind != "" {
		r.Header.Set("Content-Type", a.kind)
	}
	if a.uuid != "" {
		r.Header.Set("kh-run-uuid", a.uuid)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func handler(r *runs) http.Handler {
	return kuberhealthy.Handler(r, kuberhealthy.WithClock(clocktesting.NewFakeClock(now)), kuberhealthy.WithPatience(0))
}

const (
	asJSON = "application/json"
	good   = `{"OK":true,"Errors":[]}`
	bad    = `{"OK":false,"Errors":["no route"]}`
)

// TestBothVersions has a row for each thing in which servers of the two versions are alike or not.
func TestBothVersions(t *testing.T) {
	for _, c := range []struct {
		reason string
		ask    ask
		v2, v3 int
		taken2 api.Verdict // "" is none
		taken3 api.Verdict
	}{
		{"a good report", ask{"POST", asJSON, "open", good}, 200, 200, api.Passed, api.Passed},
		{"a report of errors", ask{"POST", asJSON, "open", bad}, 200, 200, api.Failed, api.Failed},
		{"small letters, as version 3 writes", ask{"POST", asJSON, "open", `{"ok":false,"errors":["no route"]}`}, 200, 200, api.Failed, api.Failed},
		{"other keys are passed over", ask{"POST", asJSON, "open", `{"ok":true,"errors":null,"currentUUID":"x","node":{"a":[1]}}`},
			200, 200, api.Passed, api.Passed},
		{"another method", ask{"PUT", asJSON, "open", good}, 200, 405, api.Passed, ""},
		{"a look whether it is there: of version 2 some wait for a 200", ask{"GET", "", "", ""}, 200, 405, "", ""},
		{"a look at its head", ask{"HEAD", "", "", ""}, 200, 405, "", ""},
		{"a look of a run takes nothing from it", ask{"GET", "", "open", ""}, 200, 405, "", ""},
		{"no content type", ask{"POST", "", "open", good}, 200, 415, api.Passed, ""},
		{"another content type", ask{"POST", "text/plain", "open", good}, 200, 415, api.Passed, ""},
		{"a content type with a charset", ask{"POST", "application/json; charset=utf-8", "open", good}, 200, 200, api.Passed, api.Passed},
		{"no run: version 2 knows the address", ask{"POST", asJSON, "", good}, 200, 400, api.Passed, ""},
		{"a run that is not there", ask{"POST", asJSON, "other", good}, 400, 400, "", ""},
		{"a run of 1,000 letters", ask{"POST", asJSON, strings.Repeat("x", 1000), good}, 400, 400, "", ""},
		{"no JSON", ask{"POST", asJSON, "open", `{"OK":tr`}, 400, 400, "", ""},
		{"JSON of another shape", ask{"POST", asJSON, "open", `{"OK":true,"Errors":"none"}`}, 400, 400, "", ""},
		{"JSON of nothing", ask{"POST", asJSON, "open", `null`}, 400, 400, "", ""},
		{"a drained body", ask{"POST", asJSON, "open", ""}, 400, 400, "", ""},
		{"ok with errors", ask{"POST", asJSON, "open", `{"OK":true,"Errors":["but"]}`}, 200, 400, api.Passed, ""},
		{"not ok, and no errors", ask{"POST", asJSON, "open", `{"OK":false,"Errors":[]}`}, 400, 400, "", ""},
		{"an empty error", ask{"POST", asJSON, "open", `{"OK":false,"Errors":["a",""]}`}, 400, 400, "", ""},
		{"too late", ask{"POST", asJSON, "late", good}, 200, 410, api.Passed, ""},
		{"a second report", ask{"POST", asJSON, "reported", bad}, 200, 400, "", ""},
		{"a second report that is late: 410 would have it come again", ask{"POST", asJSON, "reported, and over", bad}, 200, 400, "", ""},
		{"of a run that was ended at its deadline", ask{"POST", asJSON, "ended", bad}, 200, 410, "", ""},
		{"of a resident, which has no deadline", ask{"POST", asJSON, "resident", good}, 200, 200, api.Passed, api.Passed},
		{"the method is seen before the content type", ask{"PUT", "text/plain", "other", "x"}, 400, 405, "", ""},
		{"the content type is seen before the run", ask{"POST", "text/plain", "other", "x"}, 400, 415, "", ""},
		{"the run is seen before the body", ask{"POST", asJSON, "other", "x"}, 400, 400, "", ""},
		{"the deadline is seen before the body", ask{"POST", asJSON, "late", "x"}, 400, 410, "", ""},
	} {
		for _, v := range []struct {
			path   string
			status int
			taken  api.Verdict
		}{{kuberhealthy.PathV2, c.v2, c.taken2}, {kuberhealthy.PathV3, c.v3, c.taken3}} {
			r := some()
			w := c.ask.to(t, handler(r), v.path)
			if w.Code != v.status {
				t.Errorf("%s: %s answers %d, want %d: %s", c.reason, v.path, w.Code, v.status, w.Body)
			}
			var taken api.Verdict
			if len(r.taken) > 0 {
				taken = r.taken[0].Verdict
			}
			if taken != v.taken || len(r.taken) > 1 {
				t.Errorf("%s: at %s it took %q, want %q", c.reason, v.path, taken, v.taken)
			}
			if w.Code >= 400 && strings.TrimSpace(w.Body.String()) == "" {
				t.Errorf("%s: %s does not say why", c.reason, v.path)
			}
		}
	}
}

func TestOtherPathsTakeNothing(t *testing.T) {
	for path, want := range map[string]int{"/": 405, "/check/": 404, "/checks": 404, "/externalcheckstatus": 404, "/json": 404} {
		r := some()
		if w := (ask{"POST", asJSON, "open", good}).to(t, handler(r), path); w.Code != want || len(r.taken) > 0 {
			t.Errorf("%s answers %d, want %d", path, w.Code, want)
		}
	}
}

func TestWhatVersion3Answers(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{good, `{"ok":true,"currentUUID":""}`},
		{bad, `{"ok":false,"errors":["no route"],"currentUUID":""}`},
	} {
		w := (ask{"POST", asJSON, "open", c.body}).to(t, handler(some()), "/check")
		if diff := cmp.Diff(c.want, strings.TrimSpace(w.Body.String())); diff != "" {
			t.Error(diff)
		}
	}
}

func TestASecondReportCountsForNothing(t *testing.T) {
	for path, want := range map[string]int{"/check": 400, "/externalCheckStatus": 200} {
		r := some()
		h := handler(r)
		first, second := (ask{"POST", asJSON, "open", bad}).to(t, h, path), (ask{"POST", asJSON, "open", good}).to(t, h, path)
		if first.Code != 200 || second.Code != want || len(r.taken) != 1 || r.taken[0].Verdict != api.Failed {
			t.Errorf("%s: %d, %d, %v", path, first.Code, second.Code, r.taken)
		}
		// And where two of them meet at the store.
		r = some()
		r.take = func(int) error { return fault.New(fault.Conflict, "it has a result") }
		if w := (ask{"POST", asJSON, "open", good}).to(t, handler(r), path); w.Code != want {
			t.Errorf("%s: at once: %d", path, w.Code)
		}
	}
}

// TestTroubleStaysWithinARequest: a client that is told to come again may come with a drained body.
func TestTroubleStaysWithinARequest(t *testing.T) {
	for _, path := range []string{"/check", "/externalCheckStatus"} {
		for _, c := range []struct {
			reason      string
			take        func(int) error
			status, try int
		}{
			{"it passes", func(n int) error {
				if n < 3 {
					return fault.New(fault.Unreachable, "the API server is away")
				}
				return nil
			}, 200, 3},
			{"it does not pass", func(int) error { return fmt.Errorf("disk full") }, 500, 0},
			{"the run is gone meanwhile", func(int) error { return fault.New(fault.NotFound, "gone") }, 400, 1},
		} {
			r := some()
			r.known["open"] = kuberhealthy.Known{Deadline: time.Now().Add(time.Minute)}
			r.take = c.take
			w := (ask{"POST", asJSON, "open", good}).to(t, kuberhealthy.Handler(r, kuberhealthy.WithPatience(400*time.Millisecond)), path)
			if w.Code != c.status || c.try > 0 && r.calls != c.try || strings.Contains(w.Body.String(), "disk") {
				t.Errorf("%s: %s: %d after %d tries: %s", path, c.reason, w.Code, r.calls, w.Body)
			}
		}
	}
}

func TestAnAddressThatIsNotKnownYet(t *testing.T) {
	r := some()
	r.owners = map[string]string{}
	r.known["open"] = kuberhealthy.Known{}
	time.AfterFunc(100*time.Millisecond, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.owners["192.0.2.1"] = "open"
	})
	h := kuberhealthy.Handler(r, kuberhealthy.WithPatience(2*time.Second))
	if w := (ask{"POST", asJSON, "", good}).to(t, h, "/externalCheckStatus"); w.Code != 200 || r.ids[0] != "open" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestALateReportSaysSo(t *testing.T) {
	r := some()
	(ask{"POST", asJSON, "late", good}).to(t, handler(r), "/externalCheckStatus")
	want := kuberhealthy.Report{Contract: probing.ContractV2, Late: true, Address: netip.MustParseAddr("192.0.2.1")}
	if len(r.how) != 1 || r.how[0] != want {
		t.Errorf("%+v", r.how)
	}
}

// TestASlowBodyIsNotWaitedFor needs a real connection.
func TestASlowBodyIsNotWaitedFor(t *testing.T) {
	r := some()
	r.known["open"] = kuberhealthy.Known{}
	s := httptest.NewServer(kuberhealthy.Handler(r, kuberhealthy.WithBodyWithin(200*time.Millisecond)))
	defer s.Close()
	slow, end := io.Pipe()
	defer end.Close()
	go func() { _, _ = io.WriteString(end, `{"OK":`) }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	context.AfterFunc(ctx, func() { _ = end.Close() })
	req, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/check", slow)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", asJSON)
	req.Header.Set("kh-run-uuid", "open")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout || len(r.taken) > 0 {
		t.Errorf("%s, %v", resp.Status, r.taken)
	}
}
