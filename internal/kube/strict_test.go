package kube_test

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/fault"
)

// What a definition of before has no place for is refused of Sluice's own kinds; of others the API server leaves it out, as it does for
// everybody.
func TestFieldsThatADefinitionDoesNotKnow(t *testing.T) {
	ctx, c := cluster(t)
	const older = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: gauges.%[1]s}, spec: {
		group: %[1]s, scope: Namespaced, names: {kind: Gauge, plural: gauges}, versions: [{name: v1, served: true, storage: true, schema: {
		openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {image: {type: string}}}}}}}]}}`
	const gauge = `{apiVersion: %s/v1, kind: Gauge, metadata: {name: %s, namespace: default}, spec: {image: a%s}}`
	for group, refused := range map[string]bool{"sluice.dev": true, "example.org": false} {
		create(t, ctx, c, fmt.Sprintf(older, group))
		for {
			_, err := c.Create(ctx, object(t, fmt.Sprintf(gauge, group, "known", "")))
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		kind := schema.GroupVersionKind{Group: group, Version: "v1", Kind: "Gauge"}
		_, err := c.Create(ctx, object(t, fmt.Sprintf(gauge, group, "unknown", ", mounts: b")))
		_, again := c.Patch(ctx, kind, "default", "known", types.MergePatchType, []byte(`{"spec": {"mounts": "b"}}`))
		for _, err := range []error{err, again} {
			if !refused && err != nil {
				t.Errorf("%s: %v", group, err)
			}
			if refused {
				code(t, err, fault.Invalid, `unknown field "spec.mounts"`)
			}
		}
	}
}
