package api_test

import (
	"encoding/json"
	"testing"

	"sluice.dev/sluice/internal/api"
)

func TestASubjectReadsAsItIsWritten(t *testing.T) {
	for text, c := range map[string]struct {
		reason string
		want   api.Subject
	}{
		"node-agent":   {"what was stored before there were kinds is a component", api.Component("node-agent")},
		"Train/spring": {"another kind says so", api.Subject{Kind: "Train", Name: "spring"}},
		"":             {"nothing is nothing", api.Subject{}},
		"/":            {"a name that somebody typed stays what it is", api.Component("/")},
		"/x":           {"it has no kind", api.Component("/x")},
		"Train/":       {"it names no train", api.Component("Train/")},
		"Component/x":  {"a component does not say that it is one", api.Component("Component/x")},
	} {
		if got := api.ParseSubject(text); got != c.want || got.String() != text {
			t.Errorf("%q reads as %#v and writes as %q: %s", text, got, got, c.reason)
		}
		var got struct {
			Component api.Subject `json:"component"`
		}
		got.Component = c.want
		data, err := json.Marshal(got)
		if want := `{"component":"` + text + `"}`; err != nil || string(data) != want {
			t.Errorf("%#v is written as %s, %v: %s", c.want, data, err, c.reason)
		}
		got.Component = api.Subject{}
		if err := json.Unmarshal(data, &got); err != nil || got.Component != c.want {
			t.Errorf("%s is read as %#v, %v: %s", data, got, err, c.reason)
		}
	}
}
