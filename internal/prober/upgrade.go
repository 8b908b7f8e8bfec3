package prober

import (
	"context"
	"log/slog"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"sluice.dev/sluice/internal/fault"
)

const (
	// annotationVersion says how new a definition is: a whole number, that grows with each change. One without it is the oldest.
	annotationVersion = "sluice.dev/definition-version"
	// definer is by whose name definitions are written that were older.
	definer = "sluice-probe-definitions"
)

// upgrade has the definitions that a cluster has be as new as this program's. Where they stay as they are, probes run by those, and it is
// said why.
func upgrade(m manager.Manager, log *slog.Logger) error {
	return eachDefinition(m, func(ctx context.Context, api client.Client, want *unstructured.Unstructured) error {
		switch changed, err := upgraded(ctx, api, want); {
		case err != nil:
			log.Warn("a definition stays as it is; write what 'sluice probe crds' prints", "definition", want.GetName(), "error", err)
		case changed:
			log.Info("a definition was older, and is as new as this agent now", "definition", want.GetName())
		}
		return nil
	})
}

// upgraded writes a definition where the cluster has an older one, and reports whether it did. One that is newer stays, whoever wrote it.
// What somebody else keeps as he has applied it is his; what was only made once, by a chart, by hand or by an agent, is written over.
func upgraded(ctx context.Context, api client.Client, want *unstructured.Unstructured) (bool, error) {
	name := want.GetName()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(want.GroupVersionKind())
	if err := api.Get(ctx, client.ObjectKeyFromObject(want), live); err != nil {
		if apierrors.IsForbidden(err) {
			return false, fault.Wrap(fault.Unauthorized, err, "cannot tell whether definition %s is older", name)
		}
		return false, client.IgnoreNotFound(err) // whoever defines it has said so
	}
	if definitionVersion(live) >= definitionVersion(want) {
		return false, nil
	}
	stored, _, _ := unstructured.NestedStringSlice(live.Object, "status", "storedVersions")
	for _, version := range stored {
		if !slices.Contains(versionsOf(want), version) {
			return false, fault.New(fault.Refused, "cannot upgrade definition %s: objects may be stored in version %s, which the new one has not",
				name, version)
		}
	}
	by := client.FieldOwner(definer)
	err := api.Apply(ctx, client.ApplyConfigurationFromUnstructured(want.DeepCopy()), by)
	if apierrors.IsConflict(err) && !applied(live) {
		err = api.Apply(ctx, client.ApplyConfigurationFromUnstructured(want.DeepCopy()), by, client.ForceOwnership)
	}
	if err != nil {
		return false, fault.Wrap(fault.Conflict, err, "cannot upgrade definition %s", name)
	}
	return true, nil
}

// applied reports whether somebody else applies an object, and would do so again.
func applied(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(live.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool {
		return f.Operation == metav1.ManagedFieldsOperationApply && f.Manager != definer
	})
}

// definitionVersion is how new a definition says that it is; 0 where it does not.
func definitionVersion(o *unstructured.Unstructured) int {
	n, err := strconv.Atoi(o.GetAnnotations()[annotationVersion])
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// versionsOf are the versions of objects that a definition has.
func versionsOf(o *unstructured.Unstructured) (names []string) {
	all, _, _ := unstructured.NestedSlice(o.Object, "spec", "versions")
	for _, v := range all {
		if of, ok := v.(map[string]any); ok {
			if name, ok := of["name"].(string); ok {
				names = append(names, name)
			}
		}
	}
	return names
}
