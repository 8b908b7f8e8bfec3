package access_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/pipelines"
)

// TestThePageHasTheTable holds docs/access.md to what roles may.
func TestThePageHasTheTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	head := "| right | what it is |"
	for _, role := range pipelines.BindingRoles() {
		head += " " + string(role) + " |"
	}
	if !strings.Contains(string(page), head) {
		t.Fatalf("docs/access.md has no table with the head %s", head)
	}
	for _, right := range pipelines.Rights() {
		_, line, found := strings.Cut(string(page), "\n| `"+string(right)+"` |")
		line, _, _ = strings.Cut(line, "\n")
		cells := strings.Split(strings.TrimSuffix(line, "|"), "|")
		if !found || len(cells) != 1+len(pipelines.BindingRoles()) {
			t.Errorf("docs/access.md has no line of %s", right)
			continue
		}
		for i, role := range pipelines.BindingRoles() {
			if said := strings.TrimSpace(cells[1+i]) == "yes"; said != slices.Contains(role.Rights(), right) {
				t.Errorf("docs/access.md says of %s that it may %s: %v", role, right, said)
			}
		}
	}
}

// TestTheRulesOfThePage compiles every rule in docs/access.md, and asks those for jobs about tokens as the two build systems make them.
func TestTheRulesOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]*access.Grants{}
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		var d struct {
			Spec     struct{ Subjects string } `json:"spec"`
			Subjects string                    `json:"subjects"`
		}
		if err := yaml.Unmarshal([]byte(block), &d); err != nil {
			t.Fatalf("%v:\n%s", err, block)
		}
		source := d.Subjects + d.Spec.Subjects
		if source == "" {
			continue
		}
		for _, name := range []string{"ann@", "sre", "event_name", "ref_protected", "refs/heads/main"} {
			if strings.Contains(source, name) {
				rules[name] = compile(t, binding("b", source, roles(pipelines.RoleViewer)))
				break
			}
		}
	}
	github := map[string]any{"repository_id": "1234567", "repository_owner_id": "89", "ref": "refs/heads/main", "event_name": "push"}
	gitlab := map[string]any{"project_id": "42", "ref": "main", "ref_protected": "true", "pipeline_source": "push"}
	with := func(claims map[string]any, name string, value any) map[string]any {
		claims = maps.Clone(claims)
		claims[name] = value
		return claims
	}
	for _, c := range []struct {
		rule, issuer, name string
		kind               access.Kind
		claims             map[string]any
		want               bool
	}{
		{"ann@", "corp", "ann@example.com", access.Person, nil, true},
		{"ann@", "partner", "ann@example.com", access.Person, nil, false},
		{"sre", "corp", "bob", access.Person, map[string]any{"groups": []any{"dev", "sre"}}, true},
		{"sre", "corp", "bob", access.Person, map[string]any{"groups": []any{"dev"}}, false},
		{"sre", "corp", "bob", access.Person, nil, false},
		{"event_name", "github", "x", access.Job, github, true},
		{"event_name", "github", "x", access.Job, with(github, "event_name", "pull_request"), false},
		{"event_name", "github", "x", access.Job, with(github, "event_name", "pull_request_target"), false},
		{"event_name", "github", "x", access.Job, with(github, "ref", "refs/heads/other"), false},
		{"event_name", "github", "x", access.Job, with(github, "repository_id", "7"), false},
		{"event_name", "gitlab", "x", access.Job, github, false},
		{"ref_protected", "gitlab", "x", access.Job, gitlab, true},
		{"ref_protected", "gitlab", "x", access.Job, with(gitlab, "ref_protected", "false"), false},
		{"ref_protected", "gitlab", "x", access.Job, with(gitlab, "project_id", "43"), false},
		{"ref_protected", "gitlab", "x", access.Job, with(gitlab, "pipeline_source", "merge_request_event"), false},
		{"refs/heads/main", "github", "x", access.Job, github, true},
	} {
		g := rules[c.rule]
		if g == nil {
			t.Errorf("docs/access.md has no rule with %s", c.rule)
			continue
		}
		if d := g.May(subject(t, c.kind, c.issuer, c.name, c.claims), pipelines.RightView, access.Object{}); d.Allowed != c.want {
			t.Errorf("%s of %s with %v: %s", c.name, c.issuer, c.claims, d.Why())
		}
	}
}
