package rule_test

import (
	"strings"
	"testing"

	"sluice.dev/sluice/pipelines/rule"
)

func TestResultsOfTasks(t *testing.T) {
	declared := []rule.Param{
		{Name: "limit", Type: rule.TypeInt},
		{Name: "found", Type: rule.TypeInt, Task: "count"},
		{Name: "verdict", Type: rule.TypeString, Task: "pre-check"},
		{Name: "hosts", Type: rule.TypeArray, Task: "count"},
		{Name: "link", Type: rule.TypeObject, Keys: []string{"url"}},
	}
	values := rule.Params{
		"limit": int64(3), "link": map[string]string{"url": "u"}, rule.ResultPath("count", "hosts"): []string{"a", "b"}, rule.ResultPath("count", "found"): int64(5), rule.ResultPath("pre-check", "verdict"): "pass",
	}
	compiler := rule.NewCompiler()
	for _, c := range []struct {
		reason, source string
		want           bool
		says           string
	}{
		{"a result is typed", "tasks.count.results.found > params.limit", true, ""},
		{"a name with dashes stands in backquotes", "tasks.`pre-check`.results.verdict == 'fail'", false, ""},
		{"both beside a fact", "tasks.count.results.found == 5 && change.version == '2'", true, ""},
		{"an array is a list of texts", "tasks.count.results.hosts.exists(h, h == 'b') && size(tasks.count.results.hosts) == 2", true, ""},
		{"an object is a map of them", "params.link.url == 'u' && has(params.link.url) && tasks.count.results.hosts[0] == 'a'", true, ""},
		{"an object has the keys that it says", "params.link.ulr == 'u'", false, "params.link has no key ulr: did you mean url?"},
		{"of another type", "tasks.count.results.found == 'pass'", false, "found no matching overload"},
		{"there is no such result", "tasks.count.results.fund > 1", false, "task count has no result fund: did you mean found?"},
		{"there is no such task", "tasks.cunt.results.found > 1", false, "there is no task cunt with results here: did you mean count?"},
		{"half a name", "tasks.count.found > 1", false, "tasks.TASK.results.NAME"},
		{"a result is always there", "has(tasks.count.results.found)", false, "is always there"},
		{"nothing has been looked at", "workload.ready > 0", false, "cannot read workload in a rule of scope tasks"},
	} {
		program, err := compiler.Compile(rule.ScopeTasks, declared, c.source)
		if c.says != "" {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %q", c.reason, err, c.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
			continue
		}
		got, err := program.Eval(t.Context(), rule.Facts{Change: rule.Change{Version: "2"}}, values)
		if err != nil || got != c.want {
			t.Errorf("%s: %t, %v", c.reason, got, err)
		}
		for _, path := range program.Reads() {
			if _, ok := program.Seen(rule.Facts{}, values)[path]; !ok {
				t.Errorf("%s: it read %s and did not see it", c.reason, path)
			}
		}
	}
	if _, err := compiler.Compile(rule.ScopeTasks, nil, "tasks.count.results.found > 1"); err == nil || !strings.Contains(err.Error(), "no results") {
		t.Errorf("without any: %v", err)
	}
}
