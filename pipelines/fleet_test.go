package pipelines_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/pipelines"
)

func TestEffectiveLabels(t *testing.T) {
	docs := mustParse(t, `
kind: ClusterGroup
metadata: {name: production-vpc, labels: {team: infra, tier: silver}}
spec: {environment: production, businessSide: trade}`, `
kind: Cluster
metadata: {name: cn-hz-1, labels: {tier: gold}}
spec: {group: production-vpc, region: hangzhou, site: hz, userGrade: 7}`)

	group := docs.ClusterGroups["production-vpc"]
	wantGroup := map[string]string{
		"team": "infra", "tier": "silver",
		"name": "production-vpc", "group": "production-vpc", "environment": "production", "businessSide": "trade",
	}
	if diff := cmp.Diff(wantGroup, group.EffectiveLabels()); diff != "" {
		t.Errorf("ClusterGroup.EffectiveLabels(): -want +got:\n%s", diff)
	}
	cluster := docs.Clusters["cn-hz-1"]
	wantCluster := map[string]string{
		"team": "infra", "tier": "gold",
		"name": "cn-hz-1", "group": "production-vpc", "environment": "production", "businessSide": "trade",
		"region": "hangzhou", "site": "hz", "role": "Unit", "userGrade": "7",
	}
	got := cluster.EffectiveLabels(group)
	if diff := cmp.Diff(wantCluster, got); diff != "" {
		t.Errorf("Cluster.EffectiveLabels(group): -want +got:\n%s", diff)
	}
	selector := pipelines.Selector{MatchLabels: map[string]string{"environment": "production", "tier": "gold"}}
	if !selector.Matches(got, "cn-hz-1") {
		t.Errorf("{%s} does not match %v", selector, got)
	}

	got["environment"] = "changed"
	if again := cluster.EffectiveLabels(group)["environment"]; again != "production" {
		t.Errorf("a caller's change to the labels reached the cluster: %s", again)
	}
	alone := cluster.EffectiveLabels(nil)
	if _, ok := alone["environment"]; ok || alone["group"] != "production-vpc" {
		t.Errorf("Cluster.EffectiveLabels(nil): got %v, want the cluster's own only", alone)
	}
}

func TestFleetDefaults(t *testing.T) {
	if diff := cmp.Diff(pipelines.DefaultFleet(), mustParse(t).Fleet); diff != "" {
		t.Errorf("no Fleet declared: -want +got:\n%s", diff)
	}
	fleet := mustParse(t, `
kind: Fleet
metadata: {name: ours}
spec: {risk: {weights: {environment: 0.9}}}`).Fleet
	want := pipelines.DefaultFleet().Spec
	want.Risk.Weights["environment"] = 0.9
	if diff := cmp.Diff(want, fleet.Spec); diff != "" {
		t.Errorf("what a Fleet leaves out is built in: -want +got:\n%s", diff)
	}
	sum := 0.0
	for _, part := range pipelines.RiskParts() {
		sum += pipelines.DefaultFleet().Spec.Risk.Weights[part]
	}
	if sum < 0.999 || sum > 1.001 {
		t.Errorf("the built-in weights add up to %v, want 1", sum)
	}
	if got := fleet.EnvironmentIndex("staging"); got != 2 {
		t.Errorf("EnvironmentIndex(staging): got %d, want 2", got)
	}
	if got := fleet.EnvironmentIndex("nowhere"); got != -1 {
		t.Errorf("EnvironmentIndex(nowhere): got %d, want -1", got)
	}
}

func TestLoadFillsDefaults(t *testing.T) {
	docs := mustParse(t, `
kind: Cluster
metadata: {name: c1}
spec: {group: g1}`, `
kind: ClusterGroup
metadata: {name: g1}
spec: {environment: e2e}`, `
kind: Component
metadata: {name: agent}
spec: {version: 1.10.0, template: {chart: chart}}`, `
kind: Component
metadata: {name: agent}
spec: {version: 1.9.0, template: {chart: chart}}`, `
kind: Component
metadata: {name: agent}
spec: {version: 1.10.0-rc1, template: {chart: chart}}`)

	c := docs.Clusters["c1"]
	if c.Spec.Context != "c1" || c.Spec.Role != pipelines.UnitRole {
		t.Errorf("Cluster: got context %q and role %q, want c1 and Unit", c.Spec.Context, c.Spec.Role)
	}
	var versions []string
	for _, component := range docs.Components["agent"] {
		versions = append(versions, component.Spec.Version)
		s := component.Spec
		if s.Risk != pipelines.Medium || s.Namespace != "agent" || s.Rollback != pipelines.RollbackAuto || s.Drift != pipelines.DriftRefuse {
			t.Errorf("Component %s: got %q, %q, %q, %q, want the defaults", s.Version, s.Risk, s.Namespace, s.Rollback, s.Drift)
		}
	}
	if diff := cmp.Diff([]string{"1.9.0", "1.10.0-rc1", "1.10.0"}, versions); diff != "" {
		t.Errorf("versions are sorted as people read them: -want +got:\n%s", diff)
	}
	if got, want := c.Position.String(), "test.yaml:2:1"; got != want {
		t.Errorf("Position: got %s, want %s", got, want)
	}
}

// Queues of checks stand beside those of sites: no site may be called as one of them is.
func TestNoSiteIsCalledAsTheChecksOfAnother(t *testing.T) {
	for site, fine := range map[string]bool{"checks": false, "eu-checks": false, "eu": true, "checks-eu": true, "echecks": true} {
		_, err := pipelines.Parse(pipelines.Source{Name: "fleet.yaml", Data: []byte(`apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: g}
spec: {environment: production}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: c}
spec: {group: g, site: ` + site + `}
`)})
		if fine != (err == nil) || err != nil && !strings.Contains(err.Error(), "no site can be called "+site) {
			t.Errorf("site %s: %v", site, err)
		}
	}
}
