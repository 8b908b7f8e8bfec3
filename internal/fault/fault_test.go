package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"sluice.dev/sluice/internal/fault"
)

func TestCodeOf(t *testing.T) {
	cause := errors.New("connection refused")
	for _, c := range []struct {
		reason string
		err    error
		code   fault.Code
		exit   int
		again  bool
	}{
		{"no error is done", nil, "", fault.ExitDone, false},
		{"an error without a code is a fault of our own", cause, fault.Internal, fault.ExitFailed, true},
		{"wrong input is not worth another try", fault.New(fault.Invalid, "cannot read x"), fault.Invalid, fault.ExitInvalid, false},
		{"a gate that says no has a code of its own", fault.New(fault.Refused, "no"), fault.Refused, fault.ExitRefused, false},
		{"the code survives wrapping by others", fmt.Errorf("cannot plan: %w", fault.Wrap(fault.Unreachable, cause, "cannot reach a")), fault.Unreachable, fault.ExitFailed, true},
		{"the outermost code counts", fault.Wrap(fault.Refused, fault.New(fault.NotFound, "no plan"), "cannot run"), fault.Refused, fault.ExitRefused, false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			code := fault.CodeOf(c.err)
			if code != c.code || code.Exit() != c.exit || code.Retryable() != c.again {
				t.Errorf("code %q, exit %d, again %v; want %q, %d, %v", code, code.Exit(), code.Retryable(), c.code, c.exit, c.again)
			}
		})
	}
}

func TestWrapSaysTheSubjectThenTheCause(t *testing.T) {
	if err := fault.Wrap(fault.Internal, nil, "cannot do it"); err != nil {
		t.Errorf("no cause became %v", err)
	}
	cause := errors.New("disk full")
	err := fault.Wrap(fault.Internal, cause, "cannot write %s", "plan")
	if err.Error() != "cannot write plan: disk full" || !errors.Is(err, cause) {
		t.Errorf("%q", err)
	}
}
