package notify

import (
	"strings"
	"testing"
	"time"
)

func TestTemplatesAreBounded(t *testing.T) {
	for text, want := range map[string]string{
		"{{env \"HOME\"}}":              `function "env" not defined`,
		"{{expandenv \"$HOME\"}}":       `function "expandenv" not defined`,
		"{{getHostByName \"a.b\"}}":     `function "getHostByName" not defined`,
		"{{.Nothing}}":                  "can't evaluate field Nothing",
		"{{range 100000000000}}{{end}}": "its loops run more than 10000 times",
		"{{define \"a\"}}{{template \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}": "its loops run more than 10000 times",
		"{{$x := \"aaaaaaaaaaaaaaaa\"}}{{range 100}}{{$x = cat $x $x}}{{end}}":          "a value is larger than 8192",
		"{{$x := list 1}}{{range 100}}{{$x = concat $x $x}}{{end}}":                     "a value is larger than 8192",
		"{{printf \"%100000d\" 1}}":                       "a value is larger than 8192",
		"{{if true}}{{range 100000000000}}{{end}}{{end}}": "its loops run more than 10000 times",
		"{{.Run": "unclosed action",
		"{{.Run | upper}} {{ternary \"a\" \"b\" .Test}} {{date \"2006\" .At}}": "",
	} {
		start := time.Now()
		err := CheckTemplate(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %s", text, took)
		}
	}
	long, err := render(`{{range 9000}}0123456789{{end}}`, Event{})
	if err != nil || len(long) > maxMessage || len(long) < maxMessage-10 {
		t.Errorf("%d bytes, %v", len(long), err)
	}
}

func TestADefaultMessageSaysWhatToDo(t *testing.T) {
	e := Sample("pager", time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC))
	title, text, err := message("", "", e)
	if err != nil {
		t.Fatal(err)
	}
	const want = `It waits for decision e2e/e2e-1: this is a test.
Phase Held, 1 cluster in e2e.
Started 2026-11-29 11:59:00 UTC by sluice: a test of receiver pager.
sluice why sample-1`
	if title != "Test: sample-1 (sample 1.0.0): held" || text != want {
		t.Errorf("%s\n%s", title, text)
	}
}
