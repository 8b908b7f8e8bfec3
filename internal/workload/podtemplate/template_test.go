package podtemplate

import (
	"testing"
)

func TestCarries(t *testing.T) {
	template := func(containers ...any) map[string]any {
		return map[string]any{"spec": map[string]any{"containers": containers}}
	}
	rendered := template(map[string]any{"name": "a", "image": "a:1", "resources": map[string]any{"requests": map[string]any{"cpu": "1000m"}}})
	cases := map[string]struct {
		live   map[string]any
		want   bool
		reason string
	}{
		"the same, written otherwise": {template(map[string]any{"name": "a", "image": "a:1", "resources": map[string]any{"requests": map[string]any{"cpu": "1"}}}), true, "1000m is 1"},
		"with defaults and a sidecar": {template(map[string]any{"name": "a", "image": "a:1", "imagePullPolicy": "Always", "resources": map[string]any{"requests": map[string]any{"cpu": "1"}}}, map[string]any{"name": "sidecar", "image": "s:1"}), true, "what others add does not matter"},
		"another image":               {template(map[string]any{"name": "a", "image": "a:2", "resources": map[string]any{"requests": map[string]any{"cpu": "1"}}}), false, "it is another version"},
		"a field is missing":          {template(map[string]any{"name": "a", "image": "a:1"}), false, "the request is gone"},
	}
	for name, c := range cases {
		if got := Carries(c.live, rendered); got != c.want {
			t.Errorf("%s: got %v, want %v: %s", name, got, c.want, c.reason)
		}
	}
}
