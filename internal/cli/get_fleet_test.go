package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheFleetOfAnInstallation(t *testing.T) {
	s := newSession(t)
	own := filepath.Join(t.TempDir(), "fleet.yaml")
	text := `{apiVersion: sluice.dev/v1alpha1, kind: ClusterGroup, metadata: {name: prod}, spec: {environment: production}}
---
{apiVersion: sluice.dev/v1alpha1, kind: Cluster, metadata: {name: c1}, spec: {group: prod, site: north}}
`
	if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line string
		code int
		says []string
	}{
		{"get fleet -o json", 0, []string{"[]"}},
		{"apply -f " + own, 0, []string{"clustergroup prod is created\n", "cluster c1 is created\n"}},
		{"apply -f " + own, 0, []string{"cluster c1 is unchanged\n"}},
		{"get fleet", 0, []string{"CLUSTER  GROUP  ENVIRONMENT  CONTEXT  SITE   SINCE", "c1       prod   production   c1       north"}},
		{"plan agent -f " + s.files, 2, []string{s.files, "Cluster c1 is another one in the fleet of this installation, by its spec.site"}},
		{"delete clustergroup prod --reason x", 3, []string{"cannot delete clustergroup/prod", "c1"}},
		{"delete cluster c1 --reason x", 0, []string{"cluster c1 holds no longer"}},
		{"plan agent -f " + s.files, 2, []string{"there is no Cluster c1 in the fleet of this installation"}},
		{"delete clustergroup prod --reason x", 0, []string{"clustergroup prod holds no longer"}},
		{"plan agent -f " + s.files, 0, []string{"c1"}},
	} {
		out, errs, code := s.types(c.line)
		for _, want := range c.says {
			if code != c.code || !strings.Contains(out+errs, want) {
				t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", c.line, code, c.code, want, out, errs)
			}
		}
	}
}
