package patch

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// managerOf returns the field manager that wrote a field last, or "" where the API server does not say.
func managerOf(live *unstructured.Unstructured, p pointer) string {
	var name string
	var last time.Time
	for _, entry := range live.GetManagedFields() {
		if entry.FieldsV1 == nil || entry.Subresource != "" {
			continue
		}
		var fields map[string]any
		if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil || !owns(fields, p) {
			continue
		}
		when := time.Time{}
		if entry.Time != nil {
			when = entry.Time.Time
		}
		if name == "" || when.After(last) {
			name, last = entry.Manager, when
		}
	}
	return name
}

func owns(fields map[string]any, p pointer) bool {
	if len(p) == 0 {
		return true
	}
	for key, below := range fields {
		if !namesSegment(key, p[0]) {
			continue
		}
		inner, _ := below.(map[string]any)
		// A manager of a list or map that is written whole is recorded without what is below it.
		if len(inner) == 0 || owns(inner, p[1:]) {
			return true
		}
	}
	return false
}

func namesSegment(key, segment string) bool {
	kind, rest, found := strings.Cut(key, ":")
	if !found {
		return false
	}
	switch kind {
	case "f", "i":
		return rest == segment
	case "v":
		var value any
		return json.Unmarshal([]byte(rest), &value) == nil && fmt.Sprint(value) == segment
	case "k":
		var keys map[string]any
		if json.Unmarshal([]byte(rest), &keys) != nil {
			return false
		}
		for _, value := range keys {
			if fmt.Sprint(value) == segment {
				return true
			}
		}
	}
	return false
}
