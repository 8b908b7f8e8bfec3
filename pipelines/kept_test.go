package pipelines_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice.dev/sluice/pipelines"
)

// TestWhatIsKeptIsReadAsItWasWritten has sources and triggers kept as JSON, and loads that again.
func TestWhatIsKeptIsReadAsItWasWritten(t *testing.T) {
	docs := mustParse(t, `
kind: Source
metadata: {name: infra, labels: {team: a}}
spec:
  url: https://git.example/team/infra.git
  branch: main
  paths: [components, fleet.yaml]
  interval: 90s
  credentials: {token: {env: SLUICE_SECRET_GIT}, user: ann, caFile: ca.pem}
  forge: {kind: gitlab, repository: team/sub/infra, webhookSecret: {file: hook}}
  verify: {signers: ["`+sshKey+`"]}
`, `
kind: Trigger
metadata: {name: merged}
spec: {source: infra, components: {names: [a], matchLabels: {b: c}}, pipeline: p, run: true, approve: by-merge, reviewers: 2, whileOpen: Refuse}
`, `
kind: Trigger
metadata: {name: least}
spec: {source: infra, components: {all: true}}
`)
	kept, _ := docs.Kept()
	if len(kept) != 3 {
		t.Fatalf("%d documents are kept: %v", len(kept), kept)
	}
	for _, k := range kept {
		data, err := json.Marshal(k.Value)
		if err != nil {
			t.Fatal(err)
		}
		source, err := pipelines.KeptSource("kept", k.Kind, data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := pipelines.Parse(source)
		if err != nil {
			t.Fatalf("%s %s: %v", k.Kind, k.Name, err)
		}
		found, _ := again.Kept()
		if diff := cmp.Diff(k.Value, found[0].Value, cmpopts.IgnoreTypes(pipelines.Position{})); diff != "" {
			t.Errorf("%s %s (-written +read):\n%s", k.Kind, k.Name, diff)
		}
	}
	if got := docs.Triggers["least"].Spec; got.On != pipelines.OnMerge || got.WhileOpen != pipelines.OpenQueue || got.Asked() != 0 {
		t.Errorf("a trigger that says nothing is %+v", got)
	}
	if got := docs.Triggers["merged"].Spec.Asked(); got != 2 {
		t.Errorf("%d reviewers are asked for", got)
	}
	if got := docs.GitSources["infra"].Spec; got.Every().Seconds() != 90 || got.Forge.Endpoint() != "https://gitlab.com/api/v4" || got.Credentials.Login() != "ann" {
		t.Errorf("the source is %+v", got)
	}
}
