package cli_test

import (
	"strings"
	"testing"
)

func TestReconcileThatIsWrong(t *testing.T) {
	s := newSession(t)
	for line, want := range map[string]string{
		"reconcile":                                           "RUN or COMPONENT",
		"reconcile agent c1 --reason x":                       `--trust "" is neither`,
		"reconcile agent c1 --trust me --reason x":            `--trust "me" is neither`,
		"reconcile agent c1 --trust cluster":                  "--reason is missing",
		"reconcile agent c1 --trust cluster --reason restore": "cannot find cluster c1 in the newest",
	} {
		if _, errs, code := s.types(line); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: %q, %d; want %q", line, errs, code, want)
		}
	}
}
