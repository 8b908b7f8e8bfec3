package api

import "strings"

// Rule names why something may not be changed as it was asked for.
type Rule string

// The rules that an exception of a pipeline may let through, for one object each. What they look for stands in internal/patch
// and, where it takes a driver to tell, in internal/workload.
const (
	RuleDrift                Rule = "drift"
	RuleOwnedBy              Rule = "owned-by"
	RuleTerminating          Rule = "terminating"
	RuleReachesAtOnce        Rule = "reaches-at-once"
	RuleTakesAllDown         Rule = "takes-all-down"
	RuleSurgeIsLost          Rule = "surge-is-lost"
	RuleImmutableSelector    Rule = "immutable-selector"
	RuleImmutableField       Rule = "immutable-field"
	RuleVolumeClaimTemplates Rule = "volume-claim-templates"
	RuleVolumeShrinks        Rule = "volume-shrinks"
	RuleClusterIP            Rule = "cluster-ip"
	RuleScaleToZero          Rule = "scale-to-zero"
	RuleCRDVersion           Rule = "crd-version-removed"
	RuleCRDSchema            Rule = "crd-schema-narrowed"
	RuleNeverAllows          Rule = "pdb-never-allows"
	RuleWebhookFailClosed    Rule = "webhook-fail-closed"
	RuleWebhookScope         Rule = "webhook-scope-widened"
	RuleAllowsEverything     Rule = "rbac-allows-everything"
)

// The rules of refusals that no single field is to blame for. No exception lets them through.
const (
	RuleRender      Rule = "render"       // the template does not render here
	RuleContext     Rule = "context"      // the kubeconfig does not have the cluster
	RuleAccess      Rule = "access"       // the cluster does not let us look
	RuleDriver      Rule = "driver"       // no driver moves a workload of the render, or not as it is now
	RuleServed      Rule = "served"       // the cluster does not serve a kind of the render
	RuleUnknown     Rule = "unknown"      // nobody knows what a workload was before the run that is taken back
	RuleMaxBehind   Rule = "max-behind"   // more nodes are dead than maxBehind lets be left behind
	RuleNamespace   Rule = "namespace"    // a run would write where the look at its plan found nothing to be written
	RuleProbeRecord Rule = "probe-record" // a case of a probe would hold what changes, and has not the record for it
	RuleEmptyStage  Rule = "empty-stage"  // a stage selects no cluster, and does not say mayBeEmpty
)

// Refusal is why a change, and the plan with it, cannot go on.
type Refusal struct {
	Rule    Rule   `json:"rule"`
	Object  string `json:"object,omitempty"` // Kind/namespace/name
	Message string `json:"message"`
}

// String is a refusal as one line.
func (r Refusal) String() string {
	if r.Object == "" {
		return string(r.Rule) + ": " + strings.TrimSpace(r.Message)
	}
	return string(r.Rule) + ": " + r.Object + ": " + strings.TrimSpace(r.Message)
}
