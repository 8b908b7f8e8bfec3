package param_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/sluice/probes/internal/param"
	"sluice.dev/sluice/probes/internal/trial"
)

func TestReader(t *testing.T) {
	for _, c := range []struct {
		reason, value string
		read          func(*param.Reader) any
		want          any
		wrong         string
	}{
		{"a duration", "250ms", func(r *param.Reader) any { return r.Duration("V", time.Second, time.Minute) }, 250 * time.Millisecond, ""},
		{"nothing is the default", "", func(r *param.Reader) any { return r.Duration("V", time.Second, time.Minute) }, time.Second, ""},
		{"no duration above the bound", "2m", func(r *param.Reader) any { return r.Duration("V", 1, time.Minute) }, nil, "want a duration of 1ms to 1m0s"},
		{"none of nothing", "0s", func(r *param.Reader) any { return r.Duration("V", 1, time.Minute) }, nil, `V is "0s"`},
		{"a number", "7", func(r *param.Reader) any { return r.Int("V", 1, 1, 10) }, 7, ""},
		{"no number beyond the bounds", "11", func(r *param.Reader) any { return r.Int("V", 1, 1, 10) }, nil, "want a number of 1 to 10"},
		{"a share", "99.5%", func(r *param.Reader) any { return r.Share("V", 1) }, 0.995, ""},
		{"a share says that it is one", "0.995", func(r *param.Reader) any { return r.Share("V", 1) }, nil, "want a percentage"},
		{"no share is not a number", "NaN%", func(r *param.Reader) any { return r.Share("V", 1) }, nil, "want a percentage"},
		{"a list", "a, b,,c", func(r *param.Reader) any { return r.List("V", 3) }, []string{"a", "b", "c"}, ""},
		{"a list has an end", "a,b,c", func(r *param.Reader) any { return r.List("V", 2) }, nil, "want at most 2"},
		{"labels", "pool=edge,zone=", func(r *param.Reader) any { return r.Labels("V") }, map[string]string{"pool": "edge", "zone": ""}, ""},
		{"labels are pairs", "edge", func(r *param.Reader) any { return r.Labels("V") }, nil, "want pairs"},
		{"a choice", "pods", func(r *param.Reader) any { return r.Choice("V", "service", "pods") }, "pods", ""},
		{"no other", "ingress", func(r *param.Reader) any { return r.Choice("V", "service", "pods") }, nil, "want one of service, pods"},
	} {
		r := param.New(func(string) string { return c.value })
		got, err := c.read(r), r.Err()
		if c.wrong == "" {
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%s: %v, -want +got:\n%s", c.reason, err, diff)
			}
			continue
		}
		if v, code := trial.Judge(err); err == nil || !strings.Contains(err.Error(), c.wrong) || v != trial.Error || code != "BadParameter" {
			t.Errorf("%s: it is %s %q: %v, want %q in it", c.reason, v, code, err, c.wrong)
		}
	}
}
