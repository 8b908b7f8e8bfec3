// Package charts_test keeps the Helm charts of deploy/charts: what they render, what they refuse, and that a cluster takes them.
package charts_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/rights"
)

var update = flag.Bool("update", false, "write what is rendered")

// cases are values by their file, and the chart that they are of.
var cases = map[string]string{
	"sluice-least": "sluice", "sluice-all": "sluice", "sluice-agent-least": "sluice-agent", "sluice-agent-all": "sluice-agent",
}

// rendered is what a release of a chart in sluice-system brings, by template; a template that comes to nothing is missing.
func rendered(name string, values map[string]any) (map[string]string, error) {
	chart, err := loader.Load(filepath.Join("..", "..", "deploy", "charts", name))
	if err != nil {
		return nil, err
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.36.0", Major: "1", Minor: "36"}
	release := chartutil.ReleaseOptions{Name: name, Namespace: "sluice-system", Revision: 1, IsInstall: true}
	in, err := chartutil.ToRenderValues(chart, values, release, capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{Strict: true}.Render(chart, in)
	maps.DeleteFunc(files, func(path, text string) bool { return strings.TrimSpace(text) == "" || strings.HasSuffix(path, ".txt") })
	return files, err
}

func valuesOf(t *testing.T, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func fromFile(t *testing.T, name string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return valuesOf(t, string(text))
}

func TestWhatChartsRender(t *testing.T) {
	for name, chart := range cases {
		t.Run(name, func(t *testing.T) {
			files, err := rendered(chart, fromFile(t, name))
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for _, path := range slices.Sorted(maps.Keys(files)) {
				for _, object := range objectsIn(t, files[path]) {
					body, err := yaml.Marshal(object)
					if err != nil {
						t.Fatal(err)
					}
					fmt.Fprintf(&text, "---\n# %s\n%s", path, body)
				}
			}
			golden := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				if err := os.WriteFile(golden, []byte(text.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), text.String()); diff != "" {
				t.Errorf("go test ./internal/charts -update writes it anew; -want +got\n%s", diff)
			}
		})
	}
}

// objectsIn are the objects of a file of documents.
func objectsIn(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	for _, part := range strings.Split("\n"+text, "\n---") {
		var object map[string]any
		if err := yaml.UnmarshalStrict([]byte(part), &object); err != nil {
			t.Fatalf("%v in\n%s", err, part)
		}
		if len(object) > 0 {
			all = append(all, object)
		}
	}
	return all
}

// set puts a value, as YAML, at a path of values.
func set(t *testing.T, values map[string]any, path, text string) {
	t.Helper()
	parts := strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		next, ok := values[part].(map[string]any)
		if !ok {
			next = map[string]any{}
			values[part] = next
		}
		values = next
	}
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	values[parts[len(parts)-1]] = value
}

func TestValuesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		reason, chart, path, value, says string
	}{
		{"a typo is no value", "sluice", "server.replica", "3", "additional properties 'replica' not allowed"},
		{"a typo of an agent's is none either", "sluice-agent", "server.uri", "x", "additional properties 'uri' not allowed"},
		{"an image has a name", "sluice", "image.repository", `""`, "/image/repository"},
		{"and says which one", "sluice", "image.tag", `""`, "say image.tag or image.digest"},
		{"a digest is whole", "sluice", "image.digest", "sha256:12", "/image/digest"},
		{"Temporal is somewhere", "sluice", "temporal.address", "temporal.example.com", "/temporal/address"},
		{"a ledger has its secret", "sluice", "ledger.secretName", `""`, "/ledger/secretName"},
		{"a server has a certificate", "sluice", "server.tls.secretName", `""`, "/server/tls/secretName"},
		{"a server trusts somebody", "sluice", "server.access", "{}", "/server/access"},
		{"no server is no service", "sluice", "server.replicas", "0", "/server/replicas"},
		{"agents have an authority", "sluice", "agents", "{enabled: true}", "/agents"},
		{"nobody is root, and binds no such port", "sluice", "metrics.port", "80", "/metrics/port"},
		{"a file of bindings is YAML", "sluice", "server.bindings", "{sre: x}", "invalid propertyName 'sre'"},
		{"an agent dials an address, and no URL", "sluice-agent", "server.address", "https://sluice.example.com:8444", "/server/address"},
		{"an agent is invited", "sluice-agent", "invitation.secretName", `""`, "/invitation/secretName"},
		{"a rule does something", "sluice-agent", "rbac.cluster", "[{apiGroups: [''], resources: [pods]}]", "verbs"},
	} {
		values := fromFile(t, c.chart+"-least")
		set(t, values, c.path, c.value)
		if _, err := rendered(c.chart, values); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
	for _, chart := range []string{"sluice", "sluice-agent"} {
		if _, err := rendered(chart, nil); err == nil {
			t.Errorf("%s is installed without a word about where anything is", chart)
		}
	}
}

func TestAnAgentMayDoByDefaultWhatEveryClusterNeeds(t *testing.T) {
	chart, err := loader.Load(filepath.Join("..", "..", "deploy", "charts", "sluice-agent"))
	if err != nil {
		t.Fatal(err)
	}
	rules := chart.Values["rbac"].(map[string]any)
	body, err := json.Marshal(map[string]any{"cluster": rules["cluster"], "namespaces": rules["namespaces"]})
	if err != nil {
		t.Fatal(err)
	}
	var has rights.Values
	if err := json.Unmarshal(body, &has); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rights.ValuesOf(rights.Work{Agent: true}.Roles(rights.Options{})), has); diff != "" {
		t.Errorf("sluice rbac --values says otherwise: -says +chart\n%s", diff)
	}
}

// The kinds of probes are installed with an agent; an agent that finds none defines the same.
func TestTheChartHasTheKindsOfProbes(t *testing.T) {
	var all []string
	for _, name := range []string{"healthsignals.yaml", "probeconfigs.yaml", "proberuns.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "charts", "sluice-agent", "crds", name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	if diff := cmp.Diff(prober.Definitions(), strings.Join(all, "---\n")); diff != "" {
		t.Errorf("copy internal/prober/crds there: -prober +chart\n%s", diff)
	}
}
