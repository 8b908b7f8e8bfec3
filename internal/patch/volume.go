package patch

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func volumeShrinks(c comparison) []string {
	if c.kind != (schema.GroupKind{Kind: "PersistentVolumeClaim"}) {
		return nil
	}
	was, had := quantity(at(c.before, "spec", "resources", "requests", "storage"))
	is, has := quantity(at(c.after, "spec", "resources", "requests", "storage"))
	if !had || !has || is.Cmp(was) >= 0 {
		return nil
	}
	return []string{fmt.Sprintf("the claim goes from %s to %s", was.String(), is.String())}
}

func quantity(value any) (resource.Quantity, bool) {
	text, ok := value.(string)
	if !ok {
		return resource.Quantity{}, false
	}
	q, err := resource.ParseQuantity(text)
	return q, err == nil
}
