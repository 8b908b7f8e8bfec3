package propose_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/propose"
)

const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var agent = propose.Document{Kind: "Component", Name: "agent", Version: "1.0.0"}

func TestEdit(t *testing.T) {
	values := append(propose.Slots(map[string]string{"agent": "r.example/agent:1.1.0" + digest}, ""), propose.Value{Path: []string{"spec", "version"}, Text: "1.1.0"})
	const head = "kind: Component\nmetadata: {name: agent}\n"
	for _, c := range []struct {
		reason, before, after string
		code                  fault.Code
	}{
		{
			reason: "comments and layout stay",
			before: "# the agent\nkind: Component   # a kind\nmetadata:\n    name: agent\n\nspec:\n    version: 1.0.0 # of the agent\n    images:\n        agent:\n            default: r.example/agent:1.0.0   # built by CI\n            # and no other\n",
			after:  "# the agent\nkind: Component   # a kind\nmetadata:\n    name: agent\n\nspec:\n    version: 1.1.0 # of the agent\n    images:\n        agent:\n            default: r.example/agent:1.1.0" + digest + "   # built by CI\n            # and no other\n",
		},
		{
			reason: "values on one line, behind letters of more than one byte",
			before: head + "spec: {description: größer, version: 1.0.0, images: {agent: {default: r.example/agent:1.0.0}}}\n",
			after:  head + "spec: {description: größer, version: 1.1.0, images: {agent: {default: r.example/agent:1.1.0" + digest + "}}}\n",
		},
		{
			reason: "quotes stay what they are",
			before: head + "spec:\r\n  version: '1.0.0'\r\n  images: {agent: {default: \"r.example\\u002fagent:1.0.0\"}}\r\n",
			after:  head + "spec:\r\n  version: '1.1.0'\r\n  images: {agent: {default: \"r.example/agent:1.1.0" + digest + "\"}}\r\n",
		},
		{
			reason: "another document, and one of another version, stay",
			before: "\ufeff---\n" + head + "spec: {version: 0.9.0, images: {agent: {default: a}}}\n---\n" + head + "spec: {version: 1.0.0, images: {agent: {default: a}}}\n--- # last\nkind: Pipeline\n",
			after:  "\ufeff---\n" + head + "spec: {version: 0.9.0, images: {agent: {default: a}}}\n---\n" + head + "spec: {version: 1.1.0, images: {agent: {default: r.example/agent:1.1.0" + digest + "}}}\n--- # last\nkind: Pipeline\n",
		},
		{reason: "no such document", before: "kind: Component\nmetadata: {name: other}\nspec: {version: 1.0.0}\n", code: fault.NotFound},
		{reason: "no such slot", before: head + "spec: {version: 1.0.0, images: {other: {default: a}}}\n", code: fault.NotFound},
		{reason: "a slot without a default", before: head + "spec: {version: 1.0.0, images: {agent: {environments: {e2e: a}}}}\n", code: fault.NotFound},
		{reason: "a text of several lines", before: head + "spec:\n  version: 1.0.0\n  images:\n    agent:\n      default: >-\n        a\n", code: fault.Invalid},
		{reason: "a quoted text of several lines", before: head + "spec:\n  version: 1.0.0\n  images:\n    agent:\n      default: \"a\\\n        b\"\n", code: fault.Invalid},
		{reason: "a value with a name", before: head + "spec: {version: 1.0.0, images: {agent: {default: &a b}}, config: {fleet: {x: *a}}}\n", code: fault.Invalid},
		{reason: "a mapping that stands elsewhere too", before: head + "spec: {version: 1.0.0, images: &i {agent: {default: b}}, config: {fleet: *i}}\n", code: fault.Invalid},
		{reason: "a value elsewhere", before: head + "x: &i {default: b}\nspec: {version: 1.0.0, images: {agent: *i}}\n", code: fault.NotFound},
		{reason: "a tag", before: head + "spec: {version: 1.0.0, images: {agent: {default: !!str b}}}\n", code: fault.Invalid},
		{reason: "no text", before: head + "spec: {version: 1.0.0, images: {agent: {default: {}}}}\n", code: fault.Invalid},
		{reason: "no YAML", before: "a: [\n", code: fault.Invalid},
	} {
		got, err := propose.Edit([]byte(c.before), agent, values)
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", c.reason, err, c.code)
		}
		if diff := cmp.Diff(c.after, string(got)); c.code == "" && diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.reason, diff)
		}
	}
}

func TestEditOfWhatIsThereAlready(t *testing.T) {
	const file = "kind: Component\nmetadata: {name: agent}\nspec: {version: 1.0.0, images: {agent: {default: a, environments: {e2e: b}}}}\n"
	for _, c := range []struct{ environment, image, want string }{
		{"", "a", file}, {"e2e", "b", file}, {"e2e", "c", strings.Replace(file, "e2e: b", "e2e: c", 1)},
	} {
		got, err := propose.Edit([]byte(file), agent, propose.Slots(map[string]string{"agent": c.image}, c.environment))
		if err != nil || string(got) != c.want {
			t.Errorf("%+v: %v, %s", c, err, got)
		}
	}
}

func TestTextsThatYAMLReadsAsSomethingElse(t *testing.T) {
	const file = "kind: Component\nmetadata: {name: agent}\nspec: {version: 1.0.0}\n"
	for text, want := range map[string]string{
		"2.0": `"2.0"`, "true": `"true"`, "1e3": `"1e3"`, "2026-11-22": `"2026-11-22"`, "a b": `"a b"`, "2.0.0": "2.0.0", "v2": "v2", `a"b\`: `"a\"b\\"`,
	} {
		got, err := propose.Edit([]byte(file), agent, []propose.Value{{Path: []string{"spec", "version"}, Text: text}})
		if err != nil || !strings.Contains(string(got), "{version: "+want+"}") {
			t.Errorf("%s: %v, %s", text, err, got)
		}
	}
}

func FuzzEditChangesNothingElse(f *testing.F) {
	f.Add("kind: Component\nmetadata: {name: agent}\nspec: {version: 1.0.0}\n", "2.0")
	f.Add("kind: Component\nmetadata: {name: agent}\nspec:\n  version: \"1.0.0\" # x\n", "a: b")
	f.Add("\ufeff{kind: Component, metadata: {name: agent}, spec: {ä: 1, version: '1.0.0'}}\n", "it's")
	f.Fuzz(func(t *testing.T, file, text string) {
		values := []propose.Value{{Path: []string{"spec", "version"}, Text: text}}
		got, err := propose.Edit([]byte(file), agent, values)
		if err != nil {
			return
		}
		again, err := propose.Edit(got, propose.Document{Kind: "Component", Name: "agent", Version: text}, []propose.Value{{Path: []string{"spec", "version"}, Text: "1.0.0"}})
		if err != nil {
			return // what was written cannot be changed back in place, as a text of several lines
		}
		back, err := propose.Edit(again, agent, values)
		if err != nil || string(back) != string(got) {
			t.Errorf("%q becomes %q, and back and again %q, %v", file, got, back, err)
		}
	})
}
