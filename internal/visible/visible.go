// Package visible reads what Temporal's list says of a workflow. It asks nobody.
package visible

import (
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
)

// Attribute reads one search attribute. One that is not there, or is of another type, leaves the value alone.
func Attribute[T any](of *workflowpb.WorkflowExecutionInfo, name string, into *T) {
	field := of.GetSearchAttributes().GetIndexedFields()[name]
	if field == nil {
		return
	}
	var value T
	if err := converter.GetDefaultDataConverter().FromPayload(field, &value); err == nil {
		*into = value
	}
}
