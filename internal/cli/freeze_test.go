package cli_test

import (
	"strings"
	"testing"
)

func TestFreezeAndUnfreeze(t *testing.T) {
	s := newSession(t)
	out, errs, code := s.types(`freeze --environment production --label tier=gold --for 2h --in-flight finish --reason launch`)
	want := "freeze-1 holds environment production, label tier=gold until 2026-11-22 14:01:00\n  no open run is among it\n"
	if code != 0 || out != want {
		t.Errorf("freeze prints %q (%s, %d), not %q", out, errs, code, want)
	}
	out, _, _ = s.types("get freezes")
	for _, words := range []string{"freeze-1", "environment production, label tier=gold", "Finish", "launch"} {
		if !strings.Contains(out, words) {
			t.Errorf("the list does not say %q:\n%s", words, out)
		}
	}
	out, errs, code = s.types(`unfreeze freeze-1 --reason over`)
	if code != 0 || !strings.Contains(out, "freeze-1 is lifted: it held environment production, label tier=gold since") {
		t.Errorf("unfreeze prints %q (%s, %d)", out, errs, code)
	}
	if out, _, _ = s.types("get freezes"); strings.Contains(out, "freeze-1") {
		t.Errorf("it is listed still:\n%s", out)
	}
	if out, _, _ = s.types("get freezes --all"); !strings.Contains(out, "over") {
		t.Errorf("of all, it is not listed:\n%s", out)
	}
	if _, errs, code = s.types(`unfreeze freeze-1 --reason again`); code == 0 || !strings.Contains(errs, "was lifted") {
		t.Errorf("lifted twice: %q, %d", errs, code)
	}
	out, _, _ = s.types("get audit freeze-1")
	if !strings.Contains(out, "unfreeze") || !strings.Contains(out, "over") {
		t.Errorf("the audit says:\n%s", out)
	}
}

func TestAFreezeThatIsWrong(t *testing.T) {
	s := newSession(t)
	for line, want := range map[string]string{
		"freeze":                                                  "--reason is missing",
		"freeze --reason x --for 0s":                              "cannot read --for",
		"freeze --reason x --for soon":                            "cannot read --for",
		"freeze --reason x --until noon":                          "cannot read --until",
		"freeze --reason x --until 2020-01-01T00:00:00Z":          "is over",
		"freeze --reason x --for 1h --until 2030-01-01T00:00:00Z": "one at a time",
		"freeze --reason x --in-flight Later":                     "none of PauseNow, PauseAtBoundary and Finish",
		"unfreeze freeze-1":                                       "--reason is missing",
		"unfreeze freeze-1 --reason x":                            "cannot lift freeze-1: there is no such freeze",
		"unfreeze --reason x":                                     "FREEZE",
	} {
		if _, errs, code := s.types(line); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: %q, %d; want %q", line, errs, code, want)
		}
	}
}
