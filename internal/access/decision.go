package access

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// Denied is what whoever is denied something hears, whatever it is and whether or not it is there.
const Denied = "not allowed: you have no such right here, or there is nothing here"

// Decision is whether a subject may do something, and why.
type Decision struct {
	Right   pipelines.Right
	Allowed bool
	By      []string // names of the bindings that allow it, sorted
	why     string
}

func (d Decision) deny(why string) Decision {
	d.Allowed, d.By, d.why = false, nil, why
	return d
}

// Why is the decision with its reason, for the log and not for whoever asked: it names bindings, and places that may be.
func (d Decision) Why() string {
	if d.Allowed {
		return fmt.Sprintf("%s is allowed by %s", d.Right, clip.Few(d.By, 10))
	}
	return fmt.Sprintf("%s is denied: %s", d.Right, d.why)
}

// Err is nil where it is allowed, and otherwise the refusal that whoever asked may hear. It is fault.Refused: who it is that asks is
// known, and a new token would change nothing.
func (d Decision) Err() error {
	if d.Allowed {
		return nil
	}
	return fault.New(fault.Refused, Denied)
}

// text names a place of a component.
func (p place) text(component string) string {
	var parts []string
	for _, part := range []struct{ what, name string }{
		{"component", component}, {"environment", p.environment}, {"cluster group", p.group[pipelines.LabelName]}, {"namespace", p.namespace},
	} {
		if part.name != "" {
			parts = append(parts, part.what+" "+clip.Runes(part.name, 100))
		}
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, ", ")
}
