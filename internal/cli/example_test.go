package cli_test

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
)

// TestEveryExampleWorks runs what needs no server, from where people type it: the root of a clone. Of the rest it looks up
// every name.
func TestEveryExampleWorks(t *testing.T) {
	t.Chdir("../..")
	docs, err := engine.LoadDocuments([]string{"examples"}, catalog.Sources())
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, line := range examples(cli.NewRoot(silent(t))) {
		words := split(line)[1:]
		switch words[0] {
		case "lint", "schema", "version":
			var errs bytes.Buffer
			f := silent(t)
			f.Err = &errs
			if code := cli.Execute(t.Context(), words, f); code != 0 {
				t.Errorf("example %q: exit code %d: %s", line, code, errs.String())
			}
			ran++
			continue
		}
		cmd, args, err := cli.NewRoot(silent(t)).Find(words)
		if err != nil {
			t.Fatal(err)
		}
		for _, unknown := range (named{docs, cmd, args}).unknown() {
			t.Errorf("example %q: examples/ has no %s", line, unknown)
		}
	}
	if ran < 5 {
		t.Errorf("only %d examples were run", ran)
	}
}

func TestUnknownNamesAreFound(t *testing.T) {
	docs, err := engine.LoadDocuments([]string{"../../examples"}, catalog.Sources())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"plan node-agent", "plan node-agent -f ../../examples", "plan node-agent --to 2.0.0 -f nowhere", "plan nobody --to 2.0.0 -f ../../examples",
		"plan node-agent --to 9.0.0 -f ../../examples", "plan node-agent --to 2.0.0 -f ../../examples --pipeline emergency",
		"plan node-agent --to 2.0.0 -f ../../examples -p minSuccess=1", "plan node-agent --to 2.0.0 -f ../../examples --only canary-vpc",
		"rollback node-agent-2 --stage nowhere", "rollback node-agent-2 --group nowhere", "rollback node-agent-2 --cluster cn-hz-1",
		"why node-agent-2 cn-hz-1", "why nobody-2", "get nobody-2", "get clusters nobody", "local up --clusters 5", "local kubectl --cluster c1 get pods",
	} {
		cmd, args, err := cli.NewRoot(silent(t)).Find(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		if len((named{docs, cmd, args}).unknown()) == 0 {
			t.Errorf("%q has a name that examples/ has not, and it is not found", line)
		}
	}
}

// named is a command line whose names are looked up in documents.
type named struct {
	docs *pipelines.Documents
	cmd  *cobra.Command
	args []string
}

var (
	hash = regexp.MustCompile(`^[0-9a-f]{8,}$`)
	run  = regexp.MustCompile(`^(.+)-[0-9]+$`)
)

func (n named) unknown() []string {
	var missing []string
	need := func(ok bool, kind, name string) {
		if !ok {
			missing = append(missing, kind+" "+name)
		}
	}
	if n.cmd.Name() == "local" {
		for i, word := range n.args {
			switch word {
			case "up":
				need(slices.Contains(n.args, "--names"), "clusters", "c1, c2, ...: --names is missing")
			case "--names", "--cluster":
				for _, name := range strings.Split(n.args[i+1], ",") {
					need(n.docs.Clusters[name] != nil, "cluster", name)
				}
			}
		}
		return missing
	}
	if err := n.cmd.ParseFlags(n.args); err != nil {
		return []string{err.Error()}
	}
	n.args = n.cmd.Flags().Args()
	component := func(name string) { need(len(n.docs.Components[name]) > 0, "component", name) }
	aRun := func(name string) {
		if hash.MatchString(name) && n.cmd.Name() != "why" {
			return
		}
		parts := run.FindStringSubmatch(name)
		if need(parts != nil, "run", name); parts != nil {
			component(parts[1])
		}
	}
	switch n.cmd.CommandPath() {
	case "sluice plan", "sluice run":
		if hash.MatchString(n.args[0]) {
			return missing
		}
		component(n.args[0])
		n.plan(need)
	case "sluice get runs", "sluice get plans", "sluice get clusters":
		for _, name := range n.args {
			component(name)
		}
	case "sluice get", "sluice get audit", "sluice pause", "sluice resume", "sluice approve", "sluice reject", "sluice abort", "sluice rollback":
		for _, name := range n.args {
			aRun(name)
		}
		n.scope(need)
	case "sluice why":
		aRun(n.args[0])
		if len(n.args) > 1 {
			group, cluster, both := strings.Cut(n.args[1], "/")
			if !both {
				group, cluster = "", group
			}
			c := n.docs.Clusters[cluster]
			need(c != nil && (!both || c.Spec.Group == group), "unit", n.args[1])
		}
	}
	return missing
}

// plan looks up the flags by which a plan is made.
func (n named) plan(need func(bool, string, string)) {
	flags := n.cmd.Flags()
	text := func(name string) string { return flags.Lookup(name).Value.String() }
	files, _ := flags.GetStringArray("file")
	need(len(files) > 0, "file", "(-f is missing)")
	for _, file := range files {
		_, err := os.Stat(file)
		need(err == nil, "file", file)
	}
	of := n.docs.Components[n.args[0]]
	at := slices.IndexFunc(of, func(c *pipelines.Component) bool { return c.Spec.Version == text("to") })
	if need(at >= 0, "version", text("to")); at < 0 {
		return
	}
	name := text("pipeline")
	if name == "" {
		name = of[at].Spec.Pipeline
	}
	p := n.docs.Pipelines[name]
	if need(p != nil, "pipeline", name); p == nil {
		return
	}
	params, _ := flags.GetStringArray("param")
	for _, param := range params {
		param, _, _ = strings.Cut(param, "=")
		need(slices.ContainsFunc(p.Spec.Params, func(known pipelines.Param) bool { return known.Name == param }), "param", param)
	}
	only, _ := flags.GetStringSlice("only")
	exclude, _ := flags.GetStringSlice("exclude")
	for _, name := range slices.Concat(only, exclude) {
		need(n.docs.Clusters[name] != nil || n.docs.ClusterGroups[name] != nil, "cluster or cluster group", name)
	}
}

// scope looks up what a rollback is narrowed to.
func (n named) scope(need func(bool, string, string)) {
	flags := n.cmd.Flags()
	if stage, _ := flags.GetString("stage"); stage != "" {
		found := false
		for _, p := range n.docs.Pipelines {
			found = found || slices.ContainsFunc(p.Spec.Stages, func(s pipelines.Stage) bool { return s.Name == stage })
		}
		need(found, "stage", stage)
	}
	if group, _ := flags.GetString("group"); group != "" {
		need(n.docs.ClusterGroups[group] != nil, "cluster group", group)
	}
	clusters, _ := flags.GetStringSlice("cluster")
	for _, name := range clusters {
		need(n.docs.Clusters[name] != nil, "cluster", name)
	}
}
