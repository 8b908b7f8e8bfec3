package check

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/logscan"
	"sluice.dev/sluice/internal/prometheus"
	"sluice.dev/sluice/pipelines"
)

// TestNoFindingShowsASecret has a source say and hand on secrets wherever it can: none gets into a heartbeat or an answer.
func TestNoFindingShowsASecret(t *testing.T) {
	type named struct {
		Password string `json:"password"`
		Pods     int    `json:"pods"`
	}
	s := newScript(Finding{
		Verdict: api.Passed, Message: "it logs in with password=geheim",
		Seen: map[string]any{
			"values": []any{`{job="api", token="geheim"} 3`}, "who": []string{"https://me:geheim@example.com/"}, "apiToken": "geheim",
			"deep": map[string]any{"secret": []any{"geheim"}}, "other": named{"geheim", 3}, "pods": 3, "plain": "registry.example/api:1",
		},
		Results: Results{"token": "geheim", "hosts": []string{"a", "pwd=geheim"}, "link": map[string]string{"secret": "geheim"}, "text": "Authorization: Bearer geheim-geheim", "n": int64(1<<53 + 1), "ok": true, "share": 0.5},
	})
	var said Tallies
	found, err := measurerOf(s).Ask(t.Context(), Inquiry{
		Point: pipelines.AfterBatch, Checks: []pipelines.ResolvedCheck{aCheck("c", pipelines.Repeat{})}, Say: func(now Tallies) { said = now },
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal([]any{found, said})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), "geheim") {
		t.Errorf("there is a secret in %s", body)
	}
	seen, results := found[0].Seen, said["c/step"].Results
	if seen["pods"] != 3 || seen["plain"] != "registry.example/api:1" || results["n"] != int64(1<<53+1) || results["ok"] != true || results["hosts"].([]string)[0] != "a" || results["share"] != 0.5 {
		t.Errorf("what is no secret is %+v, and is handed on as %+v", seen, results)
	}
}

// TestWhatAProgramSaysIsMaskedBeforeItIsCutOff: what is left of a secret would not be known as one.
func TestWhatAProgramSaysIsMaskedBeforeItIsCutOff(t *testing.T) {
	for _, said := range []string{
		`password="` + strings.Repeat("geheim ", 200) + `"`,
		`{"message": "token=` + strings.Repeat("geheim", 300) + `"}`,
		"-----BEGIN PRIVATE KEY-----\ngeheim\ngeheim\n-----END PRIVATE KEY-----\nno",
	} {
		if f := judged(1, said, nil, logscan.Mask); strings.Contains(f.Message, "geheim") || !strings.Contains(f.Message, "***") {
			t.Errorf("of %.30q it is quoted: %q", said, f.Message)
		}
	}
}

// TestLabelsOfSeriesAreMasked asks a source of metrics whose labels show a secret.
func TestLabelsOfSeriesAreMasked(t *testing.T) {
	ask := AskerFunc(func(context.Context, pipelines.BoundDataSource, string) (prometheus.Answer, error) {
		return prometheus.Answer{Type: prometheus.Vector, Series: []prometheus.Series{{
			Labels: map[string]string{"job": "api", "password": "geheim"}, Samples: []prometheus.Sample{{Value: 1}},
		}}, Warnings: []string{"cannot read token=geheim"}}, nil
	})
	seen := map[string]any{}
	answer, _ := ask(t.Context(), pipelines.BoundDataSource{}, "")
	show(seen, answer)
	body, err := json.Marshal(masked(Finding{Seen: seen}).Seen)
	if err != nil || strings.Contains(string(body), "geheim") || !strings.Contains(string(body), "api") {
		t.Errorf("it saw %s, %v", body, err)
	}
}
