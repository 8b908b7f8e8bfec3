package pipelines_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
)

func TestGather(t *testing.T) {
	const component = "apiVersion: sluice.dev/v1alpha1\nkind: Component\nmetadata: {name: agent}\nspec: {version: 1.0.0, template: {%}}\n"
	for name, c := range map[string]struct {
		reason string
		files  map[string]string
		want   []string
	}{
		"a chart and its values": {
			reason: "the folder is sent whole: a chart may read any file of it",
			files: map[string]string{"a.yaml": strings.ReplaceAll(component, "%", "chart: chart"), "chart/Chart.yaml": "name: x\n",
				"chart/.helmignore": "*.md\n", "chart/.env": "secret", "chart/files/motd.txt": ""},
			want: []string{"a.yaml", "chart/.helmignore", "chart/Chart.yaml", "chart/files/motd.txt"},
		},
		"manifests, and a document that is no component": {
			reason: "only components have templates",
			files: map[string]string{
				"a.yaml":   strings.ReplaceAll(component, "%", "manifests: ../all/m") + "---\nkind: Cluster\nspec: {template: {chart: m}}\n",
				"m/d.yaml": "kind: DaemonSet\n",
			},
			want: []string{"a.yaml", "m/d.yaml"},
		},
		"what is beside manifests": {
			reason: "rendering reads no other file",
			files: map[string]string{
				"a.yaml": strings.ReplaceAll(component, "%", "manifests: m"), "m/d.yml": "", "m/_names.tpl": "", "m/id_rsa": "secret", "m/.d.yaml": "",
				"m/config": "secret", "m/below/e.json": "", "m/.helmignore": "",
			},
			want: []string{"a.yaml", "m/d.yml", "m/.helmignore", "m/_names.tpl", "m/below/e.json"},
		},
		"probes beside what was given": {
			reason: "they are rendered, wherever they stand",
			files: map[string]string{
				"a.yaml": strings.ReplaceAll(component, "%", "probes: p"), "p/probes.yaml": "kind: Probe\n", "p/id_rsa": "secret",
			},
			want: []string{"a.yaml", "p/probes.yaml"},
		},
		"a template that is not there": {
			reason: "the check says so at its place",
			files:  map[string]string{"a.yaml": strings.ReplaceAll(component, "%", "chart: nowhere")}, want: []string{"a.yaml"},
		},
		"a path from the root": {
			reason: "no document may name one, and nothing of it is sent",
			files:  map[string]string{"a.yaml": strings.ReplaceAll(component, "%", "manifests: /etc")}, want: []string{"a.yaml"},
		},
		"a file that does not parse": {
			reason: "the check says what is wrong with it",
			files:  map[string]string{"a.yaml": "kind: Component\nspec: [\n"}, want: []string{"a.yaml"},
		},
		"a component in the second half of a broken file": {
			reason: "what parses counts",
			files: map[string]string{
				"a.yaml": "a: [\n---\n" + strings.ReplaceAll(component, "%", "manifests: m"), "m/d.json": "",
			},
			want: []string{"a.yaml", "m/d.json"},
		},
		"what is no document": {
			reason: "hidden files and other files are not sent",
			files:  map[string]string{"a.yml": "kind: Cluster\n", ".env": "secret", "notes.md": "Component", ".git/config.yaml": ""},
			want:   []string{"a.yml"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "all")
			for file, text := range c.files {
				path := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			found, err := pipelines.Gather(dir)
			if err != nil {
				t.Fatal(err)
			}
			for i := range found {
				found[i], _ = filepath.Rel(dir, found[i])
			}
			if diff := cmp.Diff(c.want, found); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
	if _, err := pipelines.Gather(t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is no *.yaml") {
		t.Errorf("a folder without documents: %v", err)
	}
}

func TestATemplateWithTooManyFiles(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"a.yaml":       "apiVersion: sluice.dev/v1alpha1\nkind: Component\nmetadata: {name: a}\nspec: {version: 1.0.0, template: {chart: x}}\n",
		"x/Chart.yaml": "",
	}
	for i := range 20_000 {
		files[fmt.Sprintf("x/%05d", i)] = ""
	}
	if err := os.Mkdir(filepath.Join(dir, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pipelines.Gather(dir); err == nil || !strings.Contains(err.Error(), "cannot send folder x: more than 20000 files at once") {
		t.Errorf("it is %v", err)
	}
}

// TestWhatDocumentsMayNotHaveSent has documents, which somebody else wrote, name what is not theirs.
func TestWhatDocumentsMayNotHaveSent(t *testing.T) {
	const component = "apiVersion: sluice.dev/v1alpha1\nkind: Component\nmetadata: {name: agent}\nspec: {version: 1.0.0, template: {%}}\n"
	for name, c := range map[string]struct {
		reason   string
		template string
		files    map[string]string
		links    map[string]string // where -> to what
		given    []string          // default: app
		want     []string          // nil: an error
		says     string
	}{
		"a file": {
			reason: "no template is one", template: "chart: ../home/.kube/config",
			files: map[string]string{".git/HEAD": "", "home/.kube/config": "secret"},
			says:  "a.yaml:4:42: ../home/.kube/config is no folder",
		},
		"a file, as manifests": {
			reason: "no template is one", template: "manifests: b.yaml", files: map[string]string{"app/b.yaml": "kind: Cluster\n"},
			says: "b.yaml is no folder",
		},
		"a folder that is no chart": {
			reason: "it has no templates to render", template: "chart: keys", files: map[string]string{"app/keys/id_rsa": "secret"},
			says: "keys is no Helm chart: it has no Chart.yaml",
		},
		"a folder without manifests": {
			reason: "nothing of it would be read", template: "manifests: keys", files: map[string]string{"app/keys/id_rsa": "secret"},
			says: "keys has no templates: there is no *.yaml, *.yml or *.json file in it",
		},
		"above what was given": {
			reason: "the folder above a repository is the machine's", template: "manifests: ../../home",
			files: map[string]string{".git/HEAD": "", "../home/x.yaml": "secret"},
			says:  "cannot send folder ../../home: it is out of what was given and of its git repository",
		},
		"above what was given, where there is no git": {
			reason: "nothing tells what belongs to it", template: "chart: ../x", files: map[string]string{"x/Chart.yaml": ""},
			says: "cannot send folder ../x: it is out of what was given",
		},
		"beside it, in its repository": {
			reason: "that is all somebody's who could have written the secret there", template: "chart: ../x",
			files: map[string]string{".git/HEAD": "", "x/Chart.yaml": ""}, want: []string{"app/a.yaml", "x/Chart.yaml"},
		},
		"beside it, in its worktree or submodule": {
			reason: "git has a file there", template: "chart: ../x",
			files: map[string]string{".git": "gitdir: ../y\n", "x/Chart.yaml": ""}, want: []string{"app/a.yaml", "x/Chart.yaml"},
		},
		"beside it, in another path that was given": {
			reason: "whoever asks has named it", template: "chart: ../x", given: []string{"app", "x"},
			files: map[string]string{"x/Chart.yaml": "", "x/y.txt": ""}, want: nil, says: "there is no *.yaml or *.yml file in it",
		},
		"in a folder of charts that was given": {
			reason: "whoever asks has named it", template: "chart: ../x/y", given: []string{"app", "x"},
			files: map[string]string{"x/fleet.yaml": "", "x/y/Chart.yaml": ""}, want: []string{"app/a.yaml", "x/fleet.yaml", "x/y/Chart.yaml"},
		},
		"a template that is a link inside": {
			reason: "where it leads is its repository's", template: "chart: current", links: map[string]string{"app/current": "next"},
			files: map[string]string{"app/next/Chart.yaml": ""}, want: []string{"app/a.yaml", "app/current/Chart.yaml"},
		},
		"a template that is a link out": {
			reason: "git keeps links, and they lead anywhere", template: "manifests: m", links: map[string]string{"app/m": "../../home"},
			files: map[string]string{".git/HEAD": "", "../home/x.yaml": "secret"}, says: "cannot send folder m: it is out of",
		},
		"a file that is a link out": {
			reason: "it would be the machine's", template: "chart: x", links: map[string]string{"app/x/values.yaml": "../../../home/x.yaml"},
			files: map[string]string{".git/HEAD": "", "app/x/Chart.yaml": "", "../home/x.yaml": "secret"},
			says:  "app/x/values.yaml: it is a link that leads to no file of its folder",
		},
		"a file that is a link to another of its folder": {
			reason: "it is packed as that", template: "chart: x", links: map[string]string{"app/x/values.yaml": "v1.yaml"},
			files: map[string]string{"app/x/Chart.yaml": "", "app/x/v1.yaml": ""},
			want:  []string{"app/a.yaml", "app/x/Chart.yaml", "app/x/v1.yaml", "app/x/values.yaml"},
		},
		"a link to a folder": {
			reason: "it may go in circles", template: "chart: x", links: map[string]string{"app/x/loop": "."},
			files: map[string]string{"app/x/Chart.yaml": ""}, says: "app/x/loop: it is a link that leads to no file of its folder",
		},
		"a document that is a link out": {
			reason: "it is sent as it is, whatever it holds", template: "chart: none", links: map[string]string{"app/b.yaml": "../../home/config"},
			files: map[string]string{".git/HEAD": "", "../home/config": "secret"},
			says:  "app/b.yaml: cannot send file: it is a link that leads out of what was given and of its git repository",
		},
		"a document that was given, and is a link out": {
			reason: "who wrote the repository chose where it leads", template: "chart: none", links: map[string]string{"app/b.yaml": "../../home/config"},
			files: map[string]string{".git/HEAD": "", "../home/config": "secret"}, given: []string{"app/b.yaml"},
			says: "app/b.yaml: cannot send file: it is a link that leads out",
		},
		"a folder that was given, and is a link out of its repository": {
			reason: "who wrote the repository chose where it leads", template: "chart: none", links: map[string]string{"more": "../home"},
			files: map[string]string{".git/HEAD": "", "../home/x.yaml": "secret"}, given: []string{"more"},
			says: "more/x.yaml: cannot send file: it is a link that leads out",
		},
		"a folder that was given, and is a link to another repository": {
			reason: "it is not the one that the path is in", template: "chart: none", links: map[string]string{"more": "../home"},
			files: map[string]string{".git/HEAD": "", "../home/x.yaml": "secret", "../home/.git/HEAD": ""}, given: []string{"more"},
			says: "more/x.yaml: cannot send file: it is a link that leads out",
		},
		"a template in a hidden folder": {
			reason: "it is named", template: "chart: .x", files: map[string]string{"app/.x/Chart.yaml": "", "app/.x/.env": "secret"},
			want: []string{"app/a.yaml", "app/.x/Chart.yaml"},
		},
		"a folder that was given, and is a link": {
			reason: "no repository has it: whoever asks has made it", template: "chart: none", links: map[string]string{"more": "../home"},
			files: map[string]string{"../home/x.yaml": ""}, given: []string{"more"}, want: []string{"more/x.yaml"},
		},
		"documents as Kubernetes mounts them": {
			reason: "the links are inside of the folder", template: "chart: none",
			links: map[string]string{"app/..data": "..1", "app/b.yaml": "..data/b.yaml"}, files: map[string]string{"app/..1/b.yaml": ""},
			want: []string{"app/a.yaml", "app/b.yaml"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "all")
			write := func(file, text string) {
				path := filepath.Join(dir, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			write("app/a.yaml", strings.ReplaceAll(component, "%", c.template))
			for file, text := range c.files {
				write(file, text)
			}
			for at, to := range c.links {
				if err := os.Symlink(to, filepath.Join(dir, at)); err != nil {
					t.Fatal(err)
				}
			}
			if c.given == nil {
				c.given = []string{"app"}
			}
			var given []string
			for _, path := range c.given {
				given = append(given, filepath.Join(dir, path))
			}
			found, err := pipelines.Gather(given...)
			if c.want == nil {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: it is %v, %v", c.reason, found, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", c.reason, err)
			}
			for i := range found {
				found[i], _ = filepath.Rel(dir, found[i])
			}
			if diff := cmp.Diff(c.want, found); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}
