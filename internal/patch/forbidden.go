package patch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/api"
)

// forbidden is the table of changes that have taken clusters down, or that the API server will refuse half-way through a
// rollout.
var forbidden = []struct {
	rule   api.Rule
	reason string
	find   func(comparison) []string
}{
	{api.RuleReachesAtOnce, "the change is not held back by batches", placementChanged},
	{api.RuleImmutableSelector, "a workload's selector cannot change: its pods would be orphaned", selectorChanged},
	{api.RuleImmutableField, "the API server does not let this field change; the object would have to be made anew", immutableChanged},
	{api.RuleVolumeClaimTemplates, "volume claims that exist do not follow their template", claimTemplatesChanged},
	{api.RuleVolumeShrinks, "a volume cannot shrink", volumeShrinks},
	{api.RuleClusterIP, "clients hold on to a Service's address", clusterIPChanged},
	{api.RuleScaleToZero, "a rollout does not turn a workload off", scaledToZero},
	{api.RuleCRDVersion, "objects stored or read in this version are lost", crdVersionRemoved},
	{api.RuleCRDSchema, "objects that are there may no longer be valid", crdSchemaNarrowed},
	{api.RuleNeverAllows, "nothing could be evicted, so no node could be drained and no batch moved", neverAllows},
	{api.RuleWebhookFailClosed, "writes would be refused whenever the webhook does not answer", failsClosed},
	{api.RuleWebhookScope, "a webhook that fails would refuse more than before", scopeWidened},
	{api.RuleAllowsEverything, "it gives every right on everything", allowsEverything},
}

// RuleReason is a rule of the table and why it is there.
type RuleReason struct {
	Rule   api.Rule
	Reason string
}

// Rules returns every rule that an exception may name.
func Rules() []RuleReason {
	all := []RuleReason{
		{api.RuleDrift, "somebody else has changed a field that Sluice rendered"},
		{api.RuleOwnedBy, "another one keeps the object as they want it"},
		{api.RuleTerminating, "the object is being deleted"},
		{api.RuleTakesAllDown, "all pods of a Deployment with the strategy Recreate are down before the first new one comes"},
		{api.RuleSurgeIsLost, "a DaemonSet that surges has each node's pod go before its successor comes, so that batches are exact"},
	}
	for _, entry := range forbidden {
		all = append(all, RuleReason{entry.rule, entry.reason})
	}
	return all
}

// comparison is a canonical object before and after. Before is nil for a new object.
type comparison struct {
	kind          schema.GroupKind
	live          *unstructured.Unstructured // with status; nil for a new object
	before, after map[string]any
}

func (c comparison) isNew() bool { return c.before == nil }

// changed reports whether a field that is there now would have another value.
func (c comparison) changed(path ...string) bool {
	was := at(c.before, path...)
	return was != nil && !equal(was, at(c.after, path...))
}

func (c *computation) refuseForbidden(live *unstructured.Unstructured, before, after map[string]any) {
	comparison := comparison{kind: c.shape.kind.GroupKind(), live: live, before: before, after: after}
	for _, entry := range forbidden {
		for _, found := range entry.find(comparison) {
			c.refuse(entry.rule, found+": "+entry.reason)
		}
	}
}

// placementChanged finds changes of the fields by which the controller of a DaemonSet decides which nodes have a pod. It goes
// by the newest template alone, whatever the update strategy says: pods come and go on all nodes that the change concerns
// as soon as the template is written. HostNetwork counts too, but only on nodes whose network is not up yet; like all nodes
// that join, they use the open batch up.
func placementChanged(c comparison) []string {
	if c.kind.Kind != "DaemonSet" || c.isNew() {
		return nil
	}
	was, is := at(c.before, "spec", "template", "spec"), at(c.after, "spec", "template", "spec")
	var found []string
	for _, field := range []struct {
		path string
		same func(a, b any) bool
	}{
		{"nodeName", equal},
		{"nodeSelector", equal},
		{"affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution", func(a, b any) bool {
			return equal(unordered(a), unordered(b))
		}},
		{"tolerations", func(a, b any) bool { return tolerated(asList(a), asList(b)) && tolerated(asList(b), asList(a)) }},
	} {
		path := parsePointer("/" + field.path)
		if !field.same(at(was, path...), at(is, path...)) {
			found = append(found, "/spec/template/spec/"+field.path+" changes, which adds or removes pods on every node that it concerns at once")
		}
	}
	return found
}

// unordered is a value in whose lists neither order nor repetition counts.
func unordered(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, inner := range v {
			out[key] = unordered(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = compactJSON(unordered(inner))
		}
		slices.SortFunc(out, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		return slices.Compact(out)
	}
	return value
}

// daemonTolerations are what the controller adds to those of the template.
var daemonTolerations = []any{
	map[string]any{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
	map[string]any{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
	map[string]any{"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"},
	map[string]any{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"},
	map[string]any{"key": "node.kubernetes.io/pid-pressure", "operator": "Exists", "effect": "NoSchedule"},
	map[string]any{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
}

// tolerated reports whether every taint that some tolerations bear is borne by others too. For how long does not matter.
func tolerated(some, others []any) bool {
	others = slices.Concat(others, daemonTolerations)
	for _, t := range some {
		if at(t, "effect") != "PreferNoSchedule" && !slices.ContainsFunc(others, func(o any) bool { return bears(o, t) }) {
			return false
		}
	}
	return true
}

// bears reports whether a toleration bears every taint that another one bears.
func bears(wide, narrow any) bool {
	for _, key := range []string{"key", "effect"} {
		if !isEmpty(at(wide, key)) && !equal(at(wide, key), at(narrow, key)) {
			return false
		}
	}
	operator := func(t any) any { return cmp.Or(at(t, "operator"), any("Equal")) }
	return operator(wide) == "Exists" || operator(wide) == operator(narrow) && equal(at(wide, "value"), at(narrow, "value"))
}

func selectorChanged(c comparison) []string {
	if c.isNew() || at(c.after, "spec", "template") == nil || !c.changed("spec", "selector") {
		return nil
	}
	return []string{"/spec/selector changes"}
}

// immutable are fields that the API server does not let change, where that is not told by a rule of its own.
var immutable = map[schema.GroupKind][]string{
	{Kind: "PersistentVolumeClaim"}: {"/spec/accessModes", "/spec/storageClassName", "/spec/volumeMode", "/spec/volumeName", "/spec/selector"},
	{Kind: "Secret"}:                {"/type"},
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: {
		"/spec/group", "/spec/scope", "/spec/names/kind", "/spec/names/plural",
	},
	{Group: "apps", Kind: "StatefulSet"}:                             {"/spec/serviceName", "/spec/podManagementPolicy"},
	{Group: "batch", Kind: "Job"}:                                    {"/spec/template", "/spec/completionMode"},
	{Group: "networking.k8s.io", Kind: "IngressClass"}:               {"/spec/controller"},
	{Group: "node.k8s.io", Kind: "RuntimeClass"}:                     {"/handler"},
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}: {"/roleRef"},
	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:        {"/roleRef"},
	{Group: "scheduling.k8s.io", Kind: "PriorityClass"}:              {"/value", "/preemptionPolicy"},
	{Group: "storage.k8s.io", Kind: "StorageClass"}:                  {"/provisioner", "/parameters", "/reclaimPolicy", "/volumeBindingMode"},
}

func immutableChanged(c comparison) []string {
	fields := slices.Clone(immutable[c.kind])
	if c.kind.Group == "" && at(c.before, "immutable") == true {
		fields = append(fields, "/data", "/binaryData", "/immutable")
	}
	var found []string
	for _, field := range fields {
		if c.changed(parsePointer(field)...) {
			found = append(found, field+" changes")
		}
	}
	return found
}

func claimTemplatesChanged(c comparison) []string {
	const templates = "volumeClaimTemplates"
	if c.isNew() || equal(at(c.before, "spec", templates), at(c.after, "spec", templates)) {
		return nil
	}
	return []string{"/spec/volumeClaimTemplates changes"}
}

func clusterIPChanged(c comparison) []string {
	if c.kind != (schema.GroupKind{Kind: "Service"}) {
		return nil
	}
	var found []string
	for _, key := range []string{"clusterIP", "clusterIPs"} {
		if c.changed("spec", key) {
			found = append(found, "/spec/"+key+" changes")
		}
	}
	if c.changed("spec", "type") && at(c.after, "spec", "type") == "ExternalName" {
		found = append(found, "/spec/type becomes ExternalName, which has no address")
	}
	return found
}

func scaledToZero(c comparison) []string {
	was, had := number(at(c.before, "spec", "replicas"))
	is, has := number(at(c.after, "spec", "replicas"))
	if !had || !has || was == 0 || is != 0 {
		return nil
	}
	return []string{fmt.Sprintf("/spec/replicas goes from %v to 0", was)}
}

func neverAllows(c comparison) []string {
	if c.kind != (schema.GroupKind{Group: "policy", Kind: "PodDisruptionBudget"}) {
		return nil
	}
	for _, bad := range []struct {
		key    string
		values []any
	}{
		{"maxUnavailable", []any{int64(0), "0", "0%"}},
		{"minAvailable", []any{"100%"}},
	} {
		value := at(c.after, "spec", bad.key)
		isBad := value != nil && slices.ContainsFunc(bad.values, func(v any) bool { return equal(v, value) })
		if isBad && (c.isNew() || !equal(value, at(c.before, "spec", bad.key))) {
			return []string{fmt.Sprintf("/spec/%s is %v", bad.key, value)}
		}
	}
	return nil
}

func isWebhook(c comparison) bool {
	return c.kind.Group == "admissionregistration.k8s.io" && strings.HasSuffix(c.kind.Kind, "WebhookConfiguration")
}

func failsClosed(c comparison) []string {
	if !isWebhook(c) || c.isNew() {
		return nil
	}
	before := byLabel(asList(c.before["webhooks"]), "name")
	after := asList(c.after["webhooks"])
	var found []string
	for i, name := range labels(after, "name") {
		was := before[name]
		if was != nil && at(was, "failurePolicy") == "Ignore" && failurePolicy(after[i]) == "Fail" {
			found = append(found, fmt.Sprintf("webhook %s goes from Ignore to Fail", name))
		}
	}
	return found
}

func failurePolicy(webhook any) any { return cmp.Or(at(webhook, "failurePolicy"), any("Fail")) }

// everyNamespace are the ways in which a webhook is kept out of some namespaces or objects.
var everyNamespace = []string{"namespaceSelector", "objectSelector", "matchConditions"}

func scopeWidened(c comparison) []string {
	if !isWebhook(c) {
		return nil
	}
	before := byLabel(asList(c.before["webhooks"]), "name")
	after := asList(c.after["webhooks"])
	var found []string
	for i, name := range labels(after, "name") {
		webhook, was := after[i], before[name]
		if failurePolicy(webhook) != "Fail" {
			continue
		}
		for _, key := range everyNamespace {
			if was != nil && !isEmpty(at(was, key)) && isEmpty(at(webhook, key)) {
				found = append(found, fmt.Sprintf("webhook %s loses its %s", name, key))
			}
		}
		if catchesAll(webhook) && (was == nil || !catchesAll(was)) {
			found = append(found, fmt.Sprintf("webhook %s fails closed for every resource in every namespace", name))
		}
	}
	return found
}

func catchesAll(webhook any) bool {
	if !isEmpty(at(webhook, "namespaceSelector")) || !isEmpty(at(webhook, "objectSelector")) {
		return false
	}
	for _, rule := range asList(at(webhook, "rules")) {
		resources := asList(at(rule, "resources"))
		all := slices.Contains(resources, any("*")) || slices.Contains(resources, any("*/*"))
		if all && slices.Contains(asList(at(rule, "apiGroups")), any("*")) {
			return true
		}
	}
	return false
}

func allowsEverything(c comparison) []string {
	if c.kind.Group != "rbac.authorization.k8s.io" || allows(c.before) || !allows(c.after) {
		return nil
	}
	if at(c.after, "roleRef") != nil {
		return []string{"it binds cluster-admin"}
	}
	return []string{"a rule has every verb on every resource of every group"}
}

func allows(role map[string]any) bool {
	if at(role, "roleRef", "kind") == "ClusterRole" && at(role, "roleRef", "name") == "cluster-admin" {
		return true
	}
	star := func(rule any, key string) bool { return slices.Contains(asList(at(rule, key)), any("*")) }
	for _, rule := range asList(role["rules"]) {
		if star(rule, "verbs") && star(rule, "resources") && star(rule, "apiGroups") {
			return true
		}
	}
	return false
}
