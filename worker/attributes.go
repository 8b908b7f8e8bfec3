package worker

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/api"
)

// EnsureSearchAttributes adds the search attributes that workflows set to the namespace, where it lacks them. Adding what
// is there changes nothing. A server that does not let us is an error that names what is missing.
func EnsureSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	want := map[string]enumspb.IndexedValueType{}
	for _, name := range api.KeywordAttributes() {
		want[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	for _, name := range api.IntAttributes() {
		want[name] = enumspb.INDEXED_VALUE_TYPE_INT
	}
	there, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("cannot list the search attributes of namespace %s: %w", namespace, err)
	}
	for name, kind := range there.GetCustomAttributes() {
		if need, ours := want[name]; ours && need != kind {
			return fmt.Errorf("cannot use search attribute %s of namespace %s: it is a %s, not a %s", name, namespace, kind, need)
		}
		delete(want, name)
	}
	if len(want) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: want,
	})
	var taken *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &taken) {
		return fmt.Errorf("cannot add search attributes to namespace %s, which lacks %d of them: %w", namespace, len(want), err)
	}
	return nil
}
