package kuberhealthy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/kuberhealthy"
	"sluice.dev/sluice/internal/probing"
)

// took is what becomes of a body that is taken.
func took(t *testing.T, path, body string) (probing.Result, kuberhealthy.Report) {
	t.Helper()
	r := some()
	if w := (ask{"POST", asJSON, "open", body}).to(t, handler(r), path); w.Code != 200 {
		t.Fatalf("%s answers %d: %s", path, w.Code, w.Body)
	}
	return r.taken[0], r.how[0]
}

func TestARicherReport(t *testing.T) {
	for _, path := range []string{"/check", "/externalCheckStatus"} {
		got, how := took(t, path, `{"OK":false,"Errors":["etcd-2: no leader"],"sluice":{"verdict":"Failed","code":"NoLeader","severity":"P1",
			"message":"one of three members has no leader","observations":{"put.p99":12.5,"version":"3.6","tls":true},
			"parts":[{"name":"put","target":"etcd-1","verdict":"Passed","millis":3},
				{"name":"put","target":"etcd-2","verdict":"Failed","code":"NoLeader","message":"no leader"}],
			"seq":7,"target":"etcd","later":"than we know"}}`)
		want := probing.Result{
			Verdict: api.Failed, Code: "NoLeader", Severity: "P1", Message: "one of three members has no leader", By: "report",
			Errors: []string{"etcd-2: no leader"},
			Observations: map[string]json.RawMessage{
				"put.p99": json.RawMessage("12.5"), "version": json.RawMessage(`"3.6"`), "tls": json.RawMessage("true"),
			},
			Parts: []probing.Part{
				{Name: "put", Target: "etcd-1", Verdict: api.Passed, Millis: 3},
				{Name: "put", Target: "etcd-2", Verdict: api.Failed, Code: "NoLeader", Message: "no leader"},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if how.Seq != 7 || how.Target != "etcd" {
			t.Errorf("%s: %+v", path, how)
		}
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		reason, body string
		want         api.Verdict // "" is refused
	}{
		{"ok alone", `{"ok":true}`, api.Passed},
		{"ok, and passed", `{"ok":true,"sluice":{"verdict":"Passed"}}`, api.Passed},
		{"there is nothing to look at", `{"ok":true,"sluice":{"verdict":"Skipped"}}`, api.Skipped},
		{"could not look is not found a fault", `{"ok":false,"errors":["no rights"],"sluice":{"verdict":"Error"}}`, api.Error},
		{"cannot tell", `{"ok":false,"errors":["no data"],"sluice":{"verdict":"Inconclusive"}}`, api.Inconclusive},
		{"no verdict goes by ok", `{"ok":false,"errors":["x"],"sluice":{"code":"X"}}`, api.Failed},
		{"passed, and not ok", `{"ok":false,"errors":["x"],"sluice":{"verdict":"Passed"}}`, ""},
		{"failed, and ok", `{"ok":true,"sluice":{"verdict":"Failed"}}`, ""},
		{"could not look, and ok", `{"ok":true,"sluice":{"verdict":"Error"}}`, ""},
		{"another verdict", `{"ok":true,"sluice":{"verdict":"Fine"}}`, ""},
		{"a code of several words", `{"ok":true,"sluice":{"code":"all is well"}}`, ""},
		{"another severity", `{"ok":true,"sluice":{"severity":"P9"}}`, ""},
		{"a sequence that goes back", `{"ok":true,"sluice":{"seq":-1}}`, ""},
		{"an observation of several", `{"ok":true,"sluice":{"observations":{"a":[1]}}}`, ""},
		{"an observation of nothing", `{"ok":true,"sluice":{"observations":{"a":null}}}`, ""},
		{"an observation nobody can count with", `{"ok":true,"sluice":{"observations":{"a":1e999}}}`, ""},
		{"a part whose name nobody sees", `{"ok":true,"sluice":{"parts":[{"name":"\u0000","verdict":"Passed"}]}}`, ""},
		{"an observation whose name nobody sees", `{"ok":true,"sluice":{"observations":{"\u0000":1}}}`, ""},
		{"a part without a name", `{"ok":true,"sluice":{"parts":[{"verdict":"Passed"}]}}`, ""},
		{"a part without a verdict", `{"ok":true,"sluice":{"parts":[{"name":"a"}]}}`, ""},
	} {
		r := some()
		w := (ask{"POST", asJSON, "open", c.body}).to(t, handler(r), "/check")
		switch {
		case c.want == "" && (w.Code != 400 || len(r.taken) > 0):
			t.Errorf("%s: %d", c.reason, w.Code)
		case c.want != "" && (w.Code != 200 || r.taken[0].Verdict != c.want):
			t.Errorf("%s: %d %s", c.reason, w.Code, w.Body)
		}
	}
}

// Names become keys, labels and cells of tables: of a NUL, an escape or letters from right to left there is nothing left in them.
func TestNamesAreWhatCanBeSeen(t *testing.T) {
	got, how := took(t, "/check", `{"ok":true,"sluice":{"target":"etcd\u0000-1","observations":{"a\u001bb":"x","c":2},
		"parts":[{"name":"put\n","target":"\u202eузел-1","verdict":"Passed"}]}}`)
	if how.Target != "etcd -1" || got.Parts[0].Name != "put" || got.Parts[0].Target != "узел-1" {
		t.Errorf("target %q, part %+v", how.Target, got.Parts[0])
	}
	if string(got.Observations["a b"]) != `"x"` || string(got.Observations["c"]) != "2" || len(got.Observations) != 2 {
		t.Errorf("observations %s", got.Observations)
	}
}

func TestWhatIsLongIsCutAndSaysSo(t *testing.T) {
	long := strings.Repeat("ä", 5000)
	parts, errors := []string{}, []string{}
	for i := range 150 {
		verdict := "Passed"
		if i == 149 {
			verdict = "Failed"
		}
		parts = append(parts, fmt.Sprintf(`{"name":"p%d","verdict":%q}`, i, verdict))
		errors = append(errors, fmt.Sprintf("%q", fmt.Sprint("error ", i)))
	}
	got, _ := took(t, "/check", fmt.Sprintf(`{"ok":false,"errors":[%s],"sluice":{"message":%q,"parts":[%s]}}`,
		strings.Join(errors, ","), long, strings.Join(parts, ",")))
	if len(got.Message) > probing.MaxMessage || !strings.HasSuffix(got.Message, "; cut: 50 parts, 130 errors, 1 text") {
		t.Errorf("%d bytes: ...%s", len(got.Message), got.Message[len(got.Message)-60:])
	}
	if len(got.Errors) != probing.MaxErrors || len(got.Parts) != probing.MaxParts || got.Parts[0].Name != "p149" {
		t.Errorf("%d errors, %d parts, %v", len(got.Errors), len(got.Parts), got.Parts[0])
	}
	// What JSON writes in six letters for one still fits into an object.
	got, _ = took(t, "/check", `{"ok":false,"errors":["x"],"sluice":{"parts":[`+
		strings.TrimSuffix(strings.Repeat(`{"name":"p","verdict":"Failed","message":"`+strings.Repeat("<", 2400)+`"},`, 100), ",")+`]}}`)
	if data, _ := json.Marshal(got); len(data) > 500<<10 {
		t.Errorf("a result has %d bytes", len(data))
	}
}

// TestAReportOfTenMegabytes is taken as far as it goes: refused, it would be sent again.
func TestAReportOfTenMegabytes(t *testing.T) {
	many := strings.Repeat(`"an error like many others",`, 400_000)
	one := strings.Repeat("x", 10<<20)
	for _, c := range []struct {
		reason, body string
		v2, v3       api.Verdict // "" is refused
	}{
		{"many errors after ok", `{"OK":false,"Errors":[` + many + `"end"]}`, api.Failed, api.Failed},
		{"one long error", `{"OK":false,"Errors":["` + one + `"]}`, api.Failed, api.Failed},
		{"errors before ok: by version 3 they say enough", `{"errors":[` + many + `"end"],"ok":false}`, api.Inconclusive, api.Failed},
		{"ok, and errors that version 2 lets pass", `{"OK":true,"Errors":[` + many + `"end"]}`, api.Passed, ""},
		{"ok, and much that nobody knows", `{"ok":true,"errors":[],"more":"` + one + `"}`, api.Passed, api.Passed},
		{"ok, and errors may follow", `{"ok":true,"more":"` + one + `","errors":[]}`, api.Inconclusive, api.Inconclusive},
		{"nothing that is said until there", `{"more":"` + one + `","ok":true}`, "", ""},
		{"no JSON", one, "", ""},
		{"no JSON within", `{"ok":false,"errors":["a"]] ` + one, "", ""},
	} {
		for path, want := range map[string]api.Verdict{"/externalCheckStatus": c.v2, "/check": c.v3} {
			r := some()
			w := (ask{"POST", asJSON, "open", c.body}).to(t, handler(r), path)
			if want == "" {
				if w.Code != 400 || len(r.taken) > 0 {
					t.Errorf("%s: %s answers %d", c.reason, path, w.Code)
				}
				continue
			}
			if w.Code != 200 || r.taken[0].Verdict != want || !r.how[0].Cut || !strings.Contains(r.taken[0].Message, "was cut at 262144 bytes") {
				t.Errorf("%s: %s answers %d %.200s, took %.300v", c.reason, path, w.Code, w.Body, r.taken)
				continue
			}
			if data, _ := json.Marshal(r.taken[0]); len(data) > 100<<10 {
				t.Errorf("%s: %s: a result has %d bytes", c.reason, path, len(data))
			}
		}
	}
}

// FuzzBody looks for bodies that break out of the bounds, or that are a result and no verdict.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{good, bad, "", "null", `{"ok":true,"sluice":{"observations":{"a":"b"},"parts":[{"name":"p","verdict":"Error"}]}}`} {
		f.Add([]byte(seed), 0, true)
		f.Add([]byte(seed), probing.MaxReport, false)
	}
	f.Fuzz(func(t *testing.T, body []byte, pad int, v2 bool) {
		path := "/check"
		if v2 {
			path = "/externalCheckStatus"
		}
		text := string(body) + strings.Repeat(" ", max(0, min(pad, probing.MaxReport+1)))
		r := some()
		w := (ask{"POST", asJSON, "open", text}).to(t, handler(r), path)
		if w.Code != 200 && w.Code != 400 || (w.Code == 200) != (len(r.taken) == 1) {
			t.Fatalf("%d, took %d", w.Code, len(r.taken))
		}
		for _, got := range r.taken {
			if len(got.Message) > probing.MaxMessage || len(got.Errors) > probing.MaxErrors || len(got.Parts) > probing.MaxParts {
				t.Errorf("out of bounds: %d bytes, %d errors, %d parts", len(got.Message), len(got.Errors), len(got.Parts))
			}
			switch got.Verdict {
			case api.Passed, api.Failed, api.Inconclusive, api.Error, api.Skipped:
			default:
				t.Errorf("verdict %q", got.Verdict)
			}
		}
	})
}
