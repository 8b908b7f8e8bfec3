package payload_test

import (
	"errors"
	"strings"
	"testing"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/internal/payload"
)

// TestWithinAWorkflowNothingIsDecidedByWhatIsUnread has a workflow wait, where by an error it would have failed.
func TestWithinAWorkflowNothingIsDecidedByWhatIsUnread(t *testing.T) {
	a, none := ring(t, line("a", 'a')).Converter(nil), (*payload.Ring)(nil).Converter(nil)
	p, err := a.ToPayloads("hush")
	if err != nil {
		t.Fatal(err)
	}
	var into string
	if err := none.FromPayloads(p, &into); !errors.Is(err, payload.ErrUnread) {
		t.Errorf("outside of a workflow: %v", err)
	}
	within := func(c converter.DataConverter) converter.DataConverter {
		return c.(converter.ContextAware).WithWorkflowContext(nil)
	}
	if err := within(a).FromPayloads(p, &into); err != nil || into != "hush" {
		t.Errorf("with its key: %q, %v", into, err)
	}
	other := 0
	if err := within(a).FromPayloads(p, &other); err == nil || errors.Is(err, payload.ErrUnread) {
		t.Errorf("what is read and is something else: %v", err)
	}
	for _, read := range []func(converter.DataConverter){
		func(c converter.DataConverter) { _ = c.FromPayloads(p, &into) },
		func(c converter.DataConverter) { _ = c.FromPayload(p.Payloads[0], &into) },
	} {
		func() {
			defer func() {
				if err, _ := recover().(error); !errors.Is(err, payload.ErrUnread) {
					t.Errorf("within a workflow: %v", err)
				}
			}()
			read(within(none))
		}()
	}
}

func TestFailures(t *testing.T) {
	keys, none := ring(t, line("a", 'a')), (*payload.Ring)(nil)
	said := temporal.NewApplicationError("hush", "refused", "details hush")
	f := keys.Failures(keys.Converter(nil)).ErrorToFailure(said)
	if strings.Contains(f.String(), "hush") || f.GetApplicationFailureInfo().GetType() != "refused" {
		t.Errorf("with keys it is kept as %v", f)
	}
	var app *temporal.ApplicationError
	if err := keys.Failures(keys.Converter(nil)).FailureToError(f); !errors.As(err, &app) || app.Message() != "hush" {
		t.Errorf("and is read as %v", err)
	}
	if f := none.Failures(none.Converter(nil)).ErrorToFailure(said); f.GetMessage() != "hush" || f.GetEncodedAttributes() != nil {
		t.Errorf("without keys it is kept as %v", f)
	}
	before := none.Failures(none.Converter(nil)).ErrorToFailure(said)
	if err := keys.Failures(keys.Converter(nil)).FailureToError(before); !errors.As(err, &app) || app.Message() != "hush" {
		t.Errorf("what was kept before there were keys is read as %v", err)
	}
}
