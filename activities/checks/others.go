package checks

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/patch"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// mostOthers is how many objects beside workloads one look reads.
const mostOthers = 200

// silent are kinds whose objects say nothing of how they are.
var silent = []string{
	"ConfigMap", "Secret", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "NetworkPolicy", "LimitRange",
	"PriorityClass", "StorageClass", "IngressClass", "RuntimeClass", "CSIDriver", "ValidatingWebhookConfiguration",
	"MutatingWebhookConfiguration", "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
}

// others are the objects that a request's unit writes beside its workloads, as far as they are written by then: what goes after the
// workloads only at the end of the cluster. On the way back there are none: what is taken away is not waited for.
func (a *Activities) others(ctx context.Context, req step.ChecksRequest) ([]*unstructured.Unstructured, error) {
	changes := req.Changes
	if changes == "" && len(req.Workloads) > 0 {
		changes = req.Workloads[0].Changes
	}
	if changes == "" || req.Back {
		return nil, nil
	}
	var set change.Set
	if err := change.Load(ctx, a.Ledger, changes, &set); err != nil {
		return nil, err
	}
	var found []*unstructured.Unstructured
	for _, o := range set.Objects {
		written := o.Phase == templates.Before || o.Phase == templates.After && req.Point == pipelines.AfterCluster
		if target := o.Target(); written && target != nil && o.Action != patch.Unchanged && !slices.Contains(silent, target.GetKind()) {
			found = append(found, target)
		}
	}
	if len(found) > mostOthers {
		return nil, fault.New(fault.Invalid, "the change has %d objects to look at beside its workloads, at most %d can be: "+
			"switch it off with objects: false", len(found), mostOthers)
	}
	return found, nil
}

// live reads objects as they are now.
func live(ctx context.Context, c *kube.Cluster, targets []*unstructured.Unstructured) ([]check.Other, error) {
	all := make([]check.Other, 0, len(targets))
	for _, t := range targets {
		name := fmt.Sprintf("%s/%s/%s", t.GetKind(), t.GetNamespace(), t.GetName())
		if t.GetNamespace() == "" {
			name = t.GetKind() + "/" + t.GetName()
		}
		o, err := c.Get(ctx, t.GroupVersionKind(), t.GetNamespace(), t.GetName())
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return nil, err
		}
		if err != nil {
			o = nil
		}
		all = append(all, check.Other{Name: name, Live: o})
	}
	return all, nil
}
