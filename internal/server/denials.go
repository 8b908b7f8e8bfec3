package server

import (
	"context"
	"reflect"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// Bounds on the denials that the audit has: it is never shortened, and whoever has an account at some issuer may ask. All of them are in
// the log, and are counted.
const (
	sameDenial     = time.Minute // one of a subject, a right and an object in this time
	deniedAtOnce   = 20          // of one subject
	deniedPer      = 10 * time.Second
	denialsAtOnce  = 100 // of all
	denialsPer     = 5 * time.Second
	maxDeniedBytes = 300 // of what somebody names
)

// denial is what somebody was denied while his request was answered.
type denial struct {
	right pipelines.Right // "" while there was none
	why   string
}

// denials bounds how many come into the audit.
type denials struct{ same, subject, all *limits }

func newDenials(c clock.PassiveClock) denials {
	return denials{
		same: newLimits(rate.Every(sameDenial), 1, c), subject: newLimits(rate.Every(deniedPer), deniedAtOnce, c),
		all: newLimits(rate.Every(denialsPer), denialsAtOnce, c),
	}
}

func (d denials) allow(subject, right, object string) bool {
	return d.same.allow(subject+"\x00"+right+"\x00"+object) && d.subject.allow(subject) && d.all.allow("")
}

// denied writes into the audit that somebody was denied what he asked for. What he names is its scope and not its object: what is listed
// about a run or a plan was done to it, and nobody who may not even see it adds to that.
func (s *server) denied(ctx context.Context, operation string, in any) {
	a := who(ctx)
	if a.denial == nil || a.denial.right == "" {
		return
	}
	named := clip.Bytes(objectOf(in), maxDeniedBytes)
	if command, ok := in.(*wire.Commanded); ok {
		operation = command.Name
	}
	if !s.denials.allow(a.Name, string(a.denial.right), named) {
		return
	}
	err := s.Engine.Denied(ctx, ledger.Entry{
		Who: name(ctx), Command: operation, Scope: named, Outcome: ledger.Refused + "no binding lets him: " + a.denial.why,
	})
	if err != nil {
		s.Logger.Error("cannot write a denial into the audit", "who", a.Name, "error", err)
	}
}

// objects of requests, by the names of their fields.
var namesObject = []string{"Run", "Plan", "Component", "For", "Drill", "Name"}

// objectOf is what somebody names in a request; "" where that is nothing.
func objectOf(in any) string {
	v := reflect.ValueOf(in).Elem()
	for _, of := range []reflect.Value{v, v.FieldByName("Body")} {
		if !of.IsValid() || of.Kind() != reflect.Struct {
			continue
		}
		for _, name := range namesObject {
			if field := of.FieldByName(name); field.IsValid() && field.Kind() == reflect.String && field.String() != "" {
				return field.String()
			}
		}
	}
	return ""
}
