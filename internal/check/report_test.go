package check

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

func TestWhatAProgramHasFound(t *testing.T) {
	for _, c := range []struct {
		reason string
		exit   int
		said   string
		want   api.Verdict
		says   string
	}{
		{"it succeeded", 0, "", api.Passed, "exit status 0"},
		{"it succeeded, with a word", 0, "12 of 12", api.Passed, "12 of 12"},
		{"it failed", 1, "3 of 12", api.Failed, "exit status 1: 3 of 12"},
		{"it failed without a word", 2, "", api.Failed, "exit status 2"},
		{"some end with -1", 255, "", api.Failed, "exit status 255"},
		{"it cannot tell", 75, "no data", api.Inconclusive, "exit status 75: no data"},
		{"a command was not there: it did not look", 127, "curl: not found", api.Error, "exit status 127, a command could not be run: curl: not found"},
		{"a command was no program", 126, "", api.Error, "exit status 126, a command could not be run"},
		{"somebody killed it", 137, "", api.Error, "exit status 137, ended by signal 9"},
		{"it crashed", 139, "", api.Error, "exit status 139, ended by signal 11"},
		{"it reports a pass", 0, `{"verdict": "Passed", "message": "fine"}`, api.Passed, "fine"},
		{"it reports a failure, and ends well", 0, `{"verdict": "Failed", "message": "slow"}`, api.Failed, "slow"},
		{"it reports that it cannot tell", 0, `{"verdict": "Inconclusive"}`, api.Inconclusive, "exit status 0"},
		{"it fails, and reports that it could not look", 1, `{"verdict": "Error", "message": "no network"}`, api.Error, "exit status 1: no network"},
		{"its two words contradict each other", 1, `{"verdict": "Passed"}`, api.Error, "it reports Passed, and ended with exit status 1"},
		{"somebody killed it after it had reported", 137, `{"verdict": "Failed", "message": "slow"}`, api.Error, "exit status 137, ended by signal 9: slow"},
		{"a verdict nobody knows", 0, `{"verdict": "ok"}`, api.Error, `it reports the verdict "ok"`},
		{"nobody skips itself", 0, `{"verdict": "Skipped"}`, api.Error, `it reports the verdict "Skipped"`},
		{"a report that was cut off is no text", 0, `{"verdict": "Failed", "mess`, api.Error, "its report cannot be read: unexpected EOF"},
		{"two reports are none", 0, `{"verdict": "Passed"} {"verdict": "Failed"}`, api.Error, "its report cannot be read: there is more behind it"},
		{"a verdict that is no text", 0, `{"verdict": true}`, api.Error, "its report cannot be read: json"},
		{"the end of a log of JSON lines is no report", 1, "{\"level\":\"info\"}\n{\"level\":\"fatal\"}", api.Failed, "exit status 1: {\"level\":\"info\"}\n{\"level\":\"fatal\"}"},
		{"nor is one line of it", 1, `{"level":"fatal","msg":"no"}`, api.Failed, `exit status 1: {"level":"fatal","msg":"no"}`},
		{"what a terminal takes for orders is left out", 1, "\x1b[31mred\x07\u009b2J\r\n", api.Failed, "exit status 1: [31mred2J"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got := judged(c.exit, c.said, nil, asIs)
			if got.Verdict != c.want || !strings.HasPrefix(got.Message, c.says) {
				t.Errorf("%s: %q; want %s: %q", got.Verdict, got.Message, c.want, c.says)
			}
			if got.Seen["exit"] != int64(c.exit) {
				t.Errorf("it was seen as %v", got.Seen)
			}
		})
	}
}

func TestAProgramLeavesResultsInFiles(t *testing.T) {
	declared := []pipelines.TaskResult{
		{Name: "text"}, {Name: "n", Type: pipelines.TypeInt}, {Name: "share", Type: pipelines.TypeDouble},
		{Name: "ok", Type: pipelines.TypeBool}, {Name: "hosts", Type: pipelines.TypeArray}, {Name: "said"},
	}
	files := "\nsluice results\ntext 3\n a\n\nn 2\n3\n\nshare 4\n0.5\n\nok 5\ntrue\n\nhosts 10\n[\"a\", \"b\"]\n"
	got := judged(0, `{"message": "m", "results": {"said": "s", "n": 9}}`+files, declared, asIs)
	want := Results{"text": " a\n", "n": int64(3), "share": 0.5, "ok": true, "hosts": []string{"a", "b"}, "said": "s"}
	if diff := cmp.Diff(want, got.Results); diff != "" || got.Message != "m" {
		t.Errorf("%s (-want +got):\n%s", got.Message, diff)
	}
	for said, says := range map[string]string{
		"\nsluice results\nn 3\none\n":  "it reported the result n as one, which is no int",
		"\nsluice results\nn 30\none\n": "the result n has 30 bytes",
	} {
		if got := judged(0, said, declared[1:2], asIs); got.Verdict != api.Error || !strings.HasPrefix(got.Message, says) {
			t.Errorf("%s: %q, want %q", got.Verdict, got.Message, says)
		}
	}
	if got := judged(3, "log\nsluice results\nlines", declared, asIs); got.Verdict != api.Failed || !strings.HasSuffix(got.Message, "lines") {
		t.Errorf("of one that failed nothing is read: %s: %q", got.Verdict, got.Message)
	}
}

func TestAProgramHandsOutArraysAndObjects(t *testing.T) {
	declared := []pipelines.TaskResult{
		{Name: "hosts", Type: pipelines.TypeArray},
		{Name: "link", Type: pipelines.TypeObject, Properties: map[string]pipelines.Property{"url": {}}},
	}
	got := judged(0, `{"results": {"hosts": ["a", 1.10, true], "link": {"url": "u", "more": 1}}}`, declared, asIs)
	want := Results{"hosts": []string{"a", "1.10", "true"}, "link": map[string]string{"url": "u", "more": "1"}}
	if diff := cmp.Diff(want, got.Results); diff != "" {
		t.Errorf("%s (-want +got):\n%s", got.Message, diff)
	}
	for said, want := range map[string]string{
		`{"hosts": {"a": "b"}, "link": {"url": "u"}}`:                             "it reported the result hosts, which must be of type array, not a mapping",
		`{"hosts": [["a"]], "link": {"url": "u"}}`:                                "it reported the result hosts, which must hold texts, not [a]",
		`{"hosts": [], "link": {"ulr": "u"}}`:                                     "it reported the result link, which has no key url",
		`{"hosts": [` + strings.Repeat(`"",`, 256) + `""], "link": {"url": "u"}}`: "it reported the result hosts, which has 257 items, at most 256 are allowed",
	} {
		if got := judged(0, `{"results": `+said+`}`, declared, asIs); got.Verdict != api.Error || got.Message != want {
			t.Errorf("%s: %q, want %q", got.Verdict, got.Message, want)
		}
	}
}

func TestWhatAProgramHandsOut(t *testing.T) {
	result := func(name string, as pipelines.ParamType) pipelines.TaskResult {
		return pipelines.TaskResult{Name: name, Type: as}
	}
	for _, c := range []struct {
		reason   string
		exit     int
		said     string
		declared []pipelines.TaskResult
		want     Results
		says     string // of the Error
	}{
		{
			"in their types", 0, `{"results": {"n": 3, "share": 1, "ok": true, "text": "x", "more": 1}}`,
			[]pipelines.TaskResult{result("n", "int"), result("share", "double"), result("ok", "bool"), result("text", "")},
			Results{"n": int64(3), "share": 1.0, "ok": true, "text": "x"}, "",
		},
		{"nothing is wanted", 0, `{"results": {"n": 3}}`, nil, nil, ""},
		{"one is missing", 0, `{"results": {"n": 3}}`, []pipelines.TaskResult{result("m", "int")}, nil, "it did not report the result m"},
		{"it reports nothing", 0, "fine", []pipelines.TaskResult{result("m", "int")}, nil, "it did not report the result m"},
		{"no whole number", 0, `{"results": {"n": 3.5}}`, []pipelines.TaskResult{result("n", "int")}, nil, "it reported the result n as 3.5, which is no int"},
		{"no number", 0, `{"results": {"n": "3"}}`, []pipelines.TaskResult{result("n", "double")}, nil, "which is no double"},
		{"more than a number can be", 0, `{"results": {"n": 1e999}}`, []pipelines.TaskResult{result("n", "double")}, nil, "which is no double"},
		{"no text", 0, `{"results": {"n": null}}`, []pipelines.TaskResult{result("n", "")}, nil, "which is no string"},
		{"of one that failed nothing is handed on", 1, `{"results": {"n": 3}}`, []pipelines.TaskResult{result("n", "int")}, nil, ""},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got := judged(c.exit, c.said, c.declared, asIs)
			if diff := cmp.Diff(c.want, got.Results); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if (got.Verdict == api.Error) != (c.says != "") || c.says != "" && !strings.Contains(got.Message, c.says) {
				t.Errorf("%s: %s", got.Verdict, got.Message)
			}
		})
	}
}

func TestWhatIsQuotedIsShort(t *testing.T) {
	lines := quote(strings.Repeat("line\n", 100))
	if n := strings.Count(lines, "\n") + 1; n != 20 {
		t.Errorf("%d lines are quoted", n)
	}
	if long := quote(strings.Repeat("é", 10<<20)); len(long) > 1000 || !strings.HasPrefix(long, "...é") {
		t.Errorf("%d bytes are quoted", len(long))
	}
}
