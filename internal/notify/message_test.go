package notify

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/probing"
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
		err := CheckTemplate(text, false)
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

func TestADefaultMessageOfProbesSaysWhatToDo(t *testing.T) {
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	many := func(n int, to, state, was probing.State) Event {
		var turns []Turn
		for i := range n {
			turns = append(turns, Turn{
				Case: "etcd", Cluster: fmt.Sprintf("c%02d", i), State: state, Was: was, Since: noon, Targets: 1, Severity: "P1",
			})
		}
		return newTurnEvent("k", to, turns, noon)
	}
	for reason, c := range map[string]struct {
		event       Event
		title, text string
	}{
		"one that fails": {
			ProbeSample("pager", noon), "Test: sample in e2e-1: Failing (P3)",
			"- sample in e2e-1 at node-1: Failing since 2026-11-29 11:59:00 UTC (P3, enforcing, team owns it): a test of receiver pager\n" +
				"sluice probe explain sample --cluster e2e-1 --target node-1",
		},
		"one that is gone": {
			many(1, probing.Passing, "", probing.Unknown), "etcd in c00: over (P1)",
			"- etcd in c00: not looked at any more, was Unknown since 2026-11-29 12:00:00 UTC (P1)\nsluice probe explain etcd --cluster c00",
		},
		"many": {
			many(12, probing.Unknown, probing.Unknown, ""), "etcd in 12 clusters: Unknown (P1)",
			"- etcd in c09: Unknown since 2026-11-29 12:00:00 UTC (P1)\nand 2 more\nsluice get probes",
		},
	} {
		title, text, err := message("", "", c.event)
		if err != nil || title != c.title || !strings.HasSuffix(text, c.text) {
			t.Errorf("%s: %q, %v\n%s", reason, title, err, text)
		}
	}
	if title, _, err := message("{{.Event}} {{with .Probes}}{{.Count}}{{end}}", "", many(12, probing.Failing, probing.Failing, "")); title != "probeFailing 12" {
		t.Errorf("a template of one's own: %q, %v", title, err)
	}
}
